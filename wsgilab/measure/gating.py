"""How many rounds a gate has: as many as were asked for, or more and more while it is too noisy to say.

How wide an interval will be is only known when it was measured. So a gate begins with a few rounds, and where they do
not settle it, goes on to about as many as would, by the intervals so far (Stein, Annals of Mathematical Statistics
1945: the first sample decides how large the second must be). It looks seldom: each look at the same figures is another
chance for a false alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from wsgilab.analysis.gate import Question, named
from wsgilab.analysis.pipeline import RunFacts, analyse
from wsgilab.lab import variants
from wsgilab.measure.windows import Settings, plan_rounds
from wsgilab.model import words
from wsgilab.model.controls import visible
from wsgilab.model.gate import Gate
from wsgilab.model.outcomes import Outcome
from wsgilab.model.request import Request
from wsgilab.model.window import Window, WindowPlan
from wsgilab.results import baselines

Extended = Callable[[int, str], None]
"""Hears how many rounds there are now, and why."""


@dataclass(frozen=True)
class Gating:
    """A gate that may go on."""

    settings: Settings
    """With the rounds that it has at least."""
    question: Question
    run: RunFacts
    budget_s: float

    def plans(self, measured: Sequence[Window], extended: Extended) -> Iterator[WindowPlan]:
        """The windows to measure. `measured` is the list that each joins before the next one is asked for."""
        rounds = self.settings.rounds
        for plans in plan_rounds(self.settings):
            if plans[0].round > rounds:
                so_far = self.question.answer(analyse(measured, replace(self.run, rounds=rounds)))
                more = more_rounds(so_far, rounds, spent_s(measured), self.budget_s)
                if not more:
                    return
                extended(rounds + more, _why(so_far, rounds, rounds + more))
                rounds += more
            yield from plans


def _why(so_far: Gate, rounds: int, now: int) -> str:
    open_yet = named(so_far.of(Outcome.NOISY))
    return f"Too noisy to say after {words.counted(rounds, 'round')} ({open_yet}): going on to {now}."


def question_of(request: Request, servers: Sequence[str], baseline: str = "") -> Question:
    """What a request's gate asks of these servers; `baseline`: what reports call that."""
    if request.before:
        own = [name for name in servers if name not in map(variants.before, servers)]
        pairs = {name: variants.before(name) for name in own}
        return Question(tuple(pairs), request.tolerance, visible(request.before.name), pairs)
    earlier = baselines.from_text(request.baseline) if request.baseline else None
    return Question(tuple(servers), request.tolerance, baseline, earlier=earlier)


def more_rounds(so_far: Gate, rounds: int, spent_s: float, budget_s: float) -> int:
    """How many to add: about as many as are wanted, as far as there is time; none where no number would tell."""
    if so_far.outcome is not Outcome.NOISY or not so_far.rounds_wanted:
        return 0
    there_is_time_for = int((budget_s - spent_s) / (spent_s / rounds)) if spent_s else 0
    return max(0, min(there_is_time_for, so_far.rounds_wanted - rounds))


def spent_s(measured: Sequence[Window]) -> float:
    """Seconds that windows took, with the fresh starts before them."""
    return sum(window.start_s + window.took_s for window in measured)
