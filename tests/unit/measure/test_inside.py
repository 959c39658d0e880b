"""The account of a window out of its readings: peaks that grew in it, workers that came and went, what was answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wsgilab.measure.inside import idle_cores, to_inside
from wsgilab.measure.readings import Metrics, Reading, WorkerSeen, to_reading
from wsgilab.model.window import Inside


def reading(at: float, workers: dict[int, WorkerSeen] | None = None, **known: Any) -> Reading:
    blank = to_reading(Metrics(), Metrics(), at)
    return replace(blank, workers=workers or {}, **known)


def worker(started_at: float | None = 50.0, living: bool = True, **arrivals: float) -> WorkerSeen:
    """`x3=7`: seven requests began while three were inside."""
    return WorkerSeen(living, started_at, {int(level[1:]): count for level, count in arrivals.items()})


def account(*readings: Reading) -> Inside:
    return to_inside(readings, [])


def test_only_what_grew_in_the_window_counts_as_at_once() -> None:
    before = reading(100.0, {1: worker(x1=9, x8=5), 2: worker(x1=1)})
    after = reading(105.0, {1: worker(x1=20, x2=3, x8=5), 2: worker(x1=4, x2=1, x3=1)})
    inside = account(before, after)
    assert (inside.at_once, inside.at_once_in_one_process) == (5, 3)


def test_workers_that_replace_each_other_do_not_add_up() -> None:
    before = reading(100.0, {1: worker(x1=5)})
    during = reading(101.0, {1: worker(living=False), 2: worker(100.5, x1=5)}, worker_ends={"max_requests": 1.0})
    after = reading(102.0, {2: worker(100.5, living=False), 3: worker(101.5, x1=5)}, worker_ends={"max_requests": 2.0})
    inside = account(before, during, after)
    assert inside.at_once == 1
    assert (inside.workers_min, inside.workers_max) == (1, 1)
    assert (inside.worker_starts, inside.worker_ends) == (2, {"max_requests": 2})


def test_the_same_number_given_out_again_is_another_worker() -> None:
    inside = account(reading(100.0, {7: worker(90.0, x2=4)}), reading(102.0, {7: worker(101.0, x2=1)}))
    assert (inside.at_once, inside.worker_starts) == (2, 1)


def test_a_worker_counts_from_its_start_though_it_is_known_from_its_first_request_on() -> None:
    inside = account(reading(100.0, {1: worker(x1=1)}), reading(101.0, {1: worker(x1=2), 2: worker(60.0, x1=1)}))
    assert (inside.workers_min, inside.workers_max, inside.worker_starts) == (2, 2, 0)
    assert inside.at_once == 2


def test_a_worker_that_came_and_went_between_readings_is_a_start_and_one_of_the_window_before_is_none() -> None:
    gone_before = worker(80.0, living=False)
    inside = account(
        reading(100.0, {1: worker(x1=1), 2: gone_before}),
        reading(101.0, {1: worker(x1=2), 2: gone_before, 3: worker(100.4, living=False)}),
    )
    assert (inside.worker_starts, inside.workers_min, inside.workers_max) == (1, 1, 1)


def test_where_no_start_is_known_a_worker_is_there_from_the_reading_that_names_it() -> None:
    inside = account(reading(100.0), reading(101.0, {1: worker(None, x1=1)}))
    assert (inside.workers_min, inside.workers_max, inside.worker_starts) == (0, 1, 0)


def test_answers_and_times_are_those_of_the_window() -> None:
    before = reading(100.0, statuses={"200": 5.0, "404": 2.0}, seconds_buckets={"0.025": 3.0, "+Inf": 7.0})
    after = reading(101.0, statuses={"200": 9.0, "404": 2.0, "500": 1.0}, seconds_buckets={"0.025": 6.0, "+Inf": 12.0})
    inside = account(before, after)
    assert inside.app_statuses == {"200": 4, "500": 1}
    assert inside.app_time_ms == {"25": 3.0, "+Inf": 5.0}


def test_use_of_the_cpus_is_that_of_the_measured_part() -> None:
    readings = [reading(100.0 + second, cpus_busy_s=busy) for second, busy in enumerate((0.0, 9.0, 9.5, 10.0))]
    assert to_inside(readings, readings[1:]).cpus_busy == pytest.approx(0.5)
    assert to_inside(readings, []).cpus_busy == pytest.approx(10 / 3)


def test_what_the_exporter_does_not_tell_is_unknown_and_not_zero() -> None:
    inside = account(reading(100.0), reading(101.0))
    assert inside == Inside()


def test_connections_are_the_proxys_where_there_is_one_and_its_exporter_is_no_client() -> None:
    server, proxy = Metrics({"server_connections": 3.0}), Metrics({"nginx_connections_active": 41.0})
    behind, alone = to_reading(server, proxy, 100.0), to_reading(server, Metrics(), 100.0)
    assert account(behind, behind).connections_max == 40
    assert account(alone, alone).connections_max == 3


def test_a_limit_of_memory_is_told_in_megabytes() -> None:
    limited = reading(100.0, memory_limit_bytes=512e6)
    assert account(limited, limited).memory_limit_mb == 512.0


def test_a_start_costs_what_workers_that_came_in_the_window_had_used_by_their_first_request() -> None:
    before = reading(100.0, {1: replace(worker(x1=5), start_cpu_s=9.0)})
    gone = replace(worker(100.2, living=False), start_cpu_s=0.2)
    after = reading(
        102.0, {1: replace(worker(x1=6), start_cpu_s=9.0), 2: gone, 3: replace(worker(101.0), start_cpu_s=0.4)}
    )
    assert account(before, after).start_cpu_s == pytest.approx(0.3)
    assert account(before, before).start_cpu_s is None


def test_what_the_server_says_of_itself_is_kept() -> None:
    said = reading(100.0, slots_configured=32.0, worker_timeout_s=1.0)
    inside = account(said, said)
    assert (inside.slots_configured, inside.worker_timeout_s) == (32, 1.0)


class TestIdleUse:
    RESTED = reading(100.0, own_cpu_s=5.0, requests=800.0, start_time=50.0)

    def test_is_what_it_used_from_the_end_of_one_window_to_the_next(self) -> None:
        """0.4 of a CPU for ten seconds, with its health asked for now and then."""
        before = reading(110.0, own_cpu_s=9.0, cpu_s=20.0, requests=803.0, start_time=50.0)
        assert to_inside([before], [], self.RESTED).idle_cores == pytest.approx(0.4)
        assert to_inside([before], []).idle_cores is None

    @pytest.mark.parametrize(
        "changes",
        [
            {"start_time": 90.0},  # another start
            {"requests": 900.0},  # somebody asks
            {"worker_ends": {"max_requests": 3.0}},  # its workers start
            {"at": 101.0},
        ],
    )
    def test_is_unknown_where_something_else_went_on(self, changes: dict[str, Any]) -> None:
        before = reading(110.0, own_cpu_s=9.0, requests=800.0, start_time=50.0)
        assert idle_cores(self.RESTED, replace(before, **changes)) is None


def test_a_worker_s_start_is_told_by_the_clock_of_this_machine() -> None:
    labels = {"worker": "7"}
    series = {"wsgi_worker_requests_total": [(labels, 3.0)], "wsgi_worker_start_time_seconds": [(labels, 160.0)]}
    read = to_reading(Metrics({}, series), Metrics(), at=105.0, ahead_s=60.0)
    assert read.workers[7].started_at == 100.0
