"""CPU ÷ CPU per request: what the processors have room for, and whether they were used up."""

from __future__ import annotations

from wsgilab.analysis.causes import slots
from wsgilab.analysis.causes.evidence import Evidence, mean
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.interval import Interval

USED_UP = 0.9
"""From this share of its CPUs on, a server is limited by them: what is missing are the moments between requests."""
SET_USED_UP, OWN_SHARE = 0.95, 0.6
"""From this share of all its CPUs in use on, by anything, they are a limit too: the kernel's work on its connections is
not charged to a server. And from this share on, most of it is the server's own."""
HALF = 0.5
WORTH_A_WORD = 0.05
"""CPUs that a server uses without a request: heartbeats and timers are far below."""
THROTTLED = 0.05
"""Share of a window."""


def throttled(evidence: Evidence) -> Cause | None:
    """A quota froze the server."""
    frozen_s = sum(usage.throttled_s for usage in evidence.usages)
    if frozen_s < THROTTLED * sum(window.plan.duration_s for window in evidence.windows) or not frozen_s:
        return None
    return Cause(Kind.CPU, f"limited by a CPU quota: throttled for {frozen_s:.1f} s")


def used_up(evidence: Evidence) -> Cause | None:
    """The server used all the CPU that it can use."""
    if not is_used_up(evidence):
        return None
    usable, cpu_ms, offered = usable_cpus(evidence), evidence.cpu_ms, f"{words.rps(evidence.rate_rps)} offered"
    cpus = words.counted(usable, "CPU")
    if usable < evidence.context.cores:
        cpus += f" of {evidence.context.cores} (a Python process uses one)"
    if not cpu_ms:
        return Cause(Kind.CPU, f"limited by CPU: {used(evidence)}, {offered}{_idle_use(evidence)}")
    law = f"{cpus} ÷ {words.amount(Interval(cpu_ms), 'ms')} CPU per request = {usable * 1000 / cpu_ms:.0f} rps"
    return Cause(Kind.CPU, f"limited by CPU: {law}, {offered}{_idle_use(evidence)}")


def used_with_others(evidence: Evidence) -> Cause | None:
    """The CPUs are used up, though not by the server alone.

    Where the slots would not do on an idle machine either, they are the cause.
    """
    whole, own, cores = _set_busy(evidence), evidence.busy_cores, evidence.context.cores
    if whole is None or own is None or whole < SET_USED_UP * cores or not slots.has_room(evidence):
        return None
    cpus = words.counted(cores, "CPU")
    if own >= OWN_SHARE * cores:
        sentence = f"limited by CPU: {cpus} used up, {own:.2f} by this server, the rest by the kernel or other programs"
    else:
        sentence = f"the servers' CPUs were used by something else: {max(0.0, whole - own):.2f} of {cpus}"
    return Cause(Kind.CPU, sentence)


def _idle_use(evidence: Evidence) -> str:
    """`, with 0.42 CPU in use even without requests`; empty where that is not worth a word, or not known."""
    idle = mean([inside.idle_cores for inside in evidence.insides])
    return f", with {idle:.2f} CPU in use even without requests" if idle and idle >= WORTH_A_WORD else ""


def is_used_up(evidence: Evidence) -> bool:
    """Whether the server used all the CPU that it can use, or all that others left while it was offered more."""
    own, usable, cores = evidence.busy_cores, usable_cpus(evidence), evidence.context.cores
    if own is None:
        return False
    whole, cpu_ms = _set_busy(evidence) or 0.0, evidence.cpu_ms or 0.0
    too_much = evidence.rate_rps * cpu_ms / 1000 >= USED_UP * usable
    return own >= USED_UP * usable or (too_much and own >= HALF * usable and whole >= SET_USED_UP * cores)


def share_busy(evidence: Evidence) -> float:
    """Busy share of the CPUs that the server can use; 0 where it is not known."""
    return (evidence.busy_cores or 0.0) / usable_cpus(evidence)


def usable_cpus(evidence: Evidence) -> int:
    """The CPUs of the servers, or as many as there were worker processes: threads of one Python process share one."""
    workers = max((inside.workers_max or 0 for inside in evidence.insides), default=0)
    return min(evidence.context.cores, workers) if workers else evidence.context.cores


def used(evidence: Evidence) -> str:
    """`0.31 of 1 CPU busy`."""
    busy = evidence.busy_cores
    cpus = words.counted(evidence.context.cores, "CPU")
    return f"its use of {cpus} unknown" if busy is None else f"{busy:.2f} of {cpus} busy"


def _set_busy(evidence: Evidence) -> float | None:
    return mean([inside.cpus_busy for inside in evidence.insides])
