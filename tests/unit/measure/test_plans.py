"""Order of windows, usage between samples, and a machine's ports: the parts of a run that need no server."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from dataclasses import replace

import pytest

from wsgilab.commands.progress import minutes
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import Interrupted, MissingError, UsageError
from wsgilab.machine.ports import another, free_port, free_ports, holder, is_free, require_free
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.measure.readings import Metrics, Reading, scrape, take_reading, to_reading
from wsgilab.measure.usage import to_usage
from wsgilab.measure.windows import Settings, plan_windows
from wsgilab.model.window import RequestCost

SETTINGS = Settings(("a", "b", "c"), "mix", (100.0, 250.0), rounds=4, duration_s=3.0, seed=7)
START = Reading(100.0, True, 50.0, 1.0, 0.0, 0.0, 2.0, 80e6, 0.0, 5.0, 0.0, 90.0)


def test_each_round_has_every_server_at_every_rate_once() -> None:
    plans = plan_windows(SETTINGS)
    assert [plan.order for plan in plans] == list(range(24))
    for number in range(1, 5):
        cells = Counter((plan.server, plan.rate_rps) for plan in plans if plan.round == number)
        assert len(cells) == 6
        assert set(cells.values()) == {1}


@pytest.mark.parametrize("rate", [0.3, 1e-9, 5e-324])
def test_a_window_that_would_end_before_its_first_request_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match=r"not one request in 3 s") as raised:
        plan_windows(replace(SETTINGS, rates_rps=(100.0, rate)))
    assert raised.value.next_command == "./lab run --rate 0.34 --duration 3"


def test_the_order_is_shuffled_anew_each_round_and_repeats_with_the_seed() -> None:
    plans = plan_windows(SETTINGS)
    orders = {tuple((plan.server, plan.rate_rps) for plan in plans if plan.round == number) for number in range(1, 5)}
    assert len(orders) > 1
    assert plan_windows(SETTINGS) == plans
    assert plan_windows(replace(SETTINGS, seed=8)) != plans


def test_servers_that_take_turns_do_so_at_the_end_of_each_round() -> None:
    settings = replace(SETTINGS, pairs=(("a", "b"),))
    plans = plan_windows(settings)
    assert [plan.order for plan in plans] == list(range(4 * (6 + 4)))
    begun_by = set()
    for number in range(1, 5):
        own = [plan for plan in plans if plan.round == number]
        assert not any(plan.turns_with for plan in own[:6])
        assert [plan.rate_rps for plan in own[6:]] == [100.0, 100.0, 250.0, 250.0]
        for one, other in (own[6:8], own[8:]):
            assert {(one.server, one.turns_with), (other.server, other.turns_with)} == {("a", "b"), ("b", "a")}
            assert [one.fresh, other.fresh] == [False, False]
            assert one.schedule_s == 2 * settings.duration_s
            begun_by.add(one.server)
    assert begun_by == {"a", "b"}, "by lot"


def test_each_round_but_the_first_begins_with_a_fresh_start_of_each_server() -> None:
    plans = plan_windows(SETTINGS)
    assert not any(plan.fresh for plan in plans if plan.round == 1)
    for number in range(2, 5):
        seen: set[str] = set()
        for plan in (plan for plan in plans if plan.round == number):
            assert plan.fresh is (plan.server not in seen)
            seen.add(plan.server)


def test_usage_is_what_changed_inside_the_measured_part() -> None:
    warm = replace(START, at=101.0, requests=150.0, cpu_s=9.0, busy_s=9.0, in_flight=99.0)
    first = replace(START, at=102.0, requests=200.0, cpu_s=10.0, busy_s=10.0, in_flight=2.0)
    last = replace(START, at=104.0, requests=400.0, cpu_s=10.5, busy_s=14.0, in_flight=4.0, memory_bytes=90e6)
    after = replace(START, at=106.0, requests=500.0, cpu_s=99.0, busy_s=99.0, listen_overflows=8.0)
    usage = to_usage(START, [warm, first, last], after, (101.5, 105.0))
    assert usage.cpu_ms_per_request == pytest.approx(2.5)
    assert usage.service_ms == pytest.approx(20.0)
    assert usage.in_flight_mean == 3.0
    assert usage.requests == 450.0
    assert usage.memory_mb == 90.0
    assert usage.listen_overflows == 3.0
    assert usage.restarts == 0


def test_usage_counts_the_measured_part_alone_and_the_whole_where_it_was_read_once() -> None:
    inside = replace(START, at=103.0, requests=100.0, cpu_s=3.0)
    beyond = replace(START, at=105.5, requests=999.0, cpu_s=99.0)
    after = replace(START, at=106.0, requests=250.0, cpu_s=6.0)
    once = to_usage(START, [inside, beyond], after, (101.5, 105.0))
    assert once.cpu_ms_per_request == pytest.approx(20.0)  # 4 s for 200 requests, before to after
    twice = to_usage(START, [inside, replace(inside, at=104.0, requests=200.0), beyond], after, (101.5, 105.0))
    assert twice.cpu_ms_per_request == 0.0


def test_what_the_kernel_did_is_the_windows_own_and_gauges_are_the_largest_seen() -> None:
    before = replace(START, throttled_s=2.0, oom_kills=3.0, memory_bytes=95e6)
    busy = replace(before, at=103.0, listen_queue=17.0, start_time=102.0, memory_bytes=80e6)
    after = replace(before, at=106.0004, throttled_s=2.5, oom_kills=4.0, memory_bytes=90e6)
    usage = to_usage(before, [busy], after, (101.0, 105.0))
    assert (usage.throttled_s, usage.oom_kills, usage.memory_mb) == (0.5, 1.0, 95.0)
    assert (usage.listen_queue_max, usage.restarts) == (17.0, 1)
    assert [sample.at for sample in usage.samples] == [100.0, 103.0, 106.0]
    assert to_usage(before, [], replace(after, at=106.1234), (101.0, 105.0)).samples[-1].at == 106.123


def test_what_requests_of_a_name_took_is_what_grew_between_the_readings() -> None:
    first = replace(START, at=102.0, requests=200.0, named={0: RequestCost(50, 1.0, 0.5), 2: RequestCost(5, 1.0, 1.0)})
    last = replace(first, at=104.0, named={**first.named, 0: RequestCost(150, 3.0, 0.9), 1: RequestCost(10, 2.0, None)})
    usage = to_usage(
        START, [first, last], replace(last, at=106.0), (101.5, 105.0), names=("look", "buy", "pay", "never")
    )
    assert usage.by_request == {"look": RequestCost(100, 2.0, 0.4), "buy": RequestCost(10, 2.0, None)}


def test_the_exporters_figures_of_names_are_read_by_number() -> None:
    series = {
        "wsgi_named_requests_total": [({"request": "0"}, 9.0), ({"request": "11"}, 2.0)],
        "wsgi_named_request_seconds_total": [({"request": "0"}, 1.5), ({"request": "11"}, 0.5)],
        "wsgi_named_request_cpu_seconds_total": [({"request": "0"}, 0.25)],
    }
    read = to_reading(Metrics({}, series), Metrics(), 100.0)
    assert read.named == {0: RequestCost(9.0, 1.5, 0.25), 11: RequestCost(2.0, 0.5, None)}


def test_figures_are_summed_over_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '# TYPE wsgi_requests_total counter\nwsgi_requests_total{code="200"} 40\nwsgi_requests_total{code="404"} 2\n'
    monkeypatch.setattr("wsgilab.measure.readings.fetch", lambda *_: text)
    said = scrape("http://127.0.0.1:1/metrics")
    assert said is not None
    assert said.totals == {"wsgi_requests_total": 42.0}
    assert said.by("code", "wsgi_requests_total") == {"200": 40.0, "404": 2.0}


def test_half_a_reading_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its proxy's share a server would look cheaper than it is."""
    said = {"server": Metrics({"server_up": 0.0}), "proxy": None}
    monkeypatch.setattr("wsgilab.measure.readings.scrape", said.get)
    assert take_reading("server", "proxy") is None
    alone = take_reading("server", None)
    assert alone is not None
    assert not alone.up


