"""The default run's story, and the contract of verdict.json."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from factories import FIGURES, MODELS, RUN, SERVERS, manifest, plain_window, plan, story, window

from wsgilab.analysis.capacity import Goal
from wsgilab.analysis.figures import window_figures
from wsgilab.analysis.pipeline import analyse
from wsgilab.model import slo
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import Place, shown
from wsgilab.model.server import ServerFacts
from wsgilab.model.slo import Slo
from wsgilab.model.window import Window

Json = dict[str, Any]
USUAL = Slo()


def verdict_of(
    windows: list[Window], servers: list[ServerFacts] | None = None, objective: Slo = USUAL, **options: Any
) -> Json:
    problems = options.pop("problems", ())
    run = replace(RUN, servers=SERVERS if servers is None else servers, objective=objective, **options)
    return analyse(windows, run, problems).to_json()


@pytest.fixture(scope="module")
def default_run() -> Json:
    return verdict_of(story())


def load(verdict: Json, server: str, rate_rps: float) -> Json:
    row = next(row for row in verdict["servers"] if row["server"] == server)
    return next(load for load in row["loads"] if load["rate_rps"] == rate_rps)  # type: ignore[no-any-return]


def why(verdict: Json, server: str) -> str:
    return str(next(row["why"] for row in verdict["servers"] if row["server"] == server))


class TestStory:
    @pytest.mark.parametrize(
        ("rate_rps", "bad"),
        [(100.0, {"dev-single", "uwsgi-single"}), (250.0, {"dev-single", "uwsgi-single", "gunicorn"})],
    )
    def test_who_keeps_up(self, default_run: Json, rate_rps: float, bad: set[str]) -> None:
        verdicts = {name: load(default_run, name, rate_rps)["verdict"] for name in MODELS}
        assert verdicts == {name: "bad" if name in bad else "good" for name in MODELS}

    def test_a_server_is_good_only_when_it_is_good_at_every_rate(self, default_run: Json) -> None:
        assert {row["server"]: row["verdict"] for row in default_run["servers"]} == {
            "dev-single": "bad",
            "dev": "good",
            "gunicorn": "bad",
            "uwsgi-single": "bad",
            "uwsgi": "good",
        }

    def test_why_is_slots_over_service_time_against_the_offered_rate(self, default_run: Json) -> None:
        assert why(default_run, "gunicorn").startswith(
            "limited by slots: 4 slots ÷ 22.4 ms = 178 rps, 250 rps offered; p99 > 10 s"
        )
        assert why(default_run, "uwsgi").startswith("8 slots ÷ 22.2 ms = about 360 rps, 250 rps offered; p99 2")
        assert why(default_run, "dev-single").startswith("limited by slots: 1 slot ÷ ")
        assert "no slot limit (each request gets a thread), 250 rps offered" in why(default_run, "dev")

    def test_a_server_that_kept_the_slo_without_room_to_spare_is_told_so(self) -> None:
        said = why(verdict_of(story(), objective=slo.parse("failed<90%")), "gunicorn")
        assert said.startswith("4 slots ÷ 22.4 ms = about 179 rps, 250 rps offered: no room to spare")

    def test_latency_in_seconds_is_censored_where_it_was_cut_off(self, default_run: Json) -> None:
        assert load(default_run, "dev-single", 250.0)["p99_ms"] == {
            "value": 10_000.0,
            "low": 10_000.0,
            "high": None,
            "censored": True,
        }

    def test_the_dev_server_outlives_gunicorn_under_waiting_load(self, default_run: Json) -> None:
        found = [
            each
            for each in default_run["comparisons"]
            if (each["a"], each["b"], each["rate_rps"], each["metric"]) == ("dev", "gunicorn", 250.0, "p99_ms")
        ]
        assert [each["result"] for each in found] == ["a lower"]


class TestContract:
    def test_every_key_is_always_there(self) -> None:
        for windows in ([], story(), story(rounds=1), [replace(each, void="test") for each in story(rounds=1)]):
            verdict = verdict_of(windows)
            assert {"schema", "command", "engine", "workload", "rounds", "slo"} <= verdict.keys()
            assert {"servers", "comparisons", "claims", "void_windows", "problems"} <= verdict.keys()
            assert [row["server"] for row in verdict["servers"]] == list(MODELS)
            for row in verdict["servers"]:
                assert {"server", "pattern", "slots", "verdict", "why", "loads", "capacity_rps"} <= row.keys()
                for each in row["loads"]:
                    assert {"rate_rps", "windows", "void", "verdict", "why", *FIGURES} <= each.keys()

    def test_it_is_json(self, default_run: Json) -> None:
        assert json.loads(json.dumps(default_run, allow_nan=False)) == default_run

    def test_is_the_same_for_the_same_windows(self, default_run: Json) -> None:
        assert json.dumps(verdict_of(story())) == json.dumps(default_run)

    def test_does_not_depend_on_the_order_in_which_windows_were_measured(self, default_run: Json) -> None:
        turned = verdict_of(list(reversed(story())))
        assert turned["servers"] == default_run["servers"]
        assert turned["comparisons"] == default_run["comparisons"]

    def test_compares_every_pair_once_per_rate_and_metric(self, default_run: Json) -> None:
        keys = [(each["a"], each["b"], each["rate_rps"], each["metric"]) for each in default_run["comparisons"]]
        assert len(keys) == len(set(keys)) == 10 * 2 * len(shown(Place.COMPARED))


class TestOddData:
    def test_one_round_has_values_and_no_intervals(self) -> None:
        verdict = verdict_of(story(rounds=1), rounds=1)
        p99 = load(verdict, "uwsgi", 250.0)["p99_ms"]
        assert (p99["low"], p99["high"]) == (None, None)
        assert load(verdict, "uwsgi", 250.0)["verdict"] == "good"
        assert {each["result"] for each in verdict["comparisons"]} == {"no difference shown"}

    def test_void_windows_are_named_counted_apart_and_not_used(self) -> None:
        windows = story()
        spoiled = windows[-1]
        assert spoiled.load is not None
        broken = replace(spoiled.load, ladder_ms={"0": 5000.0, "100": 5000.0})
        windows[-1] = replace(spoiled, load=broken, void="k6 fell behind its schedule by 2000 ms")
        verdict = verdict_of(windows)
        counted = load(verdict, "uwsgi", 250.0)
        assert (counted["windows"], counted["void"]) == (2, 1)
        assert counted["p99_ms"]["value"] < 30
        assert verdict["void_windows"] == [
            {"server": "uwsgi", "rate_rps": 250.0, "round": 3, "reason": "k6 fell behind its schedule by 2000 ms"}
        ]

    def test_void_windows_count_at_their_own_rate_and_leave_the_server_open(self) -> None:
        windows = [*(window("uwsgi", 100, number) for number in (1, 2, 3)), replace(window("uwsgi", 250), void="late")]
        verdict = verdict_of(windows, SERVERS[-1:])
        counts = [(each["windows"], each["void"], each["verdict"]) for each in verdict["servers"][0]["loads"]]
        assert counts == [(3, 0, "good"), (0, 1, "inconclusive")]
        assert verdict["servers"][0]["verdict"] == "inconclusive"

    def test_what_the_kernel_did_is_summed_over_windows(self) -> None:
        windows = []
        for number in (1, 2):
            each = window("uwsgi", 100, number)
            assert each.usage is not None
            kernel = {"throttled_s": 0.25, "listen_overflows": 7.0, "oom_kills": 1.0}
            windows.append(replace(each, usage=replace(each.usage, **kernel)))
        counted = load(verdict_of(windows), "uwsgi", 100.0)
        assert (counted["throttled_s"], counted["listen_overflows"], counted["oom_kills"]) == (0.5, 14.0, 2.0)

    def test_each_percentile_is_the_one_that_it_is_called(self) -> None:
        figures = window_figures(plain_window([float(ms) for ms in range(1, 1002)]))
        names = {"p50_ms": 501, "p90_ms": 901, "p95_ms": 951, "p99_ms": 991, "p99_9_ms": 1000}
        assert {name: figures[name] and round(figures[name].value) for name in names} == names  # type: ignore[union-attr]

    def test_only_void_windows_leave_the_verdict_open(self) -> None:
        verdict = verdict_of([replace(window("uwsgi"), void="k6 gave no result")], rounds=1)
        counted = load(verdict, "uwsgi", 100.0)
        assert counted["verdict"] == "inconclusive"
        assert counted["p99_ms"] is None
        assert why(verdict, "uwsgi") == "at 100 rps: no valid window: 1 window void"

    def test_a_server_that_died_once_is_bad_even_if_it_was_fast_before(self) -> None:
        windows = [window("uwsgi", 100, number) for number in (1, 2)]
        windows.append(Window(plan("uwsgi", round=3), None, None, died="killed by signal 9"))
        verdict = verdict_of(windows)
        counted = load(verdict, "uwsgi", 100.0)
        assert (counted["verdict"], counted["windows"], counted["deaths"]) == ("bad", 3, 1)
        assert counted["failed_ratio"]["value"] == pytest.approx(1 / 3, abs=0.01)
        assert why(verdict, "uwsgi") == "at 100 rps: died in 1 window of 3: killed by signal 9"

    @pytest.mark.parametrize(("answered", "rating"), [(1000, "good"), (986, "inconclusive")])
    def test_a_bound_on_failures_is_held_against_every_window(self, answered: int, rating: str) -> None:
        """Of three windows one with 1.4 %: together 0.5 %, but the next one may be over 1 % as well."""
        windows = [plain_window([20.0] * count, 1000, round=n) for n, count in enumerate((1000, 1000, answered))]
        verdict = verdict_of(windows, [], objective=slo.parse("failed<1%"))
        assert load(verdict, "gunicorn", 100.0)["verdict"] == rating

    def test_a_server_without_windows_was_not_measured(self) -> None:
        verdict = verdict_of([window("uwsgi")], rounds=1)
        assert why(verdict, "gunicorn") == "not measured"

    def test_a_run_cut_short_says_so(self) -> None:
        assert verdict_of(story()[:22])["problems"] == ["the run is incomplete: 22 of 30 windows were measured"]
        assert verdict_of(story(rounds=1)[:7], servers=[], rounds=1)["problems"] == [
            "the run is incomplete: 7 of 10 windows were measured"
        ]
        assert verdict_of(story(), problems=["line 3 is damaged"])["problems"] == ["line 3 is damaged"]
        assert verdict_of([], command="capacity", goal=Goal(), rounds=0)["problems"] == ["no window was measured"]

    def test_a_server_that_only_the_windows_know_is_shown_by_its_name(self) -> None:
        assert [row["pattern"] for row in verdict_of(story(rounds=1), servers=[], rounds=1)["servers"]] == list(MODELS)

    def test_ten_times_the_windows_take_about_ten_times_as_long(self) -> None:
        once = story(rounds=1)

        def cpu_s(rounds: int) -> float:
            plans = [replace(each.plan, round=number) for number in range(rounds) for each in once]
            windows = [replace(each, plan=own) for each, own in zip(once * rounds, plans, strict=True)]
            began = time.process_time()
            verdict_of(windows, rounds=rounds)
            return time.process_time() - began

        assert cpu_s(200) < 30 * cpu_s(20)


class TestFacts:
    def test_come_from_a_manifest(self) -> None:
        entry = {"name": "uwsgi", "pattern": "uWSGI", "concurrency": "4 x 2", "slots": 8, "via": "nginx", "more": 1}
        assert ServerFacts.from_manifest(manifest(servers=[entry])) == (
            ServerFacts("uwsgi", "uWSGI", "4 x 2", 8, "nginx"),
        )

    def test_of_a_poor_manifest_stay_unknown(self) -> None:
        assert ServerFacts.from_manifest(manifest(servers=[{"name": "x"}])) == (ServerFacts("x", "x", "—", None, None),)
        assert ServerFacts.from_manifest(manifest()) == ()


@pytest.mark.parametrize("server", ["uwsgi", "gunicorn"])
def test_slots_are_not_blamed_when_they_would_have_been_enough(server: str) -> None:
    slow = window(server, 100)
    assert slow.load is not None
    late = replace(slow.load, ladder_ms={rung: ms + 900 for rung, ms in slow.load.ladder_ms.items()})
    verdict = verdict_of([replace(slow, load=late, plan=replace(slow.plan, round=number)) for number in (1, 2, 3)])
    assert why(verdict, server).startswith("not explained: 0.")
    assert load(verdict, server, 100.0)["p50_ms"]["value"] > 900


def test_no_percentile_is_said_to_be_above_the_timeout() -> None:
    """Of two windows that differ, an interval spans orders of magnitude; but what is later than 10 s counts as 10 s."""
    windows = [plain_window([ms] * 600, round=number) for number, ms in ((1, 2.0), (2, 40.0))]
    assert load(verdict_of(windows), "gunicorn", 100.0)["p99_ms"]["high"] == 10_000


def test_intervals_have_the_shape_of_the_contract() -> None:
    assert Interval(1.0, 0.5, 2.0).to_json() == {"value": 1.0, "low": 0.5, "high": 2.0}
