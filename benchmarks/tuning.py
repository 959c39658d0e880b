"""How well `./lab tune` searches, on apps that exist as laws only, next to other ways to search.

python benchmarks/tuning.py           (pip install optuna smac first, into an environment of its own, for these too)

The others get what `./lab tune` gets for its own trials: the same windows, the same noise, as much time. They search
for the setting of the highest capacity, where one evaluation is a search for the capacity of one setting, because that
is the figure they can optimise; nothing tells them that a setting need not be measured to the end.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from simulated_apps import LATE_S, NAMED, NOISE, WINDOW_S, App, question_for, random_apps, tuned

from wsgilab.analysis.tuning import space
from wsgilab.model.tuning import GREEN, GREENLETS, Question, Setting

RANDOM_APPS = 200
WINDOWS = 9
"""What a search for one capacity takes, with short windows."""
EVALUATION_S = WINDOWS * (3.0 + WINDOW_S + LATE_S / 2)
Search = Callable[[App, Question], Setting]


class Evaluations:
    """Capacities as they would be measured, until time is over."""

    def __init__(self, app: App, question: Question) -> None:
        self.app, self.question = app, question
        self.luck = random.Random(f"{app.name} {question.seed}")
        self.seen: dict[Setting, float] = {}

    @property
    def left(self) -> int:
        """How many more there is time for."""
        return int(self.question.budget_s / EVALUATION_S) - len(self.seen)

    def capacity_rps(self, setting: Setting) -> float:
        """One of them."""
        if setting not in self.seen:
            truth = self.app.capacity_rps(setting, self.question.cpus, self.question.memory_mb)
            self.seen[setting] = truth * self.luck.lognormvariate(0, NOISE)
        return self.seen[setting]

    @property
    def best(self) -> Setting:
        """The best one so far."""
        return max(self.seen, key=lambda setting: self.seen[setting])


def at_random(app: App, question: Question) -> Setting:
    """As many settings as there is time for, drawn by lot."""
    evaluations = Evaluations(app, question)
    for setting in evaluations.luck.sample(question.settings, evaluations.left):
        evaluations.capacity_rps(setting)
    return evaluations.best


def by_rule(app: App, question: Question) -> Setting:  # noqa: ARG001 - as the others are called
    """No search at all: what everybody quotes."""
    return question.references["2n + 1"]


def optuna(app: App, question: Question) -> Setting:
    """Optuna's tree-structured Parzen estimator over worker class, workers and threads."""
    import optuna as library

    library.logging.set_verbosity(library.logging.ERROR)
    evaluations = Evaluations(app, question)
    kinds = sorted({setting.kind for setting in question.settings})

    def objective(trial: library.Trial) -> float:
        kind = trial.suggest_categorical("kind", kinds)
        workers = trial.suggest_int("workers", 1, space.MOST_WORKERS)
        threads = trial.suggest_int("threads", 2, space.MOST_THREADS) if kind == space.THREADED else 1
        threads = GREENLETS if kind == GREEN else threads
        return evaluations.capacity_rps(Setting(question.references["2n + 1"].family, kind, workers, threads))

    study = library.create_study(direction="maximize", sampler=library.samplers.TPESampler(seed=question.seed))
    for _ in range(10 * evaluations.left):  # one that was evaluated before costs nothing
        if evaluations.left <= 0:
            break
        study.optimize(objective, n_trials=1)
    return evaluations.best


def smac(app: App, question: Question) -> Setting:
    """SMAC's random forests over the same."""
    from ConfigSpace import Categorical, ConfigurationSpace, Integer
    from smac import HyperparameterOptimizationFacade, Scenario

    evaluations = Evaluations(app, question)
    kinds = sorted({setting.kind for setting in question.settings})
    room = ConfigurationSpace(seed=question.seed)
    room.add(
        Categorical("kind", kinds),
        Integer("workers", (1, space.MOST_WORKERS)),
        Integer("threads", (2, space.MOST_THREADS)),
    )

    def cost(config: dict[str, object], seed: int = 0) -> float:  # noqa: ARG001 - SMAC's names
        kind, workers = str(config["kind"]), int(str(config["workers"]))
        threads = {space.SINGLE: 1, GREEN: GREENLETS}.get(kind, int(str(config["threads"])))
        return -evaluations.capacity_rps(Setting(question.references["2n + 1"].family, kind, workers, threads))

    scenario = Scenario(room, deterministic=True, n_trials=evaluations.left, seed=question.seed)
    HyperparameterOptimizationFacade(scenario, cost, overwrite=True, logging_level=40).optimize()
    return evaluations.best


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
    rivals: tuple[tuple[str, Search], ...] = (
        ("2n + 1", by_rule),
        ("at random", at_random),
        ("Optuna (TPE)", optuna),
        ("SMAC", smac),
    )
    for name, way in rivals:
        try:
            show(name, [share(app, question, way(app, question)) for app, question in asked])
        except ImportError as error:
            print(f"{name} is not installed: pip install optuna smac ({error})")


if __name__ == "__main__":
    main()