def test_usage_of_a_window_without_requests_is_unknown_not_zero() -> None:
    usage = to_usage(START, [], replace(START, at=106.0), (101.0, 105.0))
    assert usage.cpu_ms_per_request is None
    assert usage.service_ms is None
    assert usage.in_flight_mean is None


def test_a_proxys_cpu_and_memory_are_charged_to_the_server_behind_it() -> None:
    server = Metrics({"server_up": 1.0, "server_cpu_seconds_total": 2.0, "server_memory_pss_bytes": 50e6})
    proxy = Metrics({"server_cpu_seconds_total": 0.5, "server_memory_pss_bytes": 10e6, "wsgi_requests_total": 1e9})
    sample = to_reading(server, proxy, at=1.0)
    assert (sample.cpu_s, sample.memory_bytes, sample.requests) == (2.5, 60e6, 0.0)


def test_a_port_in_use_is_told_with_its_holder_and_its_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not is_free(port)
        assert f"process {os.getpid()} " in holder(port)
        with pytest.raises(MissingError, match=str(port)) as caught:
            require_free({port: ("gunicorn", "GUNICORN_PORT")})
        assert f"GUNICORN_PORT={another(port)}" in caught.value.next_command
    assert is_free(free_port())


def test_of_many_free_ports_none_comes_twice_and_none_is_one_of_those_to_be_left_alone() -> None:
    ports = free_ports(300)
    assert len(set(ports)) == 300
    assert not set(ports[:150]) & set(free_ports(300, besides=ports[:150]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_wait_and_only_then(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        stop.wait(0.01)
        os.kill(os.getpid(), number)
        assert stop.requested
        with pytest.raises(Interrupted):
            stop.wait(60)
        with pytest.raises(Interrupted):
            poll_until(lambda: False, stop, 60)


def test_a_run_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.requested
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_polling_gives_up_in_the_end() -> None:
    assert not poll_until(lambda: False, Stop(), 0.02, every_s=0.01)
    assert poll_until(lambda: True, Stop(), 0.02)


@pytest.mark.parametrize(("seconds", "text"), [(1, "5 s"), (44, "45 s"), (60, "1 min"), (131, "2 min 10 s")])
def test_time_left_is_told_in_steps_that_can_be_kept(seconds: float, text: str) -> None:
    assert minutes(seconds) == text
