"""How well `./lab tune` searches, on apps that exist as laws only, next to other ways to search.

python benchmarks/tuning.py           (pip install optuna smac first, into an environment of its own, for these too)

The others get what `./lab tune` gets for its own trials: the same windows, the same noise, as much time. They optimise
one figure of a setting, in two ways: its capacity, which takes a search of its own, or what it answers in one short
window under more than anything can do. The latter costs a ninth, and tells nothing of the SLO.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from simulated_apps import LATE_S, NAMED, NOISE, WINDOW_S, App, question_for, random_apps, tuned, window

from wsgilab.analysis.tuning import physics, race, space
from wsgilab.model.tuning import GREEN, GREENLETS, Attempt, Question, Setting, Stage, Trial

RANDOM_APPS = 200
WINDOWS = 9
"""What a search for one capacity takes, with short windows."""
MOST_ASKED = 500
"""Evaluations that are asked for, known ones among them."""


class Capacities:
    """Each evaluation is a search for the capacity of a setting, as `./lab capacity` would make it."""

    def __init__(self, app: App, question: Question) -> None:
        self.app, self.question = app, question
        self.luck = random.Random(f"{app.name} {question.seed}")
        self.seen: dict[Setting, float] = {}
        self.spent_s = 0.0

    def __call__(self, setting: Setting) -> float:
        """What a setting comes to; what was evaluated before costs nothing."""
        if setting not in self.seen:
            self.seen[setting] = self._evaluate(setting)
        return self.seen[setting]

    @property
    def is_over(self) -> bool:
        """Whether there is no time for another one, or nothing left to evaluate."""
        return self.spent_s >= self.question.budget_s or len(self.seen) == len(self.question.settings)

    @property
    def best(self) -> Setting:
        """The best one so far."""
        return max(self.seen, key=lambda setting: self.seen[setting])

    def _evaluate(self, setting: Setting) -> float:
        self.spent_s += WINDOWS * (self.question.short_s + WINDOW_S + LATE_S / 2)
        truth = self.app.capacity_rps(setting, self.question.cpus, self.question.memory_mb)
        return truth * self.luck.lognormvariate(0, NOISE)


class Glances(Capacities):
    """Each is one window under more than anything can do, as in the first round of `./lab tune`: what was answered."""

    def __init__(self, app: App, question: Question) -> None:
        super().__init__(app, question)
        done: list[Attempt] = []
        while trial := physics.next_calibration(question, done):
            done.append(self._window(trial))
        _, self.rate_rps = race.first_field(question, physics.learn(question, done), done)

    def _evaluate(self, setting: Setting) -> float:
        return self._window(Trial(setting, self.rate_rps, self.question.short_s, Stage.RACE)).goodput_rps

    def _window(self, trial: Trial) -> Attempt:
        attempt = window(self.app, trial, self.question, self.luck)
        self.spent_s += attempt.took_s
        return attempt


Search = Callable[[Capacities], Setting]


def at_random(evaluate: Capacities) -> Setting:
    """As many settings as there is time for, drawn by lot."""
    for setting in evaluate.luck.sample(evaluate.question.settings, len(evaluate.question.settings)):
        if not evaluate.is_over:
            evaluate(setting)
    return evaluate.best


def optuna(evaluate: Capacities) -> Setting:
    """Optuna's tree-structured Parzen estimator over worker class, workers and threads."""
    import optuna as library

    library.logging.set_verbosity(library.logging.ERROR)
    kinds = sorted({setting.kind for setting in evaluate.question.settings})

    def objective(trial: library.Trial) -> float:
        kind = trial.suggest_categorical("kind", kinds)
        workers = trial.suggest_int("workers", 1, space.MOST_WORKERS)
        threads = trial.suggest_int("threads", 2, space.MOST_THREADS) if kind == space.THREADED else 1
        return evaluate(_setting(kind, workers, threads))

    study = library.create_study(direction="maximize", sampler=library.samplers.TPESampler(seed=evaluate.question.seed))
    for _ in range(MOST_ASKED):  # it may ask for the same one again and again
        if evaluate.is_over:
            break
        study.optimize(objective, n_trials=1)
    return evaluate.best


