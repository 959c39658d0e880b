"""Slots are what was seen under saturation, or what is declared where nothing contradicts it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories import MODELS, RUN, evidence, inside_of, plain_window, window

from wsgilab.analysis import causes
from wsgilab.analysis.causes.slots import at_once, needed, observe
from wsgilab.analysis.pipeline import analyse
from wsgilab.model.outcomes import Rating
from wsgilab.model.server import ServerFacts
from wsgilab.model.slots import Slots
from wsgilab.model.window import Window

GUNICORN, UWSGI, DEV = (MODELS[name].facts for name in ("gunicorn", "uwsgi", "dev"))
GEVENT = ServerFacts("gunicorn-gevent", "Gunicorn, workers with greenlets", "2 x 1000", 2000, None)


def served(answer_ms: float, rate_rps: float, cpu_ms: float = 1.0, **inside: Any) -> Window:
    """Answered after so long, of which 22.4 ms inside the app; where a queue grew, a third is dropped."""
    plain = plain_window([answer_ms] * round(rate_rps * 6), rate_rps=rate_rps)
    assert plain.usage
    taken = replace(plain.usage, cpu_ms_per_request=cpu_ms, in_flight_mean=None)
    return inside_of(replace(plain, usage=taken), **inside)


class TestObserve:
    def test_what_nothing_contradicts_is_what_is_declared(self) -> None:
        assert observe(GUNICORN, [], 1) == Slots(4)
        assert observe(GUNICORN, [plain_window([24.0] * 600)], 1) == Slots(4), "an older run"
        assert observe(GUNICORN, [served(24.0, 100, at_once=3)], 1) == Slots(4), "no more were asked for"
        full = served(900.0, 178, at_once=4)
        assert observe(GUNICORN, [full], 1) == Slots(4)

    def test_more_than_declared_is_seen_whether_or_not_others_wait(self) -> None:
        """GUNICORN_CMD_ARGS=--threads=8 makes 32 of 4."""
        threads = served(24.0, 250, at_once=32, at_once_in_one_process=8)
        assert observe(GUNICORN, [threads], 1) == Slots(4, 32, full=False)
        assert Slots(4, 32, full=False).count == 32

    def test_one_more_may_be_a_body_that_was_closed_late(self) -> None:
        assert observe(UWSGI, [served(24.0, 250, at_once=9)], 1) == Slots(8)
        assert observe(MODELS["dev-single"].facts, [served(24.0, 40, at_once=2)], 1) == Slots(1, 2, full=False)

    def test_fewer_than_declared_count_only_where_requests_waited_for_them(self) -> None:
        """UWSGI_CHEAPER=1 leaves two of eight."""
        full = served(440.0, 89, at_once=2, at_once_in_one_process=2, workers_max=1)
        assert observe(UWSGI, [full], 1) == Slots(8, 2)
        assert observe(UWSGI, [full, served(24.0, 40, at_once=1)], 1) == Slots(8, 2)
        assert observe(UWSGI, [full, served(30.0, 250, at_once=8, at_once_in_one_process=2)], 1) == Slots(8)

    def test_waiting_for_the_cpu_is_not_waiting_for_a_slot(self) -> None:
        busy = served(440.0, 89, cpu_ms=11.0, at_once=2, at_once_in_one_process=1)
        assert observe(UWSGI, [busy], 1) == Slots(8)
        assert observe(UWSGI, [busy], 2) == Slots(8, 2), "of two CPUs half is idle"

    def test_a_queue_elsewhere_does_not_take_the_slots(self) -> None:
        """Requests are late and the app is idle: 20 rps of 22 ms take half a slot."""
        assert observe(UWSGI, [served(440.0, 20, at_once=3)], 1) == Slots(8)

    def test_a_server_without_a_limit_stays_without_and_an_unknown_one_is_seen(self) -> None:
        full = served(440.0, 178, at_once=4)
        assert observe(DEV, [full], 1) == Slots(None)
        unknown = ServerFacts("mine", "mine", "—", None, None)
        assert observe(unknown, [full], 1) == Slots(None, 4)
        assert observe(unknown, [served(24.0, 100, at_once=3)], 1) == Slots(None)

    def test_workers_that_replace_each_other_count_once(self) -> None:
        churn = served(24.0, 100, at_once=18, at_once_in_one_process=1, workers_max=4)
        assert at_once(churn) == 4
        assert observe(GUNICORN, [churn], 1) == Slots(4)
        both = served(24.0, 100, at_once=5, at_once_in_one_process=1, workers_max=5, worker_ends={"max_requests": 9})
        assert observe(GUNICORN, [both], 1) == Slots(4)


class TestTooFew:
    def test_the_law_with_the_slots_declared(self) -> None:
        assert first(window("gunicorn", 250)) == "limited by slots: 4 slots ÷ 22.4 ms = 179 rps, 250 rps offered"

    def test_the_law_with_the_slots_seen(self) -> None:
        cheaper = served(440.0, 89, at_once=2, at_once_in_one_process=2, workers_max=1, workers_min=1)
        said = first(cheaper, server=UWSGI)
        assert said == "limited by slots: 2 slots seen (8 declared) ÷ 22.4 ms = 89 rps, 89 rps offered"

    def test_workers_that_are_added_as_it_goes_are_said(self) -> None:
        """Two slots at first, six in the end: on average nobody had them all."""
        cheaper = served(440.0, 89, at_once=6, at_once_in_one_process=2, workers_max=3, workers_min=1)
        said = first(cheaper, server=UWSGI)
        assert said == (
            "limited by slots: 2 to 6 slots seen (8 declared) ÷ 22.4 ms = 89 to 268 rps as 1 worker became 3, "
            "89 rps offered"
        )

    def test_workers_that_ended_were_not_added(self) -> None:
        died = served(440.0, 89, at_once=6, at_once_in_one_process=2, workers_max=3, workers_min=1)
        assert died.usage
        assert died.usage.inside
        ended = replace(died.usage.inside, worker_ends={"exit 1": 2})
        assert observe(UWSGI, [replace(died, usage=replace(died.usage, inside=ended))], 1) == Slots(8)

    def test_slots_that_are_held_for_longer_under_load_are_fewer_for_it(self) -> None:
        found = first(served(900.0, 150, at_once=4), alone_ms=22.4, service_ms=30.0)
        assert found == "limited by slots: 4 slots ÷ 30.0 ms = 133 rps, 150 rps offered"

    @pytest.mark.parametrize(("rate_rps", "explains"), [(150.0, False), (165.0, True), (250.0, True)])
    def test_they_explain_nothing_far_below_what_they_have_room_for(self, rate_rps: float, explains: bool) -> None:
        found = causes.find(evidence(served(900.0, rate_rps, at_once=4)), Rating.BAD)[0]
        assert found.sentence.startswith("limited by slots") is explains
        if not explains:
            assert found.sentence == "not explained: 0.18 of 1 CPU busy, 4.0 of 4 slots taken"


class TestDoNotOverlap:
    def test_greenlets_that_block_are_named(self) -> None:
        """Patched after the app's imports: two workers, one request each, of 2,000."""
        blocked = served(900.0, 89, at_once=2, at_once_in_one_process=1, workers_min=2, workers_max=2)
        assert first(blocked, server=GEVENT) == (
            "requests do not overlap inside a worker (1000 at once were expected), so 2 slots ÷ 22.4 ms = 89 rps: "
            "something blocks under gevent (patched after the app's imports?)"
        )

    def test_under_another_server_it_is_not_called_gevent(self) -> None:
        blocked = served(900.0, 178, at_once=4, at_once_in_one_process=1)
        assert "something holds the whole process" in first(blocked, server=UWSGI)

    @pytest.mark.parametrize(
        "changes",
        [
            {"at_once": 60, "at_once_in_one_process": 31},  # they do overlap
            {"at_once": 2, "at_once_in_one_process": 1, "workers_max": None},  # not known
        ],
    )
    def test_others_do_overlap_or_are_not_known(self, changes: dict[str, Any]) -> None:
        known = {"workers_min": 2, "workers_max": 2, **changes}
        found = causes.find(evidence(served(900.0, 89, **known), server=GEVENT), Rating.BAD)
        assert not [cause for cause in found if "overlap" in cause.sentence]

    def test_nobody_waits_at_a_low_rate(self) -> None:
        low = served(24.0, 20, at_once=2, at_once_in_one_process=1, workers_min=2, workers_max=2)
        assert causes.find(evidence(low, server=GEVENT), Rating.GOOD) == ()

    def test_cpu_that_is_used_up_comes_first(self) -> None:
        """Pure CPU never yields to another greenlet."""
        spinning = served(900.0, 89, cpu_ms=11.0, at_once=2, at_once_in_one_process=1, workers_min=2, workers_max=2)
        assert first(spinning, server=GEVENT).startswith("limited by CPU")


