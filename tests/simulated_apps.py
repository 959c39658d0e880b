"""Apps that exist as laws only: what each setting of a server could do with them, and windows that show it with noise.

So a search can be tried hundreds of times in a second or two, and what it finds be held against all that there is.
A law has what makes settings differ: a service time of CPU and waiting, an interpreter lock that costs more with more
threads, a lock that all share, a pool of connections, slow requests among fast ones, memory, workers that die.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wsgilab.analysis.tuning import search, space
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Trial

BOUND_S = 0.25
"""The objective of all of them: p99 < 250 ms."""
NOISE = 0.02
"""What a server can do varies by so much from window to window, as real ones do."""
SEARCH_S = 100.0
"""What `./lab capacity` takes for one setting: an exhaustive grid takes as many times that."""
WINDOW_S, LATE_S, WARM_UP_S = 4.2, 1.5, 1.0
"""What a window takes besides its measured part: start, warm-up, k6; and where answers are late. The warm-up."""
GENERATOR_RPS = 3000.0
"""What the load generator can offer: what could do more cannot be told apart."""
OFFERED_RPS = 2500.0
"""What a tuning believes of that."""
SHORT_OF_CPU = "k6 was short of CPU"


@dataclass(frozen=True)
class App:
    """The laws of one app."""

    name: str
    cpu_ms: float
    wait_ms: float
    switch: float = 0.03
    """More CPU per request with each doubling of the threads of a process: the interpreter lock changes hands."""
    crowd: float = 0.02
    """And with each doubling of slots beyond four for each CPU."""
    greenlets: str = "cooperate"
    """Or they `block`, or the worker `dies`."""
    greenlet_cpu: float = 1.05
    """CPU per request under gevent, as a multiple."""
    lock_ms: float = 0.0
    """How long a request holds what all requests need."""
    process_lock_ms: float = 0.0
    """The same within one process."""
    pool: int | None = None
    """Requests at once that a database takes, of all processes together."""
    slow_share: float = 0.0
    slow_ms: float = 0.0
    base_mb: float = 25.0
    worker_mb: float = 30.0
    thread_mb: float = 0.6
    growth_mb: float = 0.0
    """What a worker grows by in each thousand requests per second that it answers: it only shows under load."""
    dies: Callable[[Setting], bool] = lambda _setting: False

    def cost_ms(self, setting: Setting, cpus: int) -> float:
        """CPU per request."""
        if setting.kind == "gevent":
            return self.cpu_ms * self.greenlet_cpu
        crowd = max(0.0, math.log2(setting.slots / (4 * cpus)))
        return self.cpu_ms * (1 + self.switch * math.log2(setting.threads)) * (1 + self.crowd * crowd)

    def service_ms(self, setting: Setting, cpus: int) -> float:
        """The mean time of a request that meets no other."""
        return self.wait_ms + self.cost_ms(setting, cpus) + self.slow_share * self.slow_ms

    def slots(self, setting: Setting) -> int:
        """What it really does at once."""
        blocked = setting.kind == "gevent" and self.greenlets == "block"
        return setting.workers if blocked else setting.slots

    def throughput_rps(self, setting: Setting, cpus: int) -> float:
        """What it answers at most, however late."""
        slots = self.slots(setting)
        limits = [
            slots * 1000 / self.service_ms(setting, cpus),
            min(cpus, setting.workers) * 1000 / self.cost_ms(setting, cpus),
            1000 / self.lock_ms if self.lock_ms else math.inf,
            setting.workers * 1000 / self.process_lock_ms if self.process_lock_ms else math.inf,
            self._pool_rps(slots),
        ]
        return float(sum(limit**-12 for limit in limits) ** (-1 / 12))  # near two limits it is a little below both

    def capacity_rps(self, setting: Setting, cpus: int, memory_mb: float | None) -> float:
        """The highest rate that keeps the objective, as far as the load generator can tell; 0 where none does."""
        if self.has_died(setting) or self.service_ms(setting, cpus) > BOUND_S * 1000 or self.slow_share > 0.01:
            return 0.0
        # Slow requests block the few slots.
        unlucky = 1 - 0.5 * min(1.0, self.slow_share * 100) / math.sqrt(self.slots(setting))
        rps = min(GENERATOR_RPS, self.throughput_rps(setting, cpus) * unlucky)
        return 0.0 if memory_mb is not None and self.memory_mb(setting, rps) > memory_mb else rps

    def _pool_rps(self, slots: int) -> float:
        """More requests at once than the database takes wait for each other, and some give up."""
        if self.pool is None:
            return math.inf
        return self.pool * 1000 / self.wait_ms / (1 + 0.05 * max(0.0, math.log2(slots / self.pool)))

    def has_died(self, setting: Setting) -> bool:
        """Whether the setting does not work at all."""
        return (setting.kind == "gevent" and self.greenlets == "dies") or self.dies(setting)

    def memory_mb(self, setting: Setting, rps: float) -> float:
        """What the server uses under a load."""
        threads = 0 if setting.kind == "gevent" else setting.slots
        grown = self.growth_mb * rps / 1000
        return self.base_mb + setting.workers * self.worker_mb + threads * self.thread_mb + grown


@dataclass(frozen=True)
class Tuned:
    """What a search came to, against everything that there is."""

    share: float
    """The capacity of what it recommends ÷ the best of all settings."""
    time_share: float
    """What it took ÷ what the capacity of every setting would have taken."""
    setting: Setting | None
    history: tuple[Attempt, ...]


def window(app: App, trial: Trial, question: Question, luck: random.Random) -> Attempt:
    """One window: what k6, the middleware and the exporter would have told."""
    setting, rate, cpus = trial.setting, trial.rate_rps, question.cpus
    took_s = trial.duration_s + WINDOW_S
    if rate > GENERATOR_RPS * luck.lognormvariate(0, NOISE):
        return Attempt(trial, Ending.VOID, took_s=took_s, void=SHORT_OF_CPU)
    mood = luck.lognormvariate(0, NOISE)
    keeps_rps = app.capacity_rps(setting, cpus, None) * mood
    served = min(rate, app.throughput_rps(setting, cpus) * mood) * luck.lognormvariate(0, NOISE / 4)
    memory_mb = app.memory_mb(setting, served)
    if app.has_died(setting) or (question.memory_mb is not None and memory_mb > question.memory_mb):
        return Attempt(
            trial, Ending.DIED, clear=True, took_s=took_s + LATE_S, died="killed by the kernel (out of memory)"
        )
    service_s = app.service_ms(setting, cpus) / 1000
    under_load_s = WARM_UP_S + trial.duration_s
    queue_s = under_load_s * max(0.0, rate / keeps_rps - 1) if keeps_rps else math.inf  # grows until the window ends
    share = (service_s + queue_s) / BOUND_S
    late = share >= 1
    return Attempt(
        trial=trial,
        ending=Ending.MISSED if late else Ending.KEPT,
        clear=share >= 2 or share <= 0.5,
        goodput_rps=served,
        service_ms=service_s * 1000 * luck.lognormvariate(0, NOISE),
        cpu_ms=app.cost_ms(setting, cpus) * luck.lognormvariate(0, NOISE),
        memory_mb=memory_mb,
        at_once=app.slots(setting) if late else math.ceil(served * service_s),
        took_s=took_s + (LATE_S if late else 0.0),
    )


def question_for(family: str, cpus: int = 1, memory_mb: float | None = 512.0, seed: int = 0) -> Question:
    """The question that `./lab tune --server FAMILY` asks."""
    default = Setting("uwsgi", "", 4, 2) if family == "uwsgi" else Setting(family, "sync", 4)
    references = {"today's default": default, "2n + 1": space.rule_of_thumb(family, cpus)}
    settings = space.settings_of(family, cpus)
    return Question(settings, references, cpus, memory_mb, seed=seed, most_rps=OFFERED_RPS)


def tune(app: App, question: Question) -> list[Attempt]:
    """Every window of a tuning."""
    luck, history = random.Random(f"{app.name} {question.seed}"), list[Attempt]()
    while trial := search.next_trial(question, history):
        history.append(window(app, trial, question, luck))
    return history


def tuned(app: App, question: Question) -> Tuned:
    """A tuning, held against the whole grid."""
    history = tune(app, question)
    decision = search.conclude(question, history).decision
    best = max(app.capacity_rps(setting, question.cpus, question.memory_mb) for setting in question.settings)
    reached = app.capacity_rps(decision.setting, question.cpus, question.memory_mb) if decision else 0.0
    time_share = search.spent_s(history) / (SEARCH_S * len(question.settings))
    return Tuned(reached / best if best else 1.0, time_share, decision.setting if decision else None, tuple(history))


NAMED = (
    App("cpu", cpu_ms=10, wait_ms=0),
    App("io", cpu_ms=0.6, wait_ms=50),
    App("mix", cpu_ms=2, wait_ms=20),
    App("lock", cpu_ms=1, wait_ms=15, lock_ms=4),
    App("lock in the process", cpu_ms=1, wait_ms=15, process_lock_ms=8),
    App("pool", cpu_ms=1, wait_ms=30, pool=12),
    App("slow ones", cpu_ms=1.5, wait_ms=12, slow_share=0.008, slow_ms=200),
    App("heavy", cpu_ms=3, wait_ms=40, worker_mb=110),
    App("grows", cpu_ms=1, wait_ms=20, growth_mb=400),
    App("threads hurt", cpu_ms=5, wait_ms=10, switch=0.15, greenlets="block"),
    App("no greenlets", cpu_ms=1.5, wait_ms=60, greenlets="dies"),
    App("two workers only", cpu_ms=2, wait_ms=20, dies=lambda setting: setting.workers > 2),
)
"""Each with something of its own."""
FAST = App("fast", cpu_ms=0.2, wait_ms=0)
"""Does more than the load generator can offer."""


def random_apps(count: int, seed: int = 1) -> Iterable[App]:
    """Apps that nobody tuned the search on."""
    luck = random.Random(seed)
    for number in range(count):
        cpu_ms = math.exp(luck.uniform(math.log(0.5), math.log(20)))
        wait_ms = luck.choice([0.0, math.exp(luck.uniform(math.log(2), math.log(100)))])
        yield App(
            name=f"random {number}",
            cpu_ms=cpu_ms,
            wait_ms=wait_ms,
            switch=luck.uniform(0, 0.15),
            crowd=luck.uniform(0, 0.06),
            greenlets=luck.choice(["cooperate", "block", "dies"]),
            greenlet_cpu=luck.uniform(0.95, 1.3),
            lock_ms=luck.choice([0.0, 0.0, 0.0, luck.uniform(1, 10)]),
            process_lock_ms=luck.choice([0.0, 0.0, 0.0, luck.uniform(1, 20)]),
            pool=luck.choice([None, None, luck.randint(4, 30)]) if wait_ms else None,
            slow_share=luck.choice([0.0, 0.0, luck.uniform(0, 0.009)]),
            slow_ms=luck.uniform(100, 200),
            worker_mb=luck.uniform(15, 90),
            thread_mb=luck.uniform(0.2, 2),
            growth_mb=luck.choice([0.0, 0.0, luck.uniform(0, 500)]),
        )
