"""What every report of a tuning says besides its findings: what was asked, and how it was answered."""

from __future__ import annotations

from collections.abc import Iterator

from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model import words
from wsgilab.model.tuning import Stage
from wsgilab.model.verdict import Verdict

PROGRAMS = {"gunicorn": "Gunicorn", "uwsgi": "uWSGI behind nginx"}


def program(tuning: Tuning) -> str:
    """The server that was tuned, by its name."""
    family = tuning.question.settings[0].family
    return PROGRAMS.get(family, family)


def asked(tuning: Tuning, verdict: Verdict) -> str:
    """What the tuning was to find out, in one sentence."""
    question = tuning.question
    memory = f" and {words.number(question.memory_mb)} MB" if question.memory_mb is not None else ""
    budget = f"on {words.counted(question.cpus, 'CPU')}{memory}"
    if question.rate_rps is not None:
        room = f"with {question.headroom * 100:.0f} % of room"
        return f"The cheapest setting that keeps {verdict.slo} at {words.rps(question.rate_rps)} {room}, {budget}."
    return f"The setting with the highest rate that keeps {verdict.slo}, {budget}."


def took(tuning: Tuning) -> str:
    """What it cost: `64 windows of 23 settings in 9.5 minutes, of 136 that there are`."""
    minutes = sum(attempt.took_s for attempt in tuning.history) / 60
    windows = words.counted(len(tuning.history), "window")
    settings = words.counted(len(tuning.measured), "setting")
    return f"{windows} of {settings}, out of {len(tuning.points)}, in {words.number(minutes)} minutes."


def void(verdict: Verdict, most: int) -> list[str]:
    """Windows in which the measurement failed, and how; of many, the first ones."""
    told = [f"{one.server} at {words.rps(one.rate_rps)}: {one.reason}" for one in verdict.void_windows]
    left_out = len(told) - most
    return told if left_out <= 0 else [*told[:most], f"and {left_out} more: verdict.json has all of them"]


def method(tuning: Tuning) -> tuple[str, ...]:
    """How the setting was found, a sentence or two each."""
    return tuple(_method(tuning))


def _method(tuning: Tuning) -> Iterator[str]:
    stages = [attempt.trial.stage for attempt in tuning.history]
    question = tuning.question
    yield (
        "Open model: k6 sends requests on schedule whether or not earlier ones were answered. Percentiles are over "
        "scheduled requests, failed ones as slower than the timeout. Each window has a fresh start of its server."
    )
    yield (
        f"Calibration ({_windows(stages, Stage.CALIBRATION)}): the smallest settings show the time and the CPU that a "
        "request takes, and the memory of a worker and of a thread. Slots ÷ time in the app and CPUs ÷ CPU per request "
        "are what any setting can do at most; what can do far less than others is not measured. All predictions here "
        "come from that."
    )
    if question.rate_rps is not None:
        yield (
            "From the cheapest setting on that could keep the rate, one after the other is asked in a short window; "
            "the first that keeps it in three long ones is recommended. Cheaper means less memory, then fewer "
            "processes."
        )
        return
    yield (
        f"Race ({_windows(stages, Stage.RACE)} of {words.seconds(question.short_s)} s): settings that differ much are "
        "offered the same rate, round after round, in shuffled order; who misses what another keeps is out. Then the "
        "neighbours of the leader are tried."
    )
    yield (
        f"Final ({_windows(stages, Stage.FINAL)} of {words.seconds(question.long_s)} s): leader, runner-up and what "
        "people would have set walk up and down around their capacities, a step up after a window that kept the "
        "objective, one down after one that missed it. Each turn of a walk is one measurement of the capacity; "
        "intervals are 95 % by Student's t over turns, ratios by Welch's. Within 3 % settings count as the same, and "
        "the one that needs less memory wins."
    )


def _windows(stages: list[Stage], stage: Stage) -> str:
    return words.counted(stages.count(stage), "window")
