"""From windows to figures: percentiles over scheduled requests, 95 % intervals over windows, paired comparisons.

The window is the unit of repetition, not the request: requests of one window share its luck, so an interval over
them would be far too narrow (Kalibera & Jones, "Rigorous Benchmarking in Reasonable Time", ISMM 2013: repeat, and
estimate the error, at the level where the variation arises). Every figure is therefore one value per window, and
Student's t over those values (Georges, Buytaert & Eeckhout, OOPSLA 2007: t where there are few repetitions).
Times, CPU and memory are positive and skewed to the right, and noise multiplies them, so they are taken on the
logarithmic scale: the figure is the geometric mean of the windows, which is also what makes a ratio of two figures the
figure of the ratios (Fleming & Wallace, CACM 1986). Servers are compared by ratio within each round, because a round's
windows share the machine's mood (Abedi & Brecht, ICPE 2017: randomised, interleaved trials).
`tests/unit/analysis/test_stats.py` shows how often these intervals hold the truth.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache

from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Difference
from wsgilab.model.window import Window

CONFIDENCE = 0.95
FURTHEST = 700.0
"""Of logarithms: e to the power of 710 is no float any more."""
WILSON_Z = 1.959964
"""The normal quantile that belongs to CONFIDENCE."""


@cache
def t_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The two-sided quantile of Student's t with `freedom` degrees of freedom: 4.303 for 2.

    Bisection on the finite series for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4).
    """
    low, high = 0.0, 1e6
    while high - low > 1e-9 * max(1.0, low):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_within(middle, freedom) < confidence else (low, middle)
    return (low + high) / 2


def percentile_ms(window: Window, percentile: float) -> Interval | None:
    """The response time that `percentile` per cent of the *scheduled* requests kept, in ms.

    Whatever was dropped, failed or not answered counts as slower than the timeout; a percentile that falls there is
    the timeout, censored. Interpolates as k6 does ((n - 1) p), so where all went well it is k6's own figure.
    None where the window has no result.
    """
    timeout = Interval(window.plan.timeout_s * 1000, censored=True)
    load = window.load
    if load is None:
        return timeout if window.died else None
    scheduled = max(load.scheduled, load.ok)
    if scheduled == 0 or math.ceil(percentile / 100 * scheduled - 1e-9) > load.ok:
        return timeout
    position = min(percentile / 100 * (scheduled - 1), load.ok - 1)
    share = position / (load.ok - 1) if load.ok > 1 else 0.0
    return Interval(_on_ladder(load.ladder_ms, 100 * share)) if load.ladder_ms else timeout


def goodput_rps(window: Window) -> float | None:
    """2xx answers per second, while requests were being sent.

    Answers of the grace do not count: a saturated server works on after the last request, and would be credited with
    more than it can do. No answer can come before the fastest one's time has passed, so that time is left out.
    """
    load = window.load
    if load is None:
        return 0.0 if window.died else None
    if load.ok_in_time == 0 or not load.ladder_ms:
        return 0.0
    return load.ok_in_time / (window.plan.duration_s - _on_ladder(load.ladder_ms, 0) / 1000)


def failures(window: Window) -> tuple[int, int] | None:
    """(requests not answered with a 2xx in time, requests scheduled)."""
    if window.load is None:
        scheduled = max(1, round(window.plan.rate_rps * window.plan.duration_s))
        return (scheduled, scheduled) if window.died else None
    scheduled = max(window.load.scheduled, window.load.ok)
    return scheduled - window.load.ok, scheduled


def typical(values: Sequence[Interval], most: float = math.inf) -> Interval | None:
    """The geometric mean of one positive value per window, with its interval; None without a value.

    No value can be above `most`, so the interval does not go there either: two windows alone would say "up to 400 s".

    A censored value is a lower bound, so the mean is one too: it comes back censored, with a lower limit (the limit of
    the values cut off at the timeout, which the true ones can only exceed) and no upper one.
    """
    if not values:
        return None
    tiny = 1e-9  # a value of 0 has no logarithm
    centre, half = _student([math.log(max(figure.value, tiny)) for figure in values])
    censored = any(figure.censored for figure in values)
    value = _exp(centre)
    if half is None:
        return Interval(value, censored=censored)
    high = None if censored else min(most, _exp(centre + half))
    return Interval(value, _exp(centre - half), high, censored)


