"""What a tuning says in sentences: the setting, what it is compared with, what limits it, and what would change that.

What was measured and what is predicted are told apart in every sentence. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from wsgilab.analysis.tuning import final, search
from wsgilab.analysis.tuning.final import Decision, Difference
from wsgilab.analysis.tuning.physics import Cost, Physics
from wsgilab.analysis.tuning.search import Found
from wsgilab.model import words
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage

LIMITS = {"slots": "its slots", "cpu": "the CPU"}
SLOWER = 2.0
"""How much slower a database is in the prediction of what would change the answer."""
NOTABLE = 1.05
"""From this ratio on a prediction says that more is more."""


def sentences(question: Question, found: Found, history: Sequence[Attempt], slo: str) -> list[str]:
    """The whole advice, one sentence or two each."""
    if found.decision is None:
        return [_nothing_found(question, found, history, slo), *_deaths(history)]
    decision = found.decision
    return [
        _recommended(question, decision, history, slo),
        *_runner_up(decision, found.physics),
        *_references(question, decision, history),
        *_limit(question, decision.setting, found.physics),
        *_what_if(question, decision.setting, found.physics),
        *_deaths(history),
        *([] if found.finished else ["Time ran out before all was settled: a larger --budget would be surer."]),
    ]


def in_words(setting: Setting) -> str:
    """A setting as a person would say it: `2 gthread workers with 8 threads each`."""
    if setting.family == "uwsgi":
        workers = "1 process" if setting.workers == 1 else f"{setting.workers} processes"
    else:
        workers = words.counted(setting.workers, f"{setting.kind} worker")
    if setting.threads == 1 or setting.kind == "gevent":
        return workers
    of_each = " each" if setting.workers > 1 else ""
    return f"{workers} with {words.counted(setting.threads, 'thread')}{of_each}"


def _recommended(question: Question, decision: Decision, history: Sequence[Attempt], slo: str) -> str:
    if question.rate_rps is not None:
        room = f"{question.headroom:.0%} more than {words.rps(question.rate_rps)}"
        kept = f"it kept {slo} at {words.rps(round(question.required_rps or 0.0, 1))}, {room}"
        return f"{in_words(decision.setting)}: the cheapest setting found that does; {kept}."
    if decision.capacity is None:
        own = [attempt for attempt in history if attempt.trial.setting == decision.setting]
        most = max((attempt.trial.rate_rps for attempt in own if attempt.ending is Ending.KEPT), default=0.0)
        return (
            f"{in_words(decision.setting)}: kept {slo} at {words.rps(most)}; how much more it can do was not measured."
        )
    capacity = words.with_range(words.amount(decision.capacity, "rps"), words.amount_range(decision.capacity))
    return f"{in_words(decision.setting)}: keeps {slo} up to {capacity}."


def _runner_up(decision: Decision, physics: Physics) -> Iterator[str]:
    if decision.runner_up is None:
        return
    name, ratio = in_words(decision.runner_up), words.full_ratio(decision.ratio)
    if decision.difference is Difference.WORSE:
        yield f"{name} came second: the difference is real, {ratio} times."
        return
    ours, theirs = (physics.bound(one).memory_mb for one in (decision.setting, decision.runner_up))
    cheaper = ours is not None and theirs is not None and ours < theirs
    why = f", and would need {words.number(theirs - ours)} MB more" if cheaper and ours and theirs else ""
    if decision.difference is Difference.SAME:
        yield f"{name} did the same within {final.SAME:.0%} ({ratio} times){why}."
    else:
        yield f"{name} came next: no difference is shown ({ratio} times){why}."


def _references(question: Question, decision: Decision, history: Sequence[Attempt]) -> Iterator[str]:
    walks = final.walks_of(history)
    for called, setting in question.references.items():
        if setting == decision.setting:
            yield f"That is {called}."
        elif ratio := final.ratio_of(decision.setting, setting, walks):
            yield f"{words.full_ratio(ratio)} times the capacity of {called} ({in_words(setting)})."


def _limit(question: Question, setting: Setting, physics: Physics) -> Iterator[str]:
    bound = physics.bound(setting)
    if bound.limited_by not in LIMITS:
        return
    yield (
        f"By the calibration it is limited by {LIMITS[bound.limited_by]}, which {_allow(bound.limited_by)} "
        f"{words.limit(bound.rps)} at most."
    )
    for what, more in _one_more(setting):
        after = physics.bound(more)
        gain = f"up to {words.limit(after.rps)}" if after.rps > bound.rps * NOTABLE else "nothing"
        cost = ""
        if after.memory_mb is not None and bound.memory_mb is not None:
            cost = f", for {words.number(after.memory_mb - bound.memory_mb)} MB"
        room = "" if physics.fits(more, question.memory_mb) else ", for which there is no room"
        yield f"Prediction: one more {what} brings {gain}{cost}{room}."


def _allow(limit: str) -> str:
    return "allow" if limit == "slots" else "allows"


def _one_more(setting: Setting) -> Iterator[tuple[str, Setting]]:
    yield "worker", replace(setting, workers=setting.workers + 1)
    if setting.kind not in ("sync", "gevent"):
        slot = "thread" if setting.workers == 1 else "thread for each worker"
        yield slot, replace(setting, threads=setting.threads + 1)


def _what_if(question: Question, setting: Setting, physics: Physics) -> Iterator[str]:
    """What more CPUs, or slower answers of what the app waits for, would change."""
    now = _best(question, physics)
    if now is None:
        return
    here = physics.bound(setting).rps
    twice = replace(physics, cpus=2 * question.cpus)
    if twice.bound(setting).rps > here * NOTABLE:
        yield f"Prediction: twice the CPUs would let it do up to {words.limit(twice.bound(setting).rps)}."
    elif (best := _best(question, twice)) and twice.bound(best).rps > here * NOTABLE:
        yield f"Prediction: twice the CPUs would only help with more slots, such as {in_words(best)}."
    slower = replace(physics, costs={key: _waiting_longer(cost) for key, cost in physics.costs.items()})
    if slower.bound(setting).rps < here / NOTABLE and (best := _best(question, slower)):
        left = words.limit(slower.bound(setting).rps)
        other = f"; {in_words(best)} would do up to {words.limit(slower.bound(best).rps)}" if best != setting else ""
        yield f"Prediction: if what the app waits for took twice as long, it would do up to {left}{other}."


def _waiting_longer(cost: Cost) -> Cost:
    waits_ms = max(0.0, cost.service_ms - cost.cpu_ms)
    return replace(cost, service_ms=cost.service_ms + (SLOWER - 1) * waits_ms)


def _best(question: Question, physics: Physics) -> Setting | None:
    """The setting that physics allows most, the cheapest of those that it allows the same."""
    known = [
        setting
        for setting in question.settings
        if physics.bound(setting).limited_by in LIMITS and physics.fits(setting, question.memory_mb)
    ]
    key = {setting: (-round(physics.bound(setting).rps), physics.bound(setting).memory_mb or 0.0) for setting in known}
    return min(known, key=lambda setting: (key[setting], setting), default=None)


def _deaths(history: Sequence[Attempt]) -> Iterator[str]:
    for attempt in search.deaths(history):
        rate = words.rps(attempt.trial.rate_rps)
        yield f"Avoid {in_words(attempt.trial.setting)}: at {rate} it {attempt.died or 'died'}."


def _nothing_found(question: Question, found: Found, history: Sequence[Attempt], slo: str) -> str:
    tries = words.counted(len(history), "window")
    if not found.finished:
        return f"No setting was shown to keep {slo} in the time there was ({tries}): a larger --budget may tell."
    if question.rate_rps is not None:
        rate = words.rps(round(question.required_rps or 0.0, 1))
        return f"No setting kept {slo} at {rate} ({tries})."
    rates = [attempt.trial.rate_rps for attempt in history if attempt.trial.stage is not Stage.CALIBRATION]
    lowest = f", the lowest {words.rps(min(rates))}" if rates else ""
    return f"No setting kept {slo} at any rate tried{lowest} ({tries})."
