"""The lesson's claims against the default run, and the honesty to leave one open."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories import SERVERS, story, window

from wsgilab.records import Slo, Window
from wsgilab.report.rows import Claim
from wsgilab.verdict import analyse


def claims_of(windows: list[Window]) -> dict[str, Claim]:
    verdict = analyse(windows, SERVERS, Slo(), command="run", engine="local", workload="mix", rounds=3)
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
        ("gunicorn-moderate", "does not hold", ["CPU a request (between the others)", "(the highest)"]),
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