def mean(values: Sequence[float], most: float = math.inf) -> Interval | None:
    """The arithmetic mean of one value per window that may be 0, with Student's interval from 0 to `most`."""
    if not values:
        return None
    centre, half = _student(values)
    if half is None:
        return Interval(tidy(centre))
    return Interval(tidy(centre), tidy(max(0.0, centre - half)), tidy(min(most, centre + half)))


def proportion(counts: Sequence[tuple[int, int]]) -> Interval | None:
    """The share of failures over (failed, scheduled) of each window.

    The wider of two intervals on each side: Student's over windows, for failures that come in bursts, and Wilson's over
    requests (JASA 1927), because windows without any failure do not prove that there is none.
    """
    total = sum(scheduled for _, scheduled in counts)
    if not total:
        return None
    ratio = sum(failed for failed, _ in counts) / total
    _, half = _student([failed / scheduled for failed, scheduled in counts if scheduled])
    if half is None:
        return Interval(tidy(ratio))
    low, high = _wilson(ratio, total)
    return Interval(tidy(ratio), tidy(max(0.0, min(low, ratio - half))), tidy(min(1.0, max(high, ratio + half))))


def paired_ratio(pairs: Sequence[tuple[Interval, Interval]]) -> Interval | None:
    """The ratio a ÷ b over rounds, from one (a, b) per round: Student's t on the logarithms of the rounds' ratios.

    Where only a was ever cut off the ratio is a lower bound (censored, no upper limit); where only b was, an upper
    bound (censored, no lower limit). Where both were, nothing can be said: None.
    """
    a_cut, b_cut = (any(pair[side].censored for pair in pairs) for side in (0, 1))
    if not pairs or (a_cut and b_cut) or any(min(a.value, b.value) <= 0 for a, b in pairs):
        return None
    centre, half = _student([math.log(a.value) - math.log(b.value) for a, b in pairs])
    value, censored = _exp(centre), a_cut or b_cut
    if half is None:
        return Interval(value, censored=censored)
    low = None if b_cut else _exp(centre - half)
    high = None if a_cut else _exp(centre + half)
    return Interval(value, low, high, censored)


def paired_difference(pairs: Sequence[tuple[float, float]]) -> Interval | None:
    """The difference a - b over rounds, from one (a, b) per round, with Student's interval; None without a pair."""
    if not pairs:
        return None
    centre, half = _student([a - b for a, b in pairs])
    if half is None:
        return Interval(tidy(centre))
    return Interval(tidy(centre), tidy(centre - half), tidy(centre + half))


def unpaired_ratio(first: Sequence[Interval], second: Sequence[Interval]) -> Interval | None:
    """The ratio second ÷ first of two groups of windows that share no rounds: Welch's t on the logarithms.

    (Welch, Biometrika 1947; whole degrees of freedom, rounded down.) Cut-off values make bounds, as in `paired_ratio`.
    """
    first_cut, second_cut = (any(figure.censored for figure in group) for group in (first, second))
    if not first or not second or (first_cut and second_cut) or any(figure.value <= 0 for figure in (*first, *second)):
        return None
    logs = [[math.log(figure.value) for figure in group] for group in (first, second)]
    centre = math.fsum(logs[1]) / len(logs[1]) - math.fsum(logs[0]) / len(logs[0])
    value, censored = _exp(centre), first_cut or second_cut
    half = _welch(*logs)
    if half is None:
        return Interval(value, censored=censored)
    low = None if first_cut else _exp(centre - half)
    high = None if second_cut else _exp(centre + half)
    return Interval(value, low, high, censored)


def ratio_of_means(first: Interval | None, second: Interval | None, counts: tuple[int, int]) -> Interval | None:
    """The ratio second ÷ first of two geometric means with their intervals, which `counts` values each went into.

    Welch's t again, as `unpaired_ratio`, where only the intervals are known any more.
    """
    if first is None or second is None or (first.censored and second.censored) or min(first.value, second.value) <= 0:
        return None
    centre, censored = math.log(second.value) - math.log(first.value), first.censored or second.censored
    variances = [_variance_of_mean(*side) for side in zip((first, second), counts, strict=True)]
    half = _welch_half(variances, counts)
    if half is None:
        return Interval(_exp(centre), censored=censored)
    low = None if first.censored else _exp(centre - half)
    high = None if second.censored else _exp(centre + half)
    return Interval(_exp(centre), low, high, censored)


