"""What can come of judging, comparing and searching: the words of verdict.json, each kind a type of its own."""

from __future__ import annotations

from enum import StrEnum


class Rating(StrEnum):
    """How a server did: under one offered rate, or in the whole run."""

    GOOD = "good"
    BAD = "bad"
    INCONCLUSIVE = "inconclusive"


class Finding(StrEnum):
    """What a run says about a claim of the lesson."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    INCONCLUSIVE = "inconclusive"


class Difference(StrEnum):
    """Which of two servers, a and b, is lower at a figure."""

    A_LOWER = "a lower"
    B_LOWER = "b lower"
    NOT_SHOWN = "no difference shown"


class Shift(StrEnum):
    """Where a figure went between a first run and a second."""

    LOWER = "lower"
    HIGHER = "higher"
    NOT_SHOWN = "no difference shown"


class Outcome(StrEnum):
    """What a check of a gate came to."""

    PASSED = "passed"
    MISSED = "missed"
    WORSE = "got worse"
    NOISY = "too noisy to say"
    NOT_JUDGED = "not judged"
    """There is nothing to judge by, and nothing depends on it."""


class Limit(StrEnum):
    """What limits a server's capacity."""

    SLOTS = "slots"
    CPU = "CPU"
    NEITHER = "neither slots nor CPU"
