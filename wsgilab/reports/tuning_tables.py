"""The tables of a tuning, as every report has them: what is compared, every setting that was tried, every window."""

from __future__ import annotations

from collections.abc import Sequence

from wsgilab.analysis.tuning import phrases
from wsgilab.analysis.tuning.landscape import Point
from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model import words
from wsgilab.model.interval import Interval
from wsgilab.model.tuning import Ending

COMPARED = ("Setting", "What it is", "Capacity", "Recommended ÷ it", "Memory", "Predicted at most")
TRIED = ("Setting", "Capacity", "Kept", "Missed", "Predicted at most", "Reached", "Memory", "Windows", "Remarks")
WINDOWS = ("", "Stage", "Setting", "Offered", "Length", "Ended", "Served", "Why")
ENDINGS = {Ending.KEPT: "kept", Ending.MISSED: "missed", Ending.VOID: "void", Ending.DIED: "died"}


def compared(tuning: Tuning) -> list[tuple[str, ...]]:
    """The recommended setting next to what came second and what people would have set."""
    return [
        (
            contender.point.setting.name,
            ", ".join(contender.roles),
            capacity(contender.point),
            words.full_ratio(contender.ratio) if contender.ratio else words.UNKNOWN,
            _megabytes(contender.point.memory_mb),
            words.limit(contender.point.predicted_rps),
        )
        for contender in tuning.contenders
    ]


def tried(points: Sequence[Point]) -> list[tuple[str, ...]]:
    """What was measured of each setting, next to what was predicted."""
    return [
        (
            point.setting.name,
            capacity(point),
            _rate(point.kept_rps),
            _rate(point.missed_rps),
            words.limit(point.predicted_rps),
            _reached(point),
            _megabytes(point.memory_mb),
            str(point.windows),
            point.died,
        )
        for point in points
    ]


def windows(tuning: Tuning) -> list[tuple[str, ...]]:
    """Every window in the order measured, and why it was."""
    return [
        (
            str(number),
            attempt.trial.stage,
            attempt.trial.setting.name,
            words.rps(attempt.trial.rate_rps),
            f"{words.seconds(attempt.trial.duration_s)} s",
            attempt.died or ENDINGS[attempt.ending],
            words.amount(Interval(attempt.goodput_rps), "rps"),
            attempt.trial.why,
        )
        for number, attempt in enumerate(tuning.history, 1)
    ]


def capacity(point: Point) -> str:
    """`312 rps (305–319)`, `at least 2990 rps`."""
    return phrases.capacity(point.capacity_rps)


def _reached(point: Point) -> str:
    """The share of its prediction that a capacity reached: what a setting kept once says less than that."""
    if point.capacity_rps is None or not point.predicted_rps:
        return words.UNKNOWN
    return words.percent(Interval(point.capacity_rps.value / point.predicted_rps))


def _rate(rate: float | None) -> str:
    return words.UNKNOWN if rate is None else words.rps(rate)


def _megabytes(mb: float | None) -> str:
    return words.UNKNOWN if mb is None else f"{words.number(mb)} MB"
