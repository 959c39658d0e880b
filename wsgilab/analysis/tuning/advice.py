"""What a tuning says in sentences: the setting, what it is compared with, what limits it, and what would change that.

What was measured and what is predicted are told apart in every sentence. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wsgilab.analysis.tuning import cheapest, final, predictions, search, staircase
from wsgilab.analysis.tuning.final import Decision, Difference
from wsgilab.analysis.tuning.phrases import capacity, in_words, megabytes
from wsgilab.analysis.tuning.physics import Physics
from wsgilab.analysis.tuning.search import Found
from wsgilab.model import words
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage

MANY_VOID = 0.2
"""Of the windows: from this share on, they are a reason to measure again."""


@dataclass(frozen=True)
class Advice:
    """The sentences of a tuning, by what they are about."""

    answer: str
    compared: tuple[str, ...] = ()
    """With what came second, and with what people would have set."""
    limit: tuple[str, ...] = ()
    """What holds it back, and what it costs."""
    sure: tuple[str, ...] = ()
    """How sure all of this is."""
    predictions: tuple[str, ...] = ()
    """What nobody has measured: what more of something would bring, what would change the answer."""
    avoid: tuple[str, ...] = ()
    """Settings that died."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of them."""
        return (self.answer, *self.compared, *self.limit, *self.sure, *self.predictions, *self.avoid)


def advise(question: Question, found: Found, history: Sequence[Attempt], slo: str) -> Advice:
    """The whole advice, one sentence or two each."""
    deaths = tuple(_deaths(history))
    if found.decision is None:
        return Advice(_nothing_found(question, found, history, slo), sure=tuple(_void(history)), avoid=deaths)
    decision, physics = found.decision, found.physics
    return Advice(
        answer=_recommended(question, decision, history, slo),
        compared=(*_runner_up(decision, physics), *_references(question, decision, history)),
        limit=(*_limit(decision, physics, history), *_memory(question, decision.setting, history)),
        sure=(*_sure(question, found, decision, history), *_void(history), *_unfinished(found)),
        predictions=tuple(predictions.sentences(question, decision, physics)),
        avoid=deaths,
    )


def _recommended(question: Question, decision: Decision, history: Sequence[Attempt], slo: str) -> str:
    if question.rate_rps is not None:
        room = f"{question.headroom * 100:.0f} % more than {words.rps(question.rate_rps)}"
        kept = f"it kept {slo} at {words.rps(round(question.required_rps or 0.0, 1))}, {room}"
        return f"{in_words(decision.setting)}: the cheapest setting found that does; {kept}."
    if decision.capacity is None:
        own = [attempt for attempt in history if attempt.trial.setting == decision.setting]
        most = max((attempt.trial.rate_rps for attempt in own if attempt.ending is Ending.KEPT), default=0.0)
        return (
            f"{in_words(decision.setting)}: kept {slo} at {words.rps(most)}; how much more it can do was not measured."
        )
    all_there_is = ", the most that could be measured" if decision.capacity.censored else ""
    return f"{in_words(decision.setting)}: keeps {slo} up to {capacity(decision.capacity)}{all_there_is}."


def _runner_up(decision: Decision, physics: Physics) -> Iterator[str]:
    if decision.runner_up is None:
        return
    name = in_words(decision.runner_up)
    if decision.difference is Difference.WORSE:
        much = words.full_ratio(decision.ratio)
        yield f"{name} came second, and the difference is real: the first does {much} times as much."
        return
    ours, theirs = (physics.bound(one).memory_mb for one in (decision.setting, decision.runner_up))
    cheaper = ours is not None and theirs is not None and ours < theirs
    why = f", and would need {megabytes(theirs - ours)} more" if cheaper and ours and theirs else ""
    if decision.difference is Difference.SAME:
        yield f"{name} did the same within {final.SAME * 100:.0f} %{_ratio(decision)}{why}."
    elif _both_are_bounds(decision):
        yield f"{name} also kept the most that could be measured, and no difference is shown{why}."
    else:
        yield f"{name} came next, and no difference is shown{_ratio(decision)}{why}."


def _both_are_bounds(decision: Decision) -> bool:
    return all(figure is not None and figure.censored for figure in (decision.capacity, decision.runner_up_capacity))


def _ratio(decision: Decision) -> str:
    if decision.ratio is None:
        return ""
    return f" (ratio {words.ratio(decision.ratio)}, interval {words.amount_range(decision.ratio) or words.UNKNOWN})"


def _references(question: Question, decision: Decision, history: Sequence[Attempt]) -> Iterator[str]:
    walks = final.walks_of(history)
    for called, setting in question.references.items():
        if setting == decision.setting:
            yield f"That is {called}."
        elif ratio := final.ratio_of(decision.setting, setting, walks):
            yield f"{words.full_ratio(ratio)} times the capacity of {called} ({in_words(setting)})."