def half_width(ratio: Interval | None) -> float | None:
    """Half the width of a ratio's interval on the logarithmic scale; None where it has none, or is open on a side."""
    if ratio is None or not ratio.low or ratio.high is None:
        return None
    return math.log(ratio.high / ratio.low) / 2


def lower(ratio: Interval | None) -> Difference:
    """Which side of a paired ratio is lower; no difference is shown where its interval contains 1."""
    if ratio is not None and ratio.high is not None and ratio.high < 1:
        return Difference.A_LOWER
    if ratio is not None and ratio.low is not None and ratio.low > 1:
        return Difference.B_LOWER
    return Difference.NOT_SHOWN


def _on_ladder(ladder_ms: Mapping[str, float], percentile: float) -> float:
    rungs = sorted((float(key), value) for key, value in ladder_ms.items())
    right = bisect_left(rungs, (percentile, -math.inf))
    if right == 0 or right == len(rungs):
        return rungs[min(right, len(rungs) - 1)][1]
    (below, slow), (above, slower) = rungs[right - 1], rungs[right]
    return slow + (slower - slow) * (percentile - below) / (above - below)


def _student(values: Sequence[float]) -> tuple[float, float | None]:
    """(mean, half the width of its interval); no width for fewer than two values."""
    count = len(values)
    centre = math.fsum(values) / count
    if count < 2:
        return centre, None
    variance = math.fsum((value - centre) ** 2 for value in values) / (count - 1)
    return centre, t_quantile(count - 1) * math.sqrt(variance / count)


def _welch(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Half the width of the interval of a difference of two means; None where a group has fewer than two values."""
    if min(len(first), len(second)) < 2:
        return None
    parts = []
    for group in (first, second):
        centre = math.fsum(group) / len(group)
        parts.append(math.fsum((value - centre) ** 2 for value in group) / (len(group) - 1) / len(group))
    return _welch_half(parts, (len(first), len(second)))


def _welch_half(variances: Sequence[float | None], counts: tuple[int, int]) -> float | None:
    """The same from the variances of the two means; None where one of them is not known."""
    known = [variance for variance in variances if variance is not None]
    if len(known) < len(counts):
        return None
    total = sum(known)
    if total == 0:
        return 0.0
    freedom = total**2 / sum(part**2 / (count - 1) for part, count in zip(known, counts, strict=True))
    return t_quantile(max(1, int(freedom))) * math.sqrt(total)


def _variance_of_mean(figure: Interval, count: int) -> float | None:
    """What a geometric mean varies by, on the logarithmic scale; by its lower limit, as the upper may be cut off."""
    if count < 2 or not figure.low:
        return None
    return (math.log(figure.value / figure.low) / t_quantile(count - 1)) ** 2


def _t_within(t: float, freedom: int) -> float:
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    odd = freedom % 2
    term = total = cosine if odd else 1.0
    for k in range(2 + odd, freedom, 2):
        term *= (k - 1) / k * cosine**2
        total += term
    if odd:
        series = math.sin(angle) * total if freedom > 1 else 0.0
        return 2 / math.pi * (angle + series)
    return math.sin(angle) * total


def _wilson(ratio: float, total: int) -> tuple[float, float]:
    square = WILSON_Z**2 / total
    centre = (ratio + square / 2) / (1 + square)
    half = WILSON_Z / (1 + square) * math.sqrt(ratio * (1 - ratio) / total + square / (4 * total))
    return max(0.0, centre - half), min(1.0, centre + half)


def _exp(logarithm: float) -> float:
    """The number of a logarithm, tidied up. Figures that nobody measures may lie further apart than numbers reach."""
    return tidy(math.exp(max(-FURTHEST, min(FURTHEST, logarithm))))


def tidy(value: float) -> float:
    """Six significant figures: more would be noise, and would differ between mathematics libraries."""
    return float(f"{value:.6g}")
