"""CPU ÷ CPU per request, before slots: used up, throttled, used by somebody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories import MODELS, evidence, histogram, inside_of, plain_window, samples

from wsgilab.analysis import causes
from wsgilab.analysis.causes import cpu
from wsgilab.model.outcomes import Rating
from wsgilab.model.window import Sample, Window


def window(cpu_ms: float, rate_rps: float = 100.0, **inside: Any) -> Window:
    """Everything answered, at so much CPU each."""
    plain = plain_window([24.0] * round(rate_rps * 6), rate_rps=rate_rps)
    assert plain.usage
    measured = replace(plain, usage=replace(plain.usage, cpu_ms_per_request=cpu_ms))
    return inside_of(measured, **inside) if inside else measured


@pytest.mark.parametrize(("cpu_ms", "limited"), [(2.6, False), (8.5, False), (9.2, True)])
def test_a_cpu_that_is_used_up_is_a_limit(cpu_ms: float, limited: bool) -> None:
    assert (cpu.used_up(evidence(window(cpu_ms))) is not None) is limited


def test_the_law_has_its_numbers() -> None:
    found = causes.find(evidence(window(9.9)), Rating.BAD)[0]
    assert found.sentence == "limited by CPU: 1 CPU ÷ 9.90 ms CPU per request = 101 rps, 100 rps offered"
    two = cpu.used_up(evidence(window(19.0), cores=2))
    assert two
    assert two.sentence == "limited by CPU: 2 CPUs ÷ 19.0 ms CPU per request = 105 rps, 100 rps offered"


def test_one_python_process_uses_one_cpu_of_several() -> None:
    one = evidence(window(9.5, workers_max=1), server=MODELS["dev"].facts, cores=4)
    found = cpu.used_up(one)
    assert found
    assert found.sentence == (
        "limited by CPU: 1 CPU of 4 (a Python process uses one) ÷ 9.50 ms CPU per request = 105 rps, 100 rps offered"
    )
    assert cpu.used_up(evidence(window(9.5, workers_max=4), cores=4)) is None


def test_cpu_time_is_taken_from_the_readings_in_the_measured_part_where_there_are_two() -> None:
    def busy(cores: float) -> Window:
        measured = window(2.6)
        assert measured.usage
        return replace(measured, usage=replace(measured.usage, samples=readings(cores)))

    assert evidence(busy(0.97)).busy_cores == pytest.approx(0.97)
    assert cpu.is_used_up(evidence(busy(0.97)))
    assert not cpu.is_used_up(evidence(busy(0.5)))


def test_the_kernels_share_of_a_full_cpu_is_not_charged_to_the_server() -> None:
    found = causes.find(evidence(window(7.5, cpus_busy=0.99)), Rating.BAD)[0]
    assert found.sentence == (
        "limited by CPU: 1 CPU used up, 0.75 by this server, the rest by the kernel or other programs"
    )
    assert cpu.used_with_others(evidence(window(7.5, cpus_busy=0.8))) is None


def test_more_than_the_cpu_has_room_for_is_too_much_though_others_use_it_too() -> None:
    """50 ms each at 60 rps, with a neighbour who takes a fourth of the CPU."""
    plain = plain_window([400.0] * 88, 360, rate_rps=60.0)
    assert plain.usage
    taken = replace(plain.usage, cpu_ms_per_request=52.0, service_ms=523.0, samples=readings(0.75))
    stolen = inside_of(replace(plain, usage=taken), cpus_busy=1.0, at_once=4)
    assert causes.find(evidence(stolen), Rating.BAD)[0].sentence == (
        "limited by CPU: 1 CPU ÷ 52.0 ms CPU per request = 19 rps, 60 rps offered"
    )
    idle = inside_of(replace(plain, usage=taken), cpus_busy=0.76, at_once=4)
    assert not cpu.is_used_up(evidence(idle))


def readings(cores: float) -> tuple[Sample, ...]:
    return tuple(replace(each, cpu_s=cores * (each.at - 1000)) for each in samples(2.0, 2.0))


def test_eight_workers_on_one_cpu_are_not_called_too_few() -> None:
    """36.6 ms inside the app at the one rate there is, but some requests took 22: the rest was waiting for the CPU."""
    crowded = window(3.4, rate_rps=250.0, cpus_busy=1.0, app_time_ms=histogram([22.0] * 100 + [38.0] * 700))
    assert crowded.usage
    crowded = replace(crowded, usage=replace(crowded.usage, service_ms=36.6))
    eight = replace(MODELS["gunicorn"].facts, slots=8)
    assert causes.find(evidence(crowded, server=eight), Rating.BAD)[0].sentence.startswith("limited by CPU: 1 CPU used")


def test_what_others_use_does_not_excuse_too_few_slots() -> None:
    late = window(3.0, rate_rps=250.0, cpus_busy=1.0)
    assert causes.find(evidence(late), Rating.BAD)[0].sentence.startswith("limited by slots")


def test_a_cpu_that_others_use_is_said() -> None:
    found = causes.find(evidence(window(3.0, cpus_busy=0.99)), Rating.BAD)[0]
    assert found.sentence == "the servers' CPUs were used by something else: 0.69 of 1 CPU"
    assert cpu.used_with_others(evidence(window(3.0, cpus_busy=0.6))) is None
    assert cpu.used_with_others(evidence(window(3.0))) is None


@pytest.mark.parametrize(("frozen_s", "said"), [(0.2, False), (1.5, True)])
def test_a_quota_is_named_where_it_froze_the_server_for_long(frozen_s: float, said: bool) -> None:
    quiet = window(2.6)
    assert quiet.usage
    frozen = replace(quiet, usage=replace(quiet.usage, throttled_s=frozen_s))
    found = cpu.throttled(evidence(frozen))
    assert (found is not None) is said
    if found:
        assert found.sentence == "limited by a CPU quota: throttled for 1.5 s"


def test_a_window_that_tells_nothing_of_the_cpu_blames_it_for_nothing() -> None:
    assert cpu.used_up(evidence(replace(window(9.9), usage=None))) is None
    assert cpu.used(evidence(replace(window(9.9), usage=None))) == "its use of 1 CPU unknown"
