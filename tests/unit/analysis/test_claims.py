"""The lesson's claims against the default run, and the honesty to leave one open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from factories import FIGURES, RUN, story, window

from wsgilab.analysis.claims import judge
from wsgilab.analysis.pipeline import analyse
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Rating
from wsgilab.model.verdict import Claim, Comparison, LoadRow, ServerRow
from wsgilab.model.window import Window


def claims_of(windows: list[Window]) -> dict[str, Claim]:
    verdict = analyse(windows, RUN)
    return {claim.id: claim for claim in verdict.claims}


@pytest.fixture(scope="module")
def default_run() -> dict[str, Claim]:
    return claims_of(story())


@pytest.mark.parametrize(
    ("claim", "result", "evidence"),
    [
        ("built-in-single-threaded", "does not hold", ["served 250 rps of 250", "one thread could", "Flask 1.0"]),
        ("built-in-blocks", "does not hold", ["at 250 rps", "with one thread (dev-single) it does: p99 > 10 s"]),
        ("gunicorn-parallel", "holds", ["4 workers served 175 rps of 250", "3.9 times"]),
        (
            "gunicorn-moderate",
            "does not hold",
            ["of 5 servers at", "neither the lowest nor the highest; memory ", ", the highest"],
        ),
        ("uwsgi-single-slow", "holds", ["p99 > 10 s at 100 rps"]),
        ("uwsgi-several-fast", "holds", ["at 250 rps", "96.0 MB (95.4–96.5) against 41.0 MB"]),
        ("waiting-is-the-bottleneck", "holds", ["gunicorn 98 % (250 rps)"]),
        (
            "wsgi-beats-built-in",
            "does not hold",
            ["under mix at 100 rps dev is good", "at 250 rps dev is good, gunicorn bad (p99: dev lower)"],
        ),
        ("tuning-pays", "holds", ["of 100 rps uwsgi-single served 44 rps and uwsgi 100 rps"]),
    ],
)
def test_default_run_decides(default_run: dict[str, Claim], claim: str, result: str, evidence: list[str]) -> None:
    assert default_run[claim].result == result
    for phrase in evidence:
        assert phrase in default_run[claim].evidence


def test_at_a_low_rate_no_claim_about_parallel_work_is_decided() -> None:
    calm = claims_of(story(rates=(20.0,)))
    for claim in ("built-in-single-threaded", "built-in-blocks", "gunicorn-parallel", "uwsgi-single-slow"):
        assert calm[claim].result == "inconclusive"
        assert "raise --rate" in calm[claim].evidence
    assert calm["wsgi-beats-built-in"].result == "inconclusive"
    assert "try a higher --rate" in calm["waiting-is-the-bottleneck"].evidence


def test_without_windows_every_claim_stays_open_and_says_what_is_missing() -> None:
    for claim in claims_of([]).values():
        assert claim.result == "inconclusive"
        assert claim.evidence


def test_a_server_that_was_not_measured_is_named() -> None:
    assert "gunicorn was not measured" in claims_of([window("dev")])["gunicorn-parallel"].evidence


def test_claims_about_servers_that_are_not_in_the_run_say_which() -> None:
    alone = {claim.id: claim for claim in analyse([window("gunicorn", 100.0)], replace(RUN, servers=())).claims}
    assert alone["built-in-blocks"].needs == ("dev",)
    assert alone["gunicorn-parallel"].needs == ()
    assert alone["gunicorn-moderate"].needs == ("dev", "uwsgi")
    assert alone["uwsgi-several-fast"].needs == ("uwsgi", "uwsgi-single")
    assert alone["wsgi-beats-built-in"].needs == ("dev",)
    assert alone["tuning-pays"].needs == ("gunicorn-gthread",)
    assert alone["waiting-is-the-bottleneck"].needs == ()
    assert alone["built-in-blocks"].to_json()["needs"] == ["dev"]
    assert all("needs" not in claim.to_json() for claim in claims_of(story()).values())


@pytest.mark.parametrize("servers", [("dev", "uwsgi"), ("uwsgi-single", "uwsgi"), ("dev", "gunicorn", "uwsgi")])
def test_a_claim_that_is_decided_needs_nothing(servers: tuple[str, ...]) -> None:
    windows = [measured for measured in story() if measured.plan.server in servers]
    claims = analyse(windows, replace(RUN, servers=())).claims
    assert {claim.needs for claim in claims if claim.result != "inconclusive"} == {()}
    assert len([claim for claim in claims if not claim.needs]) > 2


def test_of_somebodys_own_traffic_only_what_is_decided_is_told() -> None:
    own = replace(RUN, own_traffic=True)
    assert "inconclusive" in {claim.result for claim in analyse([window("dev")], RUN).claims}
    assert "inconclusive" not in {claim.result for claim in analyse([window("dev")], own).claims}
    decided = [claim for claim in analyse(story(), RUN).claims if claim.result != "inconclusive"]
    assert list(analyse(story(), own).claims) == decided != []


def test_one_process_that_used_its_core_up_is_no_proof_of_one_thread() -> None:
    heavy = [busy_on_one_core(window("dev-single", 100.0, number)) for number in (1, 2, 3)]
    claim = claims_of(heavy)["built-in-single-threaded"]
    assert claim.result == "inconclusive"
    assert "the CPU was used up" in claim.evidence


def test_a_built_in_server_that_really_has_one_thread_upholds_the_lesson() -> None:
    single = [as_dev(window("dev-single", 100.0, number)) for number in (1, 2, 3)]
    assert claims_of(single)["built-in-single-threaded"].result == "holds"
    assert claims_of(single)["built-in-blocks"].result == "holds"


def as_dev(measured: Window) -> Window:
    return replace(measured, plan=replace(measured.plan, server="dev"))


def busy_on_one_core(measured: Window) -> Window:
    assert measured.usage is not None
    return as_dev(replace(measured, usage=replace(measured.usage, cpu_ms_per_request=22.0)))


# ── rows as they might be: 20 ms in the app, so that one slot serves 50 rps ─────────────────────────────────────────


def at(rate_rps: float, rating: str = "good", served: Interval | None = None, **figures: Interval) -> LoadRow:
    usual = {"p50_ms": 22.0, "p99_ms": 24.0, "cpu_ms_per_request": 2.5, "memory_mb": 100.0, "service_ms": 20.0}
    known = {name: Interval(value) for name, value in usual.items()} | {"goodput_rps": served or Interval(rate_rps)}
    return LoadRow(rate_rps, 3, 0, Rating(rating), "", {**dict.fromkeys(FIGURES), **known, **figures})


def row(server: str, *loads: LoadRow, variant_of: str | None = None) -> ServerRow:
    return ServerRow(server, server, "4", 4, None, Interval(20.0), "", "", loads, variant_of=variant_of)


def claim_of(key: str, rows: list[ServerRow], comparisons: Sequence[Comparison] = ()) -> Claim:
    return next(claim for claim in judge(rows, comparisons, "mix") if claim.id == key)


def lower(a: str, b: str, metric: str, result: str = "a lower") -> Comparison:
    return Comparison(a, b, 100.0, metric, None, result)


def test_a_rate_just_above_what_one_slot_serves_tells_nothing() -> None:
    assert "raise --rate" in claim_of("built-in-blocks", [row("dev", at(59.0))]).evidence
    assert claim_of("built-in-blocks", [row("dev", at(61.0))]).result == "does not hold"


def test_the_highest_rate_that_the_built_in_server_carried_decides_whether_it_blocks() -> None:
    claim = claim_of("built-in-blocks", [row("dev", at(100.0), at(250.0, "bad"))])
    assert (claim.result, "at 100 rps" in claim.evidence) == ("does not hold", True)


def test_more_than_one_slot_serves_is_shown_by_the_whole_interval() -> None:
    for low, result in ((51.0, "holds"), (45.0, "does not hold")):
        loads = at(100.0, served=Interval(60.0, low, 70.0))
        assert claim_of("gunicorn-parallel", [row("gunicorn", loads)]).result == result


@pytest.mark.parametrize(
    ("comparisons", "result"),
    [
        ([lower("uwsgi", "uwsgi-single", "memory_mb", "b lower")], "holds"),
        ([lower("uwsgi", "uwsgi-single", "memory_mb")], "does not hold"),
        ([], "inconclusive"),
    ],
)
def test_several_slots_need_more_memory_only_where_that_is_shown(comparisons: list[Comparison], result: str) -> None:
    rows = [row("uwsgi", at(100.0)), row("uwsgi-single", at(100.0, "bad"))]
    assert claim_of("uwsgi-several-fast", rows, comparisons).result == result


def test_two_servers_have_no_middle() -> None:
    rows = [row(name, at(100.0)) for name in ("dev", "gunicorn")]
    assert "two other servers" in claim_of("gunicorn-moderate", rows).evidence


def test_who_is_in_doubt_beats_nobody_and_is_beaten_by_nobody() -> None:
    rows = [row("dev", at(100.0, "inconclusive")), row("gunicorn", at(100.0))]
    claim = claim_of("wsgi-beats-built-in", rows)
    assert (claim.result, "each clearly good or bad" in claim.evidence) == ("inconclusive", True)


def test_gunicorn_is_moderate_only_where_it_is_told_apart_from_both_sides() -> None:
    rows = [row(name, at(100.0)) for name in ("dev", "gunicorn", "uwsgi")]
    assert claim_of("gunicorn-moderate", rows).result == "inconclusive"
    one_side = [lower("dev", "gunicorn", metric) for metric in ("cpu_ms_per_request", "memory_mb")]
    claim = claim_of("gunicorn-moderate", rows, one_side)
    assert (claim.result, claim.evidence.count("not told apart from all others")) == ("inconclusive", 2)
    both = [*one_side, *(lower("gunicorn", "uwsgi", metric) for metric in ("cpu_ms_per_request", "memory_mb"))]
    assert claim_of("gunicorn-moderate", rows, both).result == "holds"


def test_waiting_is_the_bottleneck_only_where_every_slow_server_waited() -> None:
    waits = row("gunicorn", at(250.0, "bad", p50_ms=Interval(200.0)))
    works = row("uwsgi", at(250.0, "bad", p50_ms=Interval(22.0)))
    results = [claim_of("waiting-is-the-bottleneck", rows).result for rows in ([waits], [works], [waits, works])]
    assert results == ["holds", "does not hold", "inconclusive"]


def test_a_variant_with_more_slots_shows_that_tuning_pays() -> None:
    rows = [row("waitress", at(250.0, "bad")), row("sixteen", at(250.0), variant_of="waitress")]
    assert claim_of("tuning-pays", rows).result == "holds"
    assert claim_of("tuning-pays", [rows[0], replace(rows[1], variant_of=None)]).result == "inconclusive"


def test_a_server_whose_windows_were_all_void_was_not_measured() -> None:
    void = replace(at(250.0, "inconclusive"), windows=0, void=3)
    assert "gunicorn was not measured" in claim_of("gunicorn-parallel", [row("gunicorn", void)]).evidence