@pytest.mark.parametrize(("rate_rps", "service_ms", "slots"), [(250, 23, 6), (100, 20, 2), (100, 20.1, 3), (1, 20, 1)])
def test_the_slots_that_a_rate_needs_at_least(rate_rps: float, service_ms: float, slots: int) -> None:
    assert needed(rate_rps, service_ms) == slots


def test_reports_say_how_the_number_is_known() -> None:
    def row(facts: ServerFacts, *windows: Window) -> Any:
        (found,) = analyse(list(windows), replace(RUN, servers=[facts], rounds=0)).servers
        return found

    seen = row(GUNICORN, served(24.0, 250, at_once=32, at_once_in_one_process=8))
    assert (seen.at_once, seen.slots, seen.slots_seen, seen.slots_used) == ("at least 32 seen", 4, 32, 32)
    assert seen.why.startswith("at least 32 slots seen ÷ 22.4 ms = about 1429 rps, 250 rps offered; p99 24.0 ms, under")
    uwsgi = replace(served(440.0, 89, at_once=2, at_once_in_one_process=2, workers_max=1), plan=plan_of("uwsgi", 89))
    assert row(UWSGI, uwsgi).at_once == "4 × 2 declared, 2 seen"
    assert row(UWSGI, window("uwsgi", 100)).at_once == "4 × 2"


