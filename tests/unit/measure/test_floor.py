"""The generator's own floor: measured at each rate, never a reason to fail, sometimes a reason to void."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from factories import RUN, load_result, manifest, story
from support import ROOT

from wsgilab.analysis.floor import broken_by
from wsgilab.analysis.pipeline import analyse
from wsgilab.engines import Endpoint
from wsgilab.errors import LabError, MissingError
from wsgilab.machine.waiting import Stop
from wsgilab.measure import floor
from wsgilab.measure.floor import floors_at
from wsgilab.model import slo
from wsgilab.model.floor import Floor
from wsgilab.model.manifest import Manifest
from wsgilab.model.window import LoadResult, WindowPlan
from wsgilab.reports import html, markdown, notes

OBJECTIVE = slo.parse("p99<250ms")


class Generator:
    """Answers each window with the next of these latencies, or with a failure."""

    def __init__(self, *windows: float | LabError) -> None:
        self.windows = list(windows)
        self.plans: list[WindowPlan] = []
        self.asked: list[Endpoint] = []

    def start(self, plan: WindowPlan, at: Endpoint) -> Generator:
        self.plans.append(plan)
        self.asked.append(at)
        return self

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def poll(self) -> bool:
        return True

    def result(self) -> LoadResult:
        found = self.windows.pop(0)
        if isinstance(found, LabError):
            raise found
        return load_result([found] * 100)


class Engine:
    @contextmanager
    def fixed_answer(self) -> Iterator[Endpoint]:
        yield Endpoint("http://nginx", "", None)


class WithoutNginx:
    @contextmanager
    def fixed_answer(self) -> Iterator[Endpoint]:
        raise MissingError("nginx is not at hand.", "not on PATH", "apt-get")
        yield


def measured(generator: Generator, *rates_rps: float, engine: Any = None) -> tuple[tuple[Floor, ...], str]:
    with floors_at(rates_rps, generator, engine or Engine(), OBJECTIVE, Stop()) as floors:  # type: ignore[arg-type]
        return floors.found, floors.unknown


def test_each_rate_has_one_short_window_against_nginx_itself() -> None:
    generator = Generator(0.4, 0.5)
    floors, unknown = measured(generator, 100.0, 250.0)
    assert unknown == ""
    assert [(found.rate_rps, found.figures["p50_ms"], found.figures["p99_ms"]) for found in floors] == [
        (100.0, 0.4, 0.4),
        (250.0, 0.5, 0.5),
    ]
    assert [plan.rate_rps for plan in generator.plans] == [100.0, 250.0]
    assert sum(plan.duration_s for plan in generator.plans) <= 3.0
    config = (ROOT / "services/nginx/nginx.conf").read_text()
    assert f"location = {generator.plans[0].workload} {{" in config
    assert f"add_header X-Lab-Server {generator.plans[0].server};" in config


def test_a_low_rate_has_the_floor_of_a_window_with_a_few_requests() -> None:
    generator = Generator(0.4)
    ((found,), _) = measured(generator, 0.5)
    assert (found.rate_rps, generator.plans[0].rate_rps) == (0.5, 20.0)


def test_one_hiccup_breaks_no_objective() -> None:
    floors, _ = measured(Generator(400.0, 0.4), 100.0)
    assert floors[0].figures["p99_ms"] == 0.4
    floors, _ = measured(Generator(400.0, 300.0, 500.0), 100.0)
    assert floors[0].figures["p99_ms"] == 300.0, "the least of three"


@pytest.mark.parametrize(
    ("engine", "generator", "said"),
    [
        (WithoutNginx(), Generator(), "nginx is not at hand (not on PATH)"),
        (
            None,
            Generator(LabError("k6 gave no result", "memory", "doctor")),
            "k6 gave no result (memory)",
        ),
    ],
)
def test_a_floor_that_cannot_be_measured_fails_nothing(engine: Any, generator: Generator, said: str) -> None:
    assert measured(generator, 100.0, engine=engine) == ((), said)


def test_a_search_learns_the_floor_of_the_rates_that_it_comes_to() -> None:
    generator = Generator(0.4, 400.0, 300.0, 500.0)
    with floors_at((), generator, Engine(), OBJECTIVE, Stop()) as floors:  # type: ignore[arg-type]
        assert floors.found == ()
        assert [floors.hopeless(rate) for rate in (50.0, 60.0, 40.0)] == [None, None, None]
        why = floors.hopeless(100.0)
    assert why is not None
    assert why.startswith("k6, the connection and this machine alone take p99 300 ms")
    assert [found.rate_rps for found in floors.found] == [64.0, 128.0]
    assert [plan.rate_rps for plan in generator.plans] == [64.0, 128.0, 128.0, 128.0], "each once, but for hiccups"


def test_a_search_goes_on_without_nginx_and_without_a_floor() -> None:
    for engine, generator in ((WithoutNginx(), Generator()), (Engine(), Generator(LabError("no", "memory", "doctor")))):
        with floors_at((), generator, engine, OBJECTIVE, Stop()) as floors:  # type: ignore[arg-type]
            assert (floors.hopeless(50.0), floors.hopeless(100.0), floors.found) == (None, None, ())
        assert floors.unknown


def test_a_run_asks_nginx_before_its_first_window_and_no_later() -> None:
    generator = Generator(0.4)
    with floors_at((100.0,), generator, Engine(), OBJECTIVE, Stop()) as floors:  # type: ignore[arg-type]
        assert floors.hopeless(100.0) is None
        assert floors.hopeless(250.0) is None
    assert len(generator.plans) == 1


def test_windows_are_void_where_the_floor_alone_breaks_the_objective() -> None:
    at = Floor(100.0, {"p50_ms": 0.4, "p99_ms": 12.0})
    assert broken_by(at, OBJECTIVE) is None
    assert broken_by(at, slo.parse("failed<1%")) is None
    why = broken_by(at, slo.parse("p50<100ms and p99<12ms"))
    assert why is not None
    assert why.startswith("k6, the connection and this machine alone take p99 12.0 ms against nginx's own answer")
    assert why.endswith("the bound is 12 ms")


def test_every_report_says_how_much_is_not_the_servers() -> None:
    at = (Floor(100.0, {"p50_ms": 0.41, "p99_ms": 3.4}), Floor(250.0, {"p50_ms": 0.5, "p99_ms": 4.8}))
    verdict = analyse(story(), replace(RUN, floor=at))
    said = (
        "Of every response time, k6, the connection and this machine take about this much: "
        "p50 0.41 ms and p99 3.40 ms at 100 rps; p50 0.50 ms and p99 4.80 ms at 250 rps."
    )
    assert notes.floor(verdict) == said
    assert said in markdown.render(verdict, Manifest())
    assert said in html.render(verdict, Manifest())
    assert verdict.to_json()["floor"][1] == {"rate_rps": 250.0, "figures": {"p50_ms": 0.5, "p99_ms": 4.8}}
    unknown = analyse(story(), replace(RUN, floor_unknown="nginx is not at hand (not on PATH)"))
    assert notes.floor(unknown) == (
        "It is not known how much of a response time is k6's own: nginx is not at hand (not on PATH)."
    )


def test_a_manifest_keeps_it() -> None:
    kept = manifest(floor=[{"rate_rps": 100, "figures": {"p50_ms": 0.4}}])
    assert kept.floor == (Floor(100.0, {"p50_ms": 0.4}),)


def test_its_window_takes_no_longer_than_is_said() -> None:
    assert floor.DURATION_S < floor.WINDOW_S < 3
