"""A failed measurement voids a window; a failing server does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories import inside, inside_of, plain_window, plan, samples, story, window

from wsgilab.analysis.generator_limit import generator_limit
from wsgilab.analysis.validity import void_reason
from wsgilab.model.window import Window

FOUR = inside(at_once=4)


def reason(measured: Window, load_cpus: int = 1) -> str | None:
    limit = generator_limit(measured.load, load_cpus) if measured.load else None
    return limit or void_reason(measured)


def changed(load: dict[str, Any] | None = None, used: dict[str, Any] | None = None) -> Window:
    """A healthy window of 600 requests with these fields changed."""
    healthy = plain_window([24.0] * 600)
    assert healthy.load is not None
    assert healthy.usage is not None
    return replace(healthy, load=replace(healthy.load, **load or {}), usage=replace(healthy.usage, **used or {}))


def test_no_window_of_the_default_run_is_void_however_badly_its_server_did() -> None:
    for measured in story():
        assert reason(measured) is None, measured.plan


@pytest.mark.parametrize(
    ("load", "used", "said"),
    [
        ({"k6_cpu_s": 8.5, "wall_s": 9.0}, {}, "k6 was short of CPU: it used 0.94 of its 1 core"),
        ({"k6_wait_s": 2.0}, {}, "k6 was short of CPU: ready to run, it waited 2.0 s, and ran for 1.6 s"),
        ({"k6_wait_s": 1.7}, {}, "ready to run, it waited 1.7 s, and ran for 1.6 s"),
        ({"lag_ms": 2000.0}, {}, "k6 fell behind its schedule by 2000 ms"),
        ({"lag_ms": 101.0}, {}, "k6 fell behind its schedule by 101 ms"),
        ({"sent": 593, "ok": 593}, {}, "7 of 600 requests were never started"),
        ({"wrong_server": 1}, {}, "1 answer came from another server"),
        ({}, {"requests": 788.0}, "got 800 answers, the app counted 788"),
        ({}, {"requests": 812.0}, "k6 sent 800 requests and got 800 answers, the app counted 812"),
        ({"total_ok": 780}, {"requests": 768.0}, "got 800 answers, the app counted 768"),
        ({}, {"requests": 1200.0}, "got 800 answers, the app counted 1200"),  # not a whole number for each
        ({}, {"requests": 1200.0, "asked_alone_rps": 40.0}, "got 800 answers, the app counted 1200"),  # it goes on
        (
            {},
            {"service_ms": 80.0, "inside": FOUR},
            "100 rps served, but the app had 4 requests at once at most, which in 80.0 ms each allow 50 rps",
        ),
        ({}, {"service_ms": 44.1, "inside": FOUR}, "in 44.1 ms each allow 91 rps"),
        ({}, {"samples": samples(in_flight=32.0, busy_per_s=10.0)}, "28.4 requests in flight on average, 10.0 by rate"),
        ({}, {"samples": samples(in_flight=13.5, busy_per_s=2.2)}, "12.0 requests in flight on average, 2.2 by rate"),
        ({}, {"samples": samples(in_flight=0.0, busy_per_s=60.0)}, "0.0 requests in flight on average, 60.0 by rate"),
    ],
)
def test_each_failure_of_the_measurement_is_named_with_its_numbers(
    load: dict[str, Any], used: dict[str, Any], said: str
) -> None:
    assert said in (reason(changed(load, used)) or "valid")


@pytest.mark.parametrize(
    ("load", "used"),
    [
        ({"k6_cpu_s": 8.5, "wall_s": 9.0}, {}),  # of two cores: half of what it may use
        (
            {"dropped": 200, "sent": 400, "ok": 400, "total_requests": 533, "total_sent": 533},
            {"requests": 533.0},
        ),  # all virtual users were waiting
        ({"ok": 300, "failed": 300}, {"requests": 500.0}),  # refused, so the app never saw them
        ({"ok": 300, "unanswered": 300, "total_requests": 500}, {"requests": 790.0}),  # given up, served later
        ({}, {"listen_overflows": 50.0, "throttled_s": 3.0, "oom_kills": 1.0}),
        ({}, {"samples": samples(in_flight=3.0, busy_per_s=2.2)}),
        ({}, {"samples": samples(in_flight=400.0, busy_per_s=2.2, count=5)}),  # too few readings to tell
        ({}, {"requests": 20.0, "restarts": 1}),  # the counters began anew
        ({"lag_ms": 99.0}, {"requests": 811.0}),
        ({"sent": 594, "ok": 594}, {"requests": 789.0}),
        ({}, {"service_ms": 43.9, "inside": FOUR}),
        ({}, {"service_ms": 800.0, "inside": inside(at_once=80)}),  # whatever is declared
        ({}, {"service_ms": 800.0, "inside": inside(at_once=None)}),
        ({}, {"service_ms": 800.0}),  # not known
        ({}, {"requests": 1600.0}),  # the app calls itself
        ({}, {"requests": 1040.0, "asked_alone_rps": 0.0}),  # some of its requests do
        ({"total_ok": 0, "failed": 600}, {"requests": 0.0}),  # all refused before the app, in the warm-up too
        ({"total_ok": 400, "failed": 300}, {"requests": 400.0}),
        ({}, {"samples": samples(in_flight=31.0, busy_per_s=10.0)}),
        ({"wall_s": 0.0}, {}),  # not known
        ({"k6_wait_s": 1.5}, {}),  # less than it ran
        ({"k6_wait_s": 1.0, "k6_cpu_s": 0.4}, {}),  # more, but in a window of nine seconds
    ],
)
def test_what_is_the_servers_or_within_tolerance_voids_nothing(load: dict[str, Any], used: dict[str, Any]) -> None:
    assert reason(changed(load, used), load_cpus=2) is None


def test_littles_law_is_asked_only_of_a_server_that_drained() -> None:
    broken = samples(in_flight=100.0, busy_per_s=2.2)
    assert "Little" in (reason(changed({}, {"samples": broken})) or "valid")
    assert reason(changed({}, {"samples": broken[:-1]})) is None


def test_littles_law_weighs_each_reading_by_its_time_and_wants_three_seconds() -> None:
    """A hundred requests that dwindle to none over ten seconds were fifty on average."""
    seconds, in_flight = (0, 1, 2, 3, 4, 14), (0.0, 0.0, 0.0, 0.0, 100.0, 0.0)
    quiet = samples(0.0, 0.0, 1)[0]
    dwindling = [replace(quiet, at=1000.0 + at, in_flight=n) for at, n in zip(seconds, in_flight, strict=True)]
    dwindling[-1] = replace(dwindling[-1], busy_s=550.0)
    assert reason(changed({}, {"samples": tuple(dwindling)})) is None
    hasty = tuple(replace(each, at=1000.0 + 0.3 * number) for number, each in enumerate(samples(100.0, 0.0)))
    assert reason(changed({}, {"samples": hasty})) is None


def test_requests_that_were_killed_with_their_worker_break_no_law() -> None:
    broken = samples(in_flight=100.0, busy_per_s=2.2)
    assert reason(changed({"ok": 580, "failed": 20}, {"samples": broken})) is None


def test_a_dead_server_is_a_result_and_a_silent_k6_is_not() -> None:
    assert reason(Window(plan(), None, None, died="killed by signal 9")) is None
    assert reason(Window(plan(), None, None)) == "k6 gave no result"


def test_a_window_without_usage_is_judged_by_what_k6_says() -> None:
    healthy = replace(plain_window([24.0] * 600), usage=None)
    assert reason(healthy) is None


def test_a_saturated_server_answers_no_faster_than_it_was_seen_to_have_requests() -> None:
    saturated = inside_of(window("gunicorn", 250), at_once=4)
    assert saturated.usage
    assert reason(saturated) is None
    helped = replace(saturated, usage=replace(saturated.usage, service_ms=40.0))
    assert "requests at once at most" in (reason(helped) or "valid")


def test_no_declaration_makes_a_window_void() -> None:
    """GUNICORN_CMD_ARGS=--threads=8 serves 248 rps of 21 ms, though 4 slots are declared: nobody asks for them."""
    turned = inside_of(plain_window([22.0] * 1488, rate_rps=248.0), at_once=32, at_once_in_one_process=8)
    assert turned.usage
    assert reason(replace(turned, usage=replace(turned.usage, service_ms=21.0))) is None
