"""Why a server did what it did: each cause a law with its numbers, each law a pure function of the evidence.

The evidence is asked in an order: what was answered, what died, what the app alone takes, CPU, slots, connections and
queues. What comes earlier explains what comes later: a redirect makes no queue, a dead worker has no slots, and the
time inside an app contains the time that its threads waited for a CPU.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from wsgilab.analysis.causes import answers, app_time, connections, cpu, deadlock, deaths, memory, slots
from wsgilab.analysis.causes.evidence import Context, Evidence
from wsgilab.analysis.counts import calls_each
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.outcomes import Rating
from wsgilab.model.server import ServerFacts
from wsgilab.model.slo import Slo
from wsgilab.model.window import Window

LAWS = (
    deadlock.waits_for_itself,
    answers.refused_before_the_app,
    answers.cut_off_on_the_way,
    answers.answered_by_the_app,
    answers.not_as_expected,
    answers.app_calls_itself,
    deaths.killed_for_memory,
    deaths.workers_ended,
    deaths.workers_replaced,
    app_time.slow_inside,
    app_time.slow_by_name,
    cpu.throttled,
    cpu.used_up,
    cpu.used_with_others,
    slots.do_not_overlap,
    slots.too_few,
    connections.all_taken,
    connections.queue_was_full,
    memory.grows,
)
"""In the order in which they are asked."""


def context(windows: Sequence[Window], objective: Slo, cores: int, servers: Sequence[ServerFacts] = ()) -> Context:
    """What the valid windows of all servers say together. `cores`: CPUs that the servers share."""
    apps = {facts.name: facts.app for facts in servers}
    statuses: dict[tuple[float, str], Counter[str]] = defaultdict(Counter)
    for window in windows:
        statuses[window.plan.rate_rps, window.plan.server].update(window.load.surprises if window.load else {})
    calling = {apps.get(window.plan.server, "") for window in windows if calls_each(window) > 1}
    return Context(objective, cores, statuses, calling)


def find(evidence: Evidence, rating: Rating) -> tuple[Cause, ...]:
    """Everything that the evidence shows, in order; of a bad result that nothing explains, that it is so."""
    found = tuple(cause for law in LAWS if (cause := law(evidence)) is not None)
    if rating is not Rating.BAD or any(cause.explains for cause in found):
        return found
    return (_unexplained(evidence), *found)


def _unexplained(evidence: Evidence) -> Cause:
    """What was looked at, with the numbers that speak against it."""
    taken = slots.taken(evidence)
    seen = ", ".join([cpu.used(evidence), *([taken] if taken else [])])
    return Cause(Kind.UNEXPLAINED, f"not explained: {seen}", explains=False)