def _limit(decision: Decision, physics: Physics, history: Sequence[Attempt]) -> Iterator[str]:
    bound = physics.bound(decision.setting)
    if bound.limited_by not in predictions.LIMITS:
        return
    allow = f"{predictions.LIMITS[bound.limited_by]} {'allow' if bound.limited_by == 'slots' else 'allows'}"
    if decision.capacity is None:
        yield f"By the calibration {allow} about {words.limit(bound.rps)}."
    elif decision.capacity.censored:
        yield (
            f"What limits it is not known: by the calibration {allow} {words.limit(bound.rps)}, but windows at more "
            f"than it kept are void{_why_void(final.walks_of(history).get(decision.setting, ()))}."
        )
    elif predictions.explain(bound, decision):
        share = f"{decision.capacity.value / bound.rps * 100:.0f} % of that was measured"
        limit = f"It is limited by {predictions.LIMITS[bound.limited_by]}"
        yield f"{limit}: by the calibration {allow} {words.limit(bound.rps)}, and {share}."
    else:
        would = f"by the calibration they would allow {words.limit(bound.rps)}"
        yield (
            f"Neither its slots nor the CPU explain that: {would}. "
            "Something that one request alone does not meet holds it back: a lock, a pool of connections, a database."
        )


def _why_void(attempts: Sequence[Attempt]) -> str:
    """Why the last void one of these is, in brackets; empty where nobody said."""
    why = next((attempt.void.rstrip(".") for attempt in reversed(attempts) if attempt.void), "")
    return f" ({why})" if why else ""


def _memory(question: Question, setting: Setting, history: Sequence[Attempt]) -> Iterator[str]:
    seen = [one.memory_mb for one in history if one.trial.setting == setting and one.memory_mb is not None]
    if seen:
        of = f" of the {megabytes(question.memory_mb)} that it may use" if question.memory_mb is not None else ""
        yield f"It used {megabytes(max(seen))} at most{of}."


def _sure(question: Question, found: Found, decision: Decision, history: Sequence[Attempt]) -> Iterator[str]:
    walk = final.walks_of(history).get(decision.setting, [])
    windows = f"{words.counted(len(walk), 'window')} of {words.seconds(question.long_s)} s"
    if question.rate_rps is not None:
        kept = sum(attempt.ending is Ending.KEPT for attempt in walk)
        yield f"{kept} of {windows} kept it."
        if cheaper := cheapest.unclear(question, found.physics, history):
            named = words.listed([in_words(setting) for setting in cheaper])
            yield f"Whether less would do is not known: too many windows of {named} were void."
        return
    if decision.capacity is not None and decision.capacity.censored:
        counted = [attempt for attempt in walk if attempt.ending is not Ending.VOID]
        of_them = f"{words.counted(len(counted), 'window')} of {words.seconds(question.long_s)} s"
        yield f"It kept the objective in all {of_them}, until {staircase.MOST_VOID} in a row were void."
        return
    met = len(staircase.turns(walk))
    if met > 1:
        yield f"Its capacity was met {met} times, going up and down around it in {windows}: hence the interval."
    elif met == 1:
        yield f"Its capacity was met once, in {windows}: too few for an interval."


def _void(history: Sequence[Attempt]) -> Iterator[str]:
    void = sum(attempt.ending is Ending.VOID for attempt in history)
    of_all = f"{void} of {words.counted(len(history), 'window')}"
    if void > MANY_VOID * len(history):
        surer = "on a quiet machine this would be surer"
        yield f"{of_all} do not count, as the machine was busy or k6 at its limit: {surer}."
    elif void:
        yield f"{of_all} {'does' if void == 1 else 'do'} not count: the measurement failed, not the server."


def _unfinished(found: Found) -> Iterator[str]:
    if not found.finished:
        yield "It ended before all was settled, so another setting may be better: a larger --budget gives it more time."


def _deaths(history: Sequence[Attempt]) -> Iterator[str]:
    """What died, by what it died of: many settings may do so of the same."""
    of_what: dict[tuple[str, float], list[str]] = {}
    for attempt in search.deaths(history):
        key = (attempt.died or "it died", attempt.trial.rate_rps)
        of_what.setdefault(key, []).append(in_words(attempt.trial.setting))
    for (died, rate_rps), settings in of_what.items():
        yield f"Avoid {words.listed(settings)}: {died}, at {words.rps(rate_rps)}."


def _nothing_found(question: Question, found: Found, history: Sequence[Attempt], slo: str) -> str:
    tries = words.counted(len(history), "window")
    if not found.finished:
        return f"No setting was shown to keep {slo} in the time there was ({tries}): a larger --budget may tell."
    if question.rate_rps is not None:
        rate = words.rps(round(question.required_rps or 0.0, 1))
        if cheapest.is_walled(question, history):
            return f"Nothing could be measured at {rate}: every window there is void{_why_void(history)}."
        return f"No setting kept {slo} at {rate} ({tries})."
    rates = [attempt.trial.rate_rps for attempt in history if attempt.trial.stage is not Stage.CALIBRATION]
    lowest = f", the lowest {words.rps(min(rates))}" if rates else ""
    return f"No setting kept {slo} at any rate tried{lowest} ({tries})."
