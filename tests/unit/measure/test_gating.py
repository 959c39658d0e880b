"""How many rounds a gate has, and how often it is wrong then."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from factories import RUN, window
from support import ROOT

from wsgilab.analysis import gate, stats
from wsgilab.analysis.gate import Question
from wsgilab.measure.gating import Gating, more_rounds, question_of, spent_s
from wsgilab.measure.windows import Settings, plan_windows
from wsgilab.model.gate import Check, Gate
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Difference, Outcome, Rating
from wsgilab.model.request import DEFAULT_BUDGET_S, ROUNDS_OF_TURNS, Request, Revision
from wsgilab.model.verdict import Comparison, LoadRow, ServerRow, Turns, Verdict
from wsgilab.model.window import Window
from wsgilab.results import baselines

CPU = "cpu_ms_per_request"
FIRST, BUDGET_S = ROUNDS_OF_TURNS, DEFAULT_BUDGET_S["gate"]
SETTINGS = Settings(("gunicorn",), "mix", (100.0,), rounds=3, duration_s=2.5, seed=7)


# ── when it goes on ─────────────────────────────────────────────────────────────────────────────────────────────────


def noisy(rounds_wanted: int | None = 9, outcome: Outcome = Outcome.NOISY) -> Gate:
    check = Check("gunicorn", 100.0, CPU, outcome, "CPU per request")
    return Gate("p99<250ms", (check,), rounds_wanted=rounds_wanted)


@pytest.mark.parametrize(
    ("so_far", "spent", "more"),
    [
        (noisy(9), 60.0, 3),
        (noisy(90), 60.0, 21),
        (noisy(9), 260.0, 0),
        (noisy(9), 300.0, 0),
        (noisy(None), 60.0, 0),
        (noisy(9, Outcome.PASSED), 60.0, 0),
        (noisy(9, Outcome.WORSE), 60.0, 0),
        (noisy(9, Outcome.MISSED), 60.0, 0),
    ],
)
def test_rounds_are_added_while_it_is_too_noisy_to_say_and_there_is_time(so_far: Gate, spent: float, more: int) -> None:
    assert more_rounds(so_far, 6, spent, 270.0) == more


@dataclass
class Measuring:
    """Carries out what a gate plans, with a p99 as the SLO has it or not."""

    ratings: Sequence[Rating]
    """After the first rounds, after more of them, and so on."""
    took_s: float = 5.0

    def __post_init__(self) -> None:
        self.measured: list[Window] = []
        self.said: list[tuple[int, str]] = []
        self._answers = iter(self.ratings)

    def windows(self, monkeypatch: pytest.MonkeyPatch, budget_s: float = 270.0) -> list[Window]:
        def answer(_question: Question, verdict: Verdict) -> Gate:
            rating = next(self._answers)
            load = LoadRow(100.0, verdict.rounds, 0, rating, "", {}, starts=1)
            row = ServerRow("gunicorn", "", "4", 4, None, None, rating, "", (load,))
            return gate.judge(replace(verdict, servers=(row,)), ["gunicorn"])

        monkeypatch.setattr(Question, "answer", answer)
        gating = Gating(SETTINGS, Question(("gunicorn",)), replace(RUN, command="gate"), budget_s)
        for plan in gating.plans(self.measured, lambda rounds, why: self.said.append((rounds, why))):
            self.measured.append(replace(window("gunicorn"), plan=plan, took_s=self.took_s, start_s=1.0))
        return self.measured


def test_a_gate_that_is_settled_has_the_rounds_it_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    measuring = Measuring([Rating.GOOD])
    assert [one.plan for one in measuring.windows(monkeypatch)] == plan_windows(SETTINGS)
    assert measuring.said == []


def test_one_that_is_not_goes_on_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    measuring = Measuring([Rating.INCONCLUSIVE, Rating.GOOD])
    plans = [one.plan for one in measuring.windows(monkeypatch)]
    assert plans == plan_windows(replace(SETTINGS, rounds=7)), "as if they had been planned at once"
    assert measuring.said == [(7, "Too noisy to say after 3 rounds (SLO of gunicorn at 100 rps): going on to 7.")]


def test_it_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    measuring = Measuring([Rating.INCONCLUSIVE] * 9, took_s=9.0)
    measured = measuring.windows(monkeypatch, budget_s=125.0)
    assert len(measured) == 12
    assert spent_s(measured) == 120.0
    assert [rounds for rounds, _ in measuring.said] == [7, 12]


def test_what_is_asked_follows_the_request() -> None:
    assert question_of(Request(servers=("gunicorn",)), ["gunicorn"]) == Question(("gunicorn",))
    was = Request(before=Revision("main (1f2e3d4)", "/was"), tolerance=0.1)
    asked = Question(("gunicorn",), 0.1, "main (1f2e3d4)", {"gunicorn": "gunicorn-before"})
    assert question_of(was, ["gunicorn"]) == asked
    assert question_of(was, ["gunicorn", "gunicorn-before"]) == asked, "as the runner in its container sees it"


def test_a_baseline_travels_with_the_request() -> None:
    earlier = baselines.read(ROOT / "tests/golden/run")
    text = baselines.as_text(earlier, ["gunicorn"], [100.0])
    asked = question_of(Request.from_json(Request(baseline=text).to_json()), ["gunicorn"], "baseline.json")
    assert asked.earlier
    ((row,), rows) = asked.earlier.servers, {row.server: row for row in earlier.servers}
    (load,) = row.loads
    expected = rows["gunicorn"].at(100.0)
    assert expected
    assert load == replace(expected, rating=load.rating)
    assert asked.earlier.conditions == earlier.conditions
    assert len(json.dumps(text)) < 10_000


# ── how often it is wrong ───────────────────────────────────────────────────────────────────────────────────────────
#
# Two revisions in one run, paired by round, with rounds added as a gate adds them. The window's luck is skewed even on
# the logarithmic scale (a gamma of shape 4), in a window of fifty there is a hiccup, both share a drift over the run,
# and each start of a server, one a round, has its luck. CALM is assumed for an idle machine, from window to window
# (standard deviation, on the logarithmic scale), DISTURBED what saved runs show where others use the same two cores; in
# windows of their own, and in those in which the two take turns.

GATES = 2000


@dataclass(frozen=True)
class Noise:
    alone: Mapping[str, float]
    turns: Mapping[str, float]


CALM = Noise({"p50_ms": 0.01, "p99_ms": 0.08, CPU: 0.02}, {"p50_ms": 0.01, CPU: 0.01})
DISTURBED = Noise({"p50_ms": 0.10, "p99_ms": 0.30, CPU: 0.08}, {"p50_ms": 0.04, CPU: 0.015})
OF_A_START = {"p50_ms": 0.004, "p99_ms": 0.01, CPU: 0.007, "memory_mb": 0.002}
USUAL = {"p50_ms": 24.0, "p99_ms": 30.0, CPU: 3.0, "memory_mb": 112.0}
NO_FAILURE = Interval(0.0, 0.0, 0.0008)
DRIFT, HICCUPS = 0.10, 0.02
ROUND_S = 19.0
"""What a round of two servers takes."""
MOST = int(BUDGET_S / ROUND_S)


def luck(rng: random.Random, spread: float) -> float:
    hiccup = rng.expovariate(1 / (2 * spread)) if rng.random() < HICCUPS else 0.0
    return (rng.gammavariate(4, 1) - 4) / 2 * spread + hiccup


def windows(rng: random.Random, metric: str, spread: float, slope: float, more: float) -> list[Interval]:
    """One for each round that there may be."""
    return [
        Interval(
            USUAL[metric]
            * more
            * math.exp(luck(rng, spread) + rng.gauss(0, OF_A_START[metric]) + slope * (number + rng.random()) / MOST)
        )
        for number in range(MOST)
    ]


Pairs = Mapping[str, tuple[list[Interval], list[Interval]]]
"""By metric, round after round: as it is, as it was."""


def simulated(rng: random.Random, noise: Noise, more_cpu: float) -> tuple[Gate, int]:
    """(how a gate ends, after how many rounds)."""
    slopes = {metric: rng.gauss(0, DRIFT) for metric in noise.alone}

    def measured(spreads: Mapping[str, float]) -> Pairs:
        more = {CPU: more_cpu}
        return {
            metric: (
                windows(rng, metric, spread, slopes[metric], more.get(metric, 1.0)),
                windows(rng, metric, spread, slopes[metric], 1.0),
            )
            for metric, spread in spreads.items()
        }

    alone, turns = measured(noise.alone), measured(noise.turns)
    memory = [[Interval(112 * math.exp(rng.gauss(0, OF_A_START["memory_mb"]))) for _ in range(MOST)] for _ in "ab"]
    rounds = FIRST
    while True:
        found = judged(first(alone, rounds), first(turns, rounds), memory, rounds)
        more = more_rounds(found, rounds, rounds * ROUND_S, BUDGET_S)
        if not more:
            return found, rounds
        rounds += more


def first(pairs: Pairs, rounds: int) -> Pairs:
    return {metric: (now[:rounds], was[:rounds]) for metric, (now, was) in pairs.items()}


def judged(alone: Pairs, turns: Pairs, memory: list[list[Interval]], rounds: int) -> Gate:
    ratios = {metric: stats.paired_ratio(list(zip(now, was, strict=True))) for metric, (now, was) in alone.items()}
    ratios["memory_mb"] = stats.unpaired_ratio(*(of_starts[:rounds] for of_starts in memory))
    found = Verdict(
        *("gate", "local", "mix", rounds, "p99<250ms"),
        servers=(
            row("gunicorn", {metric: stats.typical(now) for metric, (now, _) in alone.items()}),
            row("gunicorn-before", {metric: stats.typical(was) for metric, (_, was) in alone.items()}),
        ),
        comparisons=tuple(
            Comparison("gunicorn", "gunicorn-before", 100.0, metric, ratio, Difference.NOT_SHOWN)
            for metric, ratio in ratios.items()
        ),
        claims=(),
        void_windows=(),
        turns=tuple(taken(metric, *pair) for metric, pair in turns.items()),
    )
    return Question(("gunicorn",), against="main", pairs={"gunicorn": "gunicorn-before"}).answer(found)


def taken(metric: str, now: list[Interval], was: list[Interval]) -> Turns:
    ratio = stats.paired_ratio(list(zip(now, was, strict=True)))
    figures = (stats.typical(now), stats.typical(was), ratio)
    return Turns("gunicorn", "gunicorn-before", 100.0, metric, *figures, len(now))


def row(server: str, figures: Mapping[str, Interval | None]) -> ServerRow:
    whole = {**dict.fromkeys(USUAL), "failed_ratio": NO_FAILURE, **figures}
    load = LoadRow(100.0, FIRST, 0, Rating.GOOD, "p99 30.0 ms, under 250 ms", whole, starts=FIRST)
    return ServerRow(server, "", "4", 4, None, None, Rating.GOOD, "", (load,))


def shares(noise: Noise, more_cpu: float) -> Counter[Outcome]:
    """How many of a hundred gates end so."""
    rng = random.Random(17)
    ended = [simulated(rng, noise, more_cpu) for _ in range(GATES)]
    found = Counter(gate.outcome for gate, _ in ended)
    rounds = sorted(rounds for _, rounds in ended)
    said = ", ".join(f"{count / GATES:.1%} {name}" for name, count in found.items())
    print(f"{more_cpu - 1:.0%} more CPU: {said}; {rounds[GATES // 2]} rounds, {rounds[GATES * 19 // 20]} in one of 20")
    return Counter({outcome: 100 * count / GATES for outcome, count in found.items()})  # type: ignore[misc]


@pytest.mark.parametrize("noise", [CALM, DISTURBED], ids=["calm", "disturbed"])
def test_of_a_hundred_gates_of_identical_code_at_most_two_fail(noise: Noise) -> None:
    """With 1.7 in a hundred, twenty gates have at most one false alarm with a probability of 95 %."""
    assert shares(noise, 1.0)[Outcome.WORSE] <= 1.7


def test_on_a_calm_machine_identical_code_passes() -> None:
    assert shares(CALM, 1.0)[Outcome.PASSED] >= 98


@pytest.mark.parametrize(("noise", "caught"), [(CALM, 99), (DISTURBED, 93)], ids=["calm", "disturbed"])
def test_ten_per_cent_more_cpu_is_caught_in_at_least_nine_of_ten(noise: Noise, caught: float) -> None:
    found = shares(noise, 1.1)
    assert found[Outcome.WORSE] >= caught
    assert found[Outcome.PASSED] <= 1, "what is not caught is too noisy to say"


def test_five_per_cent_more_is_reported_as_it_was_measured() -> None:
    rng = random.Random(3)
    checks = [check for _ in range(200) for check in simulated(rng, CALM, 1.05)[0].checks if check.about == CPU]
    ratios = [check.ratio for check in checks]
    assert sum(ratio.low <= 1.05 <= ratio.high for ratio in ratios if ratio and ratio.low and ratio.high) >= 0.88 * 200
    assert sum(abs(ratio.value - 1.05) < 0.03 for ratio in ratios if ratio) >= 0.95 * 200