def smac(evaluate: Capacities) -> Setting:
    """SMAC's random forests over the same."""
    from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Integer
    from smac import HyperparameterOptimizationFacade, Scenario
    from smac.main.exceptions import ConfigurationSpaceExhaustedException
    from smac.runhistory.dataclasses import TrialValue

    kinds = sorted({setting.kind for setting in evaluate.question.settings})
    room = ConfigurationSpace(seed=evaluate.question.seed)
    kind, threads = Categorical("kind", kinds), Integer("threads", (2, space.MOST_THREADS))
    room.add(kind, Integer("workers", (1, space.MOST_WORKERS)), threads)
    room.add(EqualsCondition(threads, kind, space.THREADED))

    def cost(config: dict[str, object], seed: int = 0) -> float:  # noqa: ARG001 - SMAC's names
        said = dict(config)
        return -evaluate(_setting(str(said["kind"]), int(str(said["workers"])), int(str(said.get("threads", 1)))))

    scenario = Scenario(room, deterministic=True, n_trials=MOST_ASKED, seed=evaluate.question.seed)
    optimizer = HyperparameterOptimizationFacade(scenario, cost, overwrite=True, logging_level=40)
    with suppress(ConfigurationSpaceExhaustedException):
        while not evaluate.is_over:
            asked = optimizer.ask()
            optimizer.tell(asked, TrialValue(cost=cost(dict(asked.config))))
    return evaluate.best


def _setting(kind: str, workers: int, threads: int) -> Setting:
    return Setting("gunicorn", kind, workers, GREENLETS if kind == GREEN else threads)


def show(name: str, shares: list[float], more: str = "") -> None:
    """One line: how near to the best a number of searches came."""
    near = sum(share >= 0.95 for share in shares)
    print(
        f"{name:14} ≥ 95 % of the best in {near:4} of {len(shares)} ({near / len(shares):.0%}), "
        f"median {statistics.median(shares):.1%}, worst tenth {statistics.quantiles(shares, n=10)[0]:.1%}{more}"
    )


def share(app: App, question: Question, setting: Setting) -> float:
    """The capacity of a setting ÷ the best of all."""
    best = max(app.capacity_rps(one, question.cpus, question.memory_mb) for one in question.settings)
    return app.capacity_rps(setting, question.cpus, question.memory_mb) / best if best else 1.0


def main() -> None:
    """Every way to search, on every app."""
    apps = [*NAMED, *random_apps(RANDOM_APPS)]
    asked = [(app, question_for("gunicorn", 1 + number % 2, seed=number)) for number, app in enumerate(apps)]
    own = [tuned(app, question) for app, question in asked]
    windows = statistics.mean(len(result.history) for result in own)
    of_grid = statistics.mean(result.time_share for result in own)
    show("own", [result.share for result in own], f"; {windows:.0f} windows, {of_grid:.1%} of the grid's time")
    for result, (app, _) in zip(own, asked, strict=True):
        if result.share < 0.95:
            print(f"    {result.share:.1%} with {result.setting.name if result.setting else 'nothing'}: {app}")
    show("2n + 1", [share(app, question, question.references["2n + 1"]) for app, question in asked])
    rivals: Mapping[str, Search] = {"at random": at_random, "Optuna (TPE)": optuna, "SMAC": smac}
    for kind in (Capacities, Glances):
        print(f"\nevaluating {kind.__name__.lower()}: {(kind.__doc__ or '').strip()}")
        for name, way in rivals.items():
            try:
                show(name, [share(app, question, way(kind(app, question))) for app, question in asked])
            except ImportError as error:
                print(f"{name} is not installed: pip install optuna smac ({error})")


if __name__ == "__main__":
    main()
