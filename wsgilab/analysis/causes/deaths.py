"""What died or was replaced inside the server in a window, and by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from wsgilab.analysis.causes.evidence import Evidence, added
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind

REPLACED = ("max_requests", "reload", "recycled", "cheaper")
"""Ends that the server plans: another worker takes over."""
ORDERLY = "exit 0"
"""In order, and not for a reason of the server's own: those are told from it."""
COSTLY_CORES = 0.1
"""CPUs that starts alone must take before they explain anything."""
OFTEN_PER_S = 0.5
"""Replacements per second from which on they explain a missed objective where their cost is not known."""


def killed_for_memory(evidence: Evidence) -> Cause | None:
    """The kernel killed processes of the server."""
    kills = int(sum(usage.oom_kills for usage in evidence.usages))
    if not kills:
        return None
    limit = next((inside.memory_limit_mb for inside in evidence.insides if inside.memory_limit_mb), None)
    at = f", limit {limit:.0f} MB" if limit else ""
    return Cause(Kind.DEATH, f"killed by the kernel (out of memory{at}) {times(kills)}", of_app=True)


def workers_ended(evidence: Evidence) -> Cause | None:
    """Workers ended although nobody planned it."""
    ends = Counter({why: n for why, n in _ends(evidence).items() if why not in REPLACED})
    killed = sum(usage.oom_kills for usage in evidence.usages)
    if not ends or (killed and set(ends) <= {"SIGKILL", "unknown"}):
        return None
    sentences = [ended(why, count, evidence.program, _timeout_s(evidence)) for why, count in ends.most_common()]
    if "timeout" in ends and not killed:
        sentences[list(dict(ends.most_common())).index("timeout")] += ": not the kernel, not memory"
    return Cause(Kind.DEATH, "; ".join(sentences), of_app=True)


def workers_replaced(evidence: Evidence) -> Cause | None:
    """The server replaced its own workers, and each start costs CPU time and leaves a slot empty."""
    ends = Counter({why: n for why, n in _ends(evidence).items() if why in REPLACED})
    count = ends.total()
    if not count:
        return None
    span_s, start_s = _span_s(evidence), _start_cpu_s(evidence)
    said = f"workers replaced {times(count)} ({words.listed(list(ends))})"
    if start_s is None:
        return Cause(Kind.DEATH, said, explains=count / span_s >= OFTEN_PER_S)
    costs_cores = start_s * count / span_s >= COSTLY_CORES * evidence.context.cores
    return Cause(Kind.DEATH, f"{said}, each start costs {words.number(start_s)} s of CPU", explains=costs_cores)


def ended(why: str, count: int, program: str = "the server", timeout_s: float | None = None) -> str:
    """`gunicorn killed its own worker 12 times (timeout 30 s)`, `workers died 3 times (exit status 1)`."""
    if why in ("timeout", "harakiri"):
        return f"{program} killed its own worker {times(count)} ({why}{f' {timeout_s:g} s' if timeout_s else ''})"
    if why in REPLACED:
        return f"workers replaced {times(count)} ({why})"
    if why == ORDERLY:
        unplanned = "not by max_requests or a reload: by a signal (TERM, TTOU), or by sys.exit or os._exit in the app"
        return f"workers ended {times(count)} with exit status 0, {unplanned}"
    if why.startswith("exit "):
        return f"workers died {times(count)} (exit status {why.removeprefix('exit ')})"
    if why.startswith("SIG"):
        return f"workers died {times(count)} (killed by {why})"
    return f"workers died {times(count)}, and nothing says why"


def in_words(ends: Mapping[str, int]) -> list[str]:
    """A sentence for each way in which workers ended."""
    return [ended(why, count) for why, count in ends.items() if count]


def times(count: int) -> str:
    """`once`, `twice`, `12 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _ends(evidence: Evidence) -> Counter[str]:
    return added([inside.worker_ends for inside in evidence.insides])


def _start_cpu_s(evidence: Evidence) -> float | None:
    """What the start of a worker costs, on average over those that were seen."""
    known = [(inside.worker_starts, inside.start_cpu_s) for inside in evidence.insides if inside.start_cpu_s]
    starts = sum(count for count, _ in known)
    return sum(count * seconds for count, seconds in known) / starts if starts else None


def _timeout_s(evidence: Evidence) -> float | None:
    return next((inside.worker_timeout_s for inside in evidence.insides if inside.worker_timeout_s), None)


def _span_s(evidence: Evidence) -> float:
    """The length of all windows, warm-ups included."""
    return sum(window.plan.warmup_s + window.plan.duration_s for window in evidence.windows) or 1.0
