"""The parts of a tuning: physics, the room of settings, the walk around a capacity."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from simulated_apps import FAST, OFFERED_RPS, App, question_for, window

from wsgilab.analysis.tuning import final, physics, race, space, staircase
from wsgilab.model.tuning import GREENLETS, Attempt, Ending, Setting, Stage, Trial

SYNC_1 = Setting("gunicorn", "sync", 1)
SYNC_4 = Setting("gunicorn", "sync", 4)
THREADS_2_8 = Setting("gunicorn", "gthread", 2, 8)
GEVENT_1 = Setting("gunicorn", "gevent", 1, GREENLETS)
MIX = App("mix", cpu_ms=2, wait_ms=20, switch=0.0, crowd=0.0)


def calibrated(app: App, family: str = "gunicorn", cpus: int = 1) -> physics.Physics:
    question, done, luck = question_for(family, cpus), list[Attempt](), Random(1)
    while trial := physics.next_calibration(question, done):
        done.append(window(app, trial, question, luck))
    return physics.learn(question, done)


def test_slots_bound_what_waits_and_the_cpu_what_computes() -> None:
    known = calibrated(MIX)
    few, many = known.bound(SYNC_4), known.bound(THREADS_2_8)
    assert (few.limited_by, many.limited_by) == ("slots", "cpu")
    assert few.rps == pytest.approx(4 * 1000 / 22, rel=0.1)
    assert many.rps == pytest.approx(1000 / 2, rel=0.1)


def test_no_bound_is_below_what_a_setting_can_do() -> None:
    for cpus in (1, 2):
        known = calibrated(MIX, cpus=cpus)
        for setting in space.settings_of("gunicorn", cpus):
            assert known.allows(setting, MIX.capacity_rps(setting, cpus, None))


def test_one_process_has_one_cpu() -> None:
    known = calibrated(App("cpu", cpu_ms=10, wait_ms=0), cpus=2)
    one, two = (known.bound(Setting("gunicorn", "gthread", workers, 8)).rps for workers in (1, 2))
    assert two == pytest.approx(2 * one, rel=0.05)


def test_memory_is_that_of_the_workers_and_of_their_threads() -> None:
    memory = calibrated(MIX).bound(THREADS_2_8).memory_mb
    assert memory == pytest.approx(MIX.memory_mb(THREADS_2_8, 0), rel=0.1)


def test_a_window_at_ease_that_was_void_is_measured_again() -> None:
    question = question_for("gunicorn")
    first = physics.next_calibration(question, [])
    assert first
    void = Attempt(first, Ending.VOID)
    assert physics.next_calibration(question, [void]) == first
    done, luck = [void], Random(1)
    while trial := physics.next_calibration(question, done):
        done.append(window(MIX, trial, question, luck))
    assert physics.learn(question, done).base_mb == pytest.approx(MIX.base_mb, abs=2)
    walled = [void] * physics.MOST_VOID
    assert physics.next_calibration(question, walled) != first, "it goes on all the same"


def test_nothing_is_offered_more_than_the_load_generator_can_offer() -> None:
    question, done, luck = question_for("gunicorn"), list[Attempt](), Random(1)
    while trial := physics.next_calibration(question, done):
        done.append(window(FAST, trial, question, luck))
    assert {attempt.ending for attempt in done} == {Ending.KEPT}
    settings, rate = race.first_field(question, physics.learn(question, done), done)
    assert settings
    assert rate <= OFFERED_RPS


def test_a_process_of_one_slot_may_use_several_cpus() -> None:
    question, done, luck = question_for("gunicorn", cpus=2), list[Attempt](), Random(1)
    while trial := physics.next_calibration(question, done):
        attempt = window(replace(MIX, wait_ms=0), trial, question, luck)
        numpy = 1.6 if trial.setting == SYNC_1 else 1.0
        done.append(replace(attempt, cpu_ms=numpy * (attempt.cpu_ms or 0), service_ms=attempt.service_ms))
    assert physics.learn(question, done).costs["sync", False].cores > 1.2


@pytest.mark.parametrize(("greenlets", "limited_by"), [("cooperate", "cpu"), ("block", "slots")])
def test_greenlets_that_do_not_take_turns_are_one_slot(greenlets: str, limited_by: str) -> None:
    assert calibrated(replace(MIX, greenlets=greenlets)).bound(GEVENT_1).limited_by == limited_by


def test_a_kind_that_could_not_be_measured_has_no_bound() -> None:
    known = calibrated(replace(MIX, greenlets="dies"))
    assert known.bound(GEVENT_1).limited_by == "unknown"
    assert known.allows(GEVENT_1, 1e9)


@pytest.mark.parametrize(("family", "count"), [("gunicorn", 8 + 8 * 15 + 8), ("uwsgi", 8 * 16)])
def test_there_are_as_many_settings_as_the_grid_has(family: str, count: int) -> None:
    assert len(set(space.settings_of(family, 1))) == count


def test_many_cpus_have_room_for_the_rule_of_thumb() -> None:
    assert space.rule_of_thumb("gunicorn", 8) == Setting("gunicorn", "sync", 17)
    assert space.rule_of_thumb("gunicorn", 8) in space.settings_of("gunicorn", 8)


def test_of_many_workers_there_is_not_every_count_and_each_has_a_next_one() -> None:
    settings = space.settings_of("gunicorn", 32)
    counts = sorted({setting.workers for setting in settings})
    assert counts == [*range(1, 9), 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 65]
    for fewer, more in pairwise(counts):
        one = Setting("gunicorn", "gthread", fewer, 8)
        assert Setting("gunicorn", "gthread", more, 8) in space.neighbours(one, settings)


def test_a_field_has_every_kind_and_no_two_that_are_alike() -> None:
    field = space.spread(space.settings_of("gunicorn", 1), 12)
    assert {setting.kind for setting in field} == {"sync", "gthread", "gevent"}
    assert min(space.distance(one, other) for one in field for other in field if one != other) >= 0.5


def test_neighbours_have_about_one_step_more_or_less() -> None:
    near = space.neighbours(THREADS_2_8, space.settings_of("gunicorn", 1))
    names = {setting.name for setting in near}
    assert {"gunicorn-gthread-2x6", "gunicorn-gthread-2x10", "gunicorn-gthread-3x8", "gunicorn-gthread-1x8"} <= names
    assert "gunicorn-gthread-1x16" in names  # as many slots in one process
    assert "gunicorn-gthread-8x16" not in names


def walk(capacity_rps: float, start_rps: float, windows: int = 24) -> list[Attempt]:
    attempts: list[Attempt] = []
    for _ in range(windows):
        rate = staircase.next_rate(SYNC_4, attempts, start_rps)
        trial = Trial(SYNC_4, rate, 6.0, Stage.FINAL)
        attempts.append(Attempt(trial, Ending.KEPT if rate < capacity_rps else Ending.MISSED))
    return attempts


@pytest.mark.parametrize("start_rps", [100.0, 170.0, 190.0, 400.0])
def test_a_walk_finds_the_capacity_from_wherever_it_begins(start_rps: float) -> None:
    found = staircase.capacity(walk(180.0, start_rps))
    assert found
    assert found.value == pytest.approx(180.0, rel=0.03)


def test_turns_are_not_all_found_at_the_same_rates() -> None:
    values = [turn.value for turn in staircase.turns(walk(180.0, 170.0))]
    assert len(set(values)) == len(values) >= 6


def test_a_window_belongs_to_one_turn_only() -> None:
    attempts = walk(180.0, 178.0)
    assert len(staircase.turns(attempts)) <= len(attempts) / 2


def test_a_void_window_is_no_step() -> None:
    attempts = walk(180.0, 170.0, 3)
    void = Attempt(attempts[-1].trial, Ending.VOID)
    assert staircase.turns([*attempts, void]) == staircase.turns(attempts)


def test_a_walk_takes_longer_steps_until_it_turns() -> None:
    rates = [attempt.trial.rate_rps for attempt in walk(1e9, 100.0, 4)]
    steps = [later / earlier for earlier, later in pairwise(rates)]
    assert steps[2] > steps[0]


def test_a_walk_that_only_went_up_until_nothing_counted_has_a_bound() -> None:
    attempts = walk(1e9, 100.0, 4)
    void = [Attempt(Trial(SYNC_4, 150.0, 6.0, Stage.FINAL), Ending.VOID)] * staircase.MOST_VOID
    assert staircase.capacity([*attempts, *void[1:]]) is None, "it may go on yet"
    found = staircase.capacity([*attempts, *void])
    assert found
    assert (found.value, found.censored) == (attempts[-1].trial.rate_rps, True)


def test_a_walk_that_turned_is_no_bound_whatever_came_last() -> None:
    attempts = walk(180.0, 170.0)
    void = [Attempt(attempts[-1].trial, Ending.VOID)] * staircase.MOST_VOID
    assert staircase.capacity([*attempts, *void]) == staircase.capacity(attempts)


def test_what_is_at_least_so_much_is_better_than_what_lies_below_that() -> None:
    void = [Attempt(Trial(SYNC_4, 900.0, 6.0, Stage.FINAL), Ending.VOID)] * staircase.MOST_VOID
    walks = {SYNC_4: [*walk(1e9, 400.0, 4), *void], THREADS_2_8: walk(180.0, 170.0)}
    assert final.difference(THREADS_2_8, SYNC_4, walks) is final.Difference.WORSE
    assert final.difference(SYNC_4, THREADS_2_8, walks) is final.Difference.BETTER
    near = {**walks, THREADS_2_8: walk(600.0, 590.0)}
    assert final.difference(THREADS_2_8, SYNC_4, near) is final.Difference.OPEN