def plan_of(server: str, rate_rps: float) -> Any:
    return replace(plain_window([24.0] * 600, rate_rps=rate_rps).plan, server=server)


def first(measured: Window, server: ServerFacts | None = None, service_ms: float = 22.4, **changes: Any) -> str:
    assert measured.usage
    measured = replace(measured, usage=replace(measured.usage, service_ms=service_ms))
    return causes.find(evidence(measured, server=server, **changes), Rating.BAD)[0].sentence


class TestConfigured:
    """GUNICORN_CMD_ARGS=--threads=8 makes 32 of 4, and gunicorn says so."""

    def test_what_the_server_says_itself_goes_before_what_is_declared(self) -> None:
        some = served(24.0, 250, at_once=19, at_once_in_one_process=8, slots_configured=32)
        found = observe(GUNICORN, [some], 1)
        assert found == Slots(4, 19, 32, full=False)
        assert (found.count, found.in_words()) == (32, "32 slots configured (at least 19 seen at once)")
        assert found.at_once("4") == "32 configured, at least 19 seen"

    def test_where_all_were_seen_nothing_is_left_to_say(self) -> None:
        every = served(900.0, 250, at_once=32, at_once_in_one_process=8, slots_configured=32)
        found = observe(GUNICORN, [every], 1)
        assert found == Slots(4, None, 32)
        assert (found.count, found.in_words(), found.at_once("4")) == (32, "32 slots configured", "32 configured")

    def test_what_agrees_with_the_label_is_said_as_before(self) -> None:
        some = served(24.0, 100, at_once=3, slots_configured=4)
        assert observe(GUNICORN, [some], 1) == Slots(4)

    def test_fewer_that_were_all_taken_win(self) -> None:
        blocked = served(440.0, 89, at_once=2, at_once_in_one_process=2, workers_max=1, slots_configured=16)
        found = observe(GUNICORN, [blocked], 1)
        assert (found, found.count) == (Slots(4, 2, 16), 2)
        assert found.at_once("4") == "16 configured, 2 seen"
        assert first(blocked).startswith("limited by slots: 2 slots seen (16 configured) ÷ 22.4 ms = 89 rps")

    def test_their_law_is_that_of_all_of_them(self) -> None:
        late = served(900.0, 1400, 0.1, at_once=19, at_once_in_one_process=8, slots_configured=32)
        slots = observe(GUNICORN, [served(24.0, 250, at_once=19, slots_configured=32)], 1)
        said = first(late, slots=slots)
        assert said == "limited by slots: 32 slots configured ÷ 22.4 ms = 1429 rps, 1400 rps offered"

    def test_so_many_at_least_limit_nothing(self) -> None:
        late = served(900.0, 1400, 0.1)
        assert "limited by slots" not in first(late, slots=Slots(4, 32, full=False))

    def test_a_good_server_is_not_said_to_be_full_of_slots_that_may_be_more(self) -> None:
        busy = served(24.0, 250, at_once=5, at_once_in_one_process=2)
        for configured, is_full in ((None, False), (5, True)):
            assert busy.usage
            assert busy.usage.inside
            said = replace(busy.usage.inside, slots_configured=configured)
            known = replace(busy, usage=replace(busy.usage, inside=said))
            (row,) = analyse([known], replace(RUN, servers=[GUNICORN], rounds=0)).servers
            assert "5 slots" in row.why
            assert ("no room to spare" in row.why) is is_full
