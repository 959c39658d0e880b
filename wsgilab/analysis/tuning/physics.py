"""What slots, CPUs and memory allow a setting, from a calibration of a few small ones. Pure.

A server can answer no more than slots ÷ service time, and no more than CPUs ÷ CPU per request, of which one process
with the interpreter lock has one. The service time is taken at ease, where it is shortest, so these are bounds from
above; `SLACK` allows for what the calibration may be wrong by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from wsgilab.model.tuning import GREEN, Attempt, Ending, Question, Setting, Stage, Trial

SLACK = 1.15
"""By how much a measured bound may be too low."""
EASE_RPS = 5.0
"""Slow enough for almost every app on one slot, and ten requests or more in a window."""
PUSH = 1.3
"""How far above what it can do a setting is pushed, so that it shows what that is."""
THREADS = 4
"""Threads of the worker that shows what threads cost: four contend for the interpreter lock as many do."""
MOST_VOID = 2
"""Void windows of one setting, after which it is left alone."""
FEW = 2
"""Requests at once in a gevent worker that show that its greenlets do not take turns."""


@dataclass(frozen=True)
class Bound:
    """What a setting can do at most."""

    rps: float
    limited_by: str
    """`slots`, `cpu`."""
    memory_mb: float | None


@dataclass(frozen=True)
class Cost:
    """What a request costs under one kind of worker."""

    service_ms: float
    cpu_ms: float
    cores: float = 1.0
    """CPUs that one process uses at most: one, unless the app leaves the interpreter lock."""
    held: int | None = None
    """Requests that a worker had at once, pushed to its limit, where that was fewer than it is set for: an app that
    blocks keeps a gevent worker at one."""


@dataclass(frozen=True)
class Physics:
    """What a calibration found."""

    costs: Mapping[tuple[str, bool], Cost]
    """By the kind of worker, and whether it has several threads."""
    cpus: int
    base_mb: float | None = None
    worker_mb: float = 0.0
    thread_mb: float = 0.0
    load_mb: float = 0.0
    """What the server grows by with each request per second that it answers."""
    reached: float = 1.0
    """What settings that were pushed did, as a share of what slots and CPU allow them, at best: less than all where
    they wait for something else, a lock, say."""

    def bound(self, setting: Setting) -> Bound:
        """What this setting can do at most; without end where its kind was not measured."""
        cost = self.costs.get(_class(setting))
        if cost is None:
            return Bound(math.inf, "unknown", self.memory_mb(setting))
        threads = setting.threads if cost.held is None else min(setting.threads, cost.held)
        by_slots = setting.workers * threads * 1000 / cost.service_ms
        by_cpu = min(self.cpus, setting.workers * cost.cores) * 1000 / self._cpu_ms(setting, cost)
        rps = min(by_slots, by_cpu)
        return Bound(rps, "slots" if by_slots < by_cpu else "cpu", self.memory_mb(setting, self.reached * rps))

    def _cpu_ms(self, setting: Setting, cost: Cost) -> float:
        """CPU per request: of fewer threads than were measured, in between one and those."""
        alone = next((self.costs[key].cpu_ms for key in self.costs if not key[1]), cost.cpu_ms)
        share = math.log2(setting.threads) / math.log2(THREADS)
        return cost.cpu_ms if share >= 1 or setting.kind == GREEN else alone + (cost.cpu_ms - alone) * share

    def memory_mb(self, setting: Setting, rate_rps: float = 0.0) -> float | None:
        """What it uses under that load; None where that is not known."""
        if self.base_mb is None:
            return None
        threads = setting.slots if setting.kind != GREEN else 0
        idle = self.base_mb + setting.workers * self.worker_mb + threads * self.thread_mb
        return idle + self.load_mb * rate_rps

    def allows(self, setting: Setting, rate_rps: float) -> bool:
        """Whether a setting could keep up with a rate, for all that is known."""
        return self.bound(setting).rps * SLACK >= rate_rps

    def fits(self, setting: Setting, memory_mb: float | None, rate_rps: float = math.inf) -> bool:
        """Whether it has room in so much memory at that rate, or at what it can do at most, for all that is known."""
        most_rps = min(rate_rps, self.reached * self.bound(setting).rps)
        needed = self.memory_mb(setting, 0.0 if math.isinf(most_rps) else most_rps)
        return memory_mb is None or needed is None or needed <= memory_mb

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        kinds = [{"kind": kind, "threaded": many, **asdict(cost)} for (kind, many), cost in self.costs.items()]
        memory = {"base_mb": self.base_mb, "worker_mb": self.worker_mb, "thread_mb": self.thread_mb}
        return {"costs": kinds, **memory, "load_mb": self.load_mb}


def next_calibration(question: Question, done: Sequence[Attempt]) -> Trial | None:
    """The next window of the calibration; None where all that can be learnt was.

    One slot at ease; then that one, two workers, and one with threads or greenlets of each kind, pushed to their limit.
    """
    first = _smallest(question.settings)
    eased, pushed = _parts(done)
    if not eased or (eased[-1].ending is Ending.VOID and len(eased) < MOST_VOID):
        return _calibration(question, first, EASE_RPS, "service time and memory of one slot at ease")
    died = {attempt.trial.setting for attempt in done if attempt.ending is Ending.DIED}
    for setting, why in _pushed(question.settings, first):
        if setting in died:
            continue
        endings = [attempt.ending for attempt in pushed if attempt.trial.setting == setting]
        if not endings or (endings[-1] is Ending.VOID and len(endings) < MOST_VOID):
            return _calibration(question, setting, _pushing(question, setting, eased[-1], pushed), why)
    return None


def _parts(done: Sequence[Attempt]) -> tuple[Sequence[Attempt], Sequence[Attempt]]:
    """(the windows at ease: void ones, until one counts; those after them)."""
    first = done[:MOST_VOID]
    count = next((number for number, one in enumerate(first, 1) if one.ending is not Ending.VOID), len(first))
    return done[:count], done[count:]


def learn(question: Question, done: Sequence[Attempt]) -> Physics:
    """What these attempts of a calibration say."""
    costs: dict[tuple[str, bool], Cost] = {}
    told = [attempt for attempt in done if attempt.ending in (Ending.KEPT, Ending.MISSED)]
    for attempt in told:
        if attempt.service_ms and attempt.cpu_ms:
            key, cores = _class(attempt.trial.setting), _cores_of_a_process(attempt, question.cpus)
            known = costs.get(key)
            service_ms = min(attempt.service_ms, known.service_ms if known else math.inf)
            most = max(cores, known.cores if known else cores)
            costs[key] = Cost(service_ms, attempt.cpu_ms, most, _held(attempt))
    _share_the_ease(costs, told)
    found = Physics(costs, question.cpus, *_memory(question, told))
    shares = [one.goodput_rps / found.bound(one.trial.setting).rps for one in told if _late(one)]
    return replace(found, reached=min(1.0, max((share for share in shares if share > 0), default=1.0)))


def _share_the_ease(costs: dict[tuple[str, bool], Cost], told: Sequence[Attempt]) -> None:
    """Give every kind the service time of one slot at ease, if that is shorter: pushed, threads wait for each other."""
    eased = [attempt.service_ms for attempt in told if attempt.trial.rate_rps == EASE_RPS and attempt.service_ms]
    for key, cost in list(costs.items()):
        costs[key] = replace(cost, service_ms=min([cost.service_ms, *eased]))


def _cores_of_a_process(attempt: Attempt, cpus: int) -> float:
    if attempt.trial.setting.workers > 1 or not attempt.cpu_ms:
        return 1.0
    return min(float(cpus), max(1.0, attempt.goodput_rps * attempt.cpu_ms / 1000))


def _held(attempt: Attempt) -> int | None:
    setting = attempt.trial.setting
    pushed = setting.kind == GREEN and attempt.ending is Ending.MISSED
    return attempt.at_once if pushed and attempt.at_once and attempt.at_once <= FEW * setting.workers else None


def _memory(question: Question, told: Sequence[Attempt]) -> tuple[float | None, float, float, float]:
    """(MB of a server without workers and load, of a worker, of a thread, of each request per second)."""
    first = _smallest(question.settings)
    seen = [attempt for attempt in told if attempt.memory_mb is not None]
    eased = next((one for one in seen if one.trial.setting == first and one.trial.rate_rps == EASE_RPS), None)
    if eased is None or eased.memory_mb is None:
        return None, 0.0, 0.0, 0.0
    load_mb = worker_mb = thread_mb = 0.0
    for attempt in seen:  # in the order in which they are pushed
        setting, answered = attempt.trial.setting, attempt.goodput_rps - eased.goodput_rps
        more = (attempt.memory_mb or 0.0) - eased.memory_mb
        if attempt is eased or answered <= 0:
            continue
        if setting == first:
            load_mb = max(0.0, more / answered)
        elif setting.workers == 2:
            worker_mb = max(0.0, more - load_mb * answered)
        elif setting.kind != GREEN:
            thread_mb = max(0.0, (more - load_mb * answered) / max(1, setting.threads - 1))
    return max(0.0, eased.memory_mb - worker_mb - load_mb * eased.goodput_rps), worker_mb, thread_mb, load_mb


def _class(setting: Setting) -> tuple[str, bool]:
    return setting.kind, setting.threads > 1


def _smallest(settings: Sequence[Setting]) -> Setting:
    return min(settings, key=lambda setting: (setting.slots, setting.workers, setting))


def _pushed(settings: Sequence[Setting], first: Setting) -> list[tuple[Setting, str]]:
    """Which settings are pushed to their limit, and what each tells."""
    wanted = [(first, "what one slot can do")]
    two = [setting for setting in settings if setting.kind == first.kind and setting.workers == 2]
    if two:
        wanted.append((_smallest(two), "memory of one more worker"))
    for kind in sorted({setting.kind for setting in settings if setting.threads > 1}):
        ones = [
            setting for setting in settings if setting.kind == kind and setting.workers == 1 and setting.threads > 1
        ]
        if ones:
            of_kind = min(ones, key=lambda setting: abs(setting.threads - THREADS))
            wanted.append((of_kind, f"CPU per request with several {_slots_of(kind)} in one process"))
    return wanted


def _slots_of(kind: str) -> str:
    return "greenlets" if kind == GREEN else "threads"


def _pushing(question: Question, setting: Setting, alone: Attempt, pushed: Sequence[Attempt]) -> float:
    """A rate above what a setting can do, by what one slot took at ease, and by what it did when it was pushed."""
    service_ms = alone.service_ms or 1000 / EASE_RPS
    cpu_ms = alone.cpu_ms or service_ms
    answered = [one.goodput_rps for one in pushed if one.trial.setting == alone.trial.setting and _late(one)]
    of_a_slot = min([1000 / service_ms, *answered])
    can_rps = min(setting.slots * of_a_slot, setting.workers * 1000 / cpu_ms)
    return max(EASE_RPS, float(f"{question.offered(PUSH * can_rps):.3g}"))


def _late(attempt: Attempt) -> bool:
    return attempt.ending is Ending.MISSED and attempt.goodput_rps > 0


def _calibration(question: Question, setting: Setting, rate_rps: float, why: str) -> Trial:
    return Trial(setting, rate_rps, question.short_s, Stage.CALIBRATION, why=why)
