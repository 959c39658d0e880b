"""Figures as a person writes them: `24.1 ms (23.8–24.6)`, `2.4 s`, `> 10 s`. For every sentence with a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wsgilab.model.interval import Interval

UNKNOWN = "—"
SECONDS_FROM_MS = 999.5  # what would round to 1000 ms
TIMES_FROM = 2.0  # above, a factor says more than a percentage


def number(value: float) -> str:
    """Three figures at most, never fewer digits than the whole part: 0.28, 2.41, 24.1, 241, 2410."""
    for limit, decimals in ((9.995, 2), (99.95, 1)):
        if abs(value) < limit:
            return f"{value:.{decimals}f}"
    return f"{value:.0f}"


def seconds(value: float) -> str:
    """Seconds with one decimal, without it when it says nothing: 2.4, 10."""
    return f"{value:.0f}" if value >= 99.95 or value == int(value) else f"{value:.1f}"


def duration(ms: Interval | None) -> str:
    """A duration given in ms: `24.1 ms`, `2.4 s`, `> 10 s` where it was cut off."""
    return _phrase(ms, *_duration_scale(ms))


def round_duration(ms: float) -> str:
    """A duration that somebody chose: `250 ms`, `1.5 s`."""
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


def duration_range(ms: Interval | None) -> str:
    """The 95 % interval of a duration in the unit that `duration` chose: `23.8–24.6`; empty where there is none."""
    return _range(ms, *_duration_scale(ms)[:2])


def amount(figure: Interval | None, unit: str, decimals: int | None = None) -> str:
    """A figure with its unit: `3.12 ms`, `118 MB`, `100 rps`. `decimals` None means three significant figures."""
    return _phrase(figure, *_amount_scale(decimals), f" {unit}" if unit else "")


def amount_range(figure: Interval | None, decimals: int | None = None) -> str:
    """The 95 % interval of `amount`."""
    return _range(figure, *_amount_scale(decimals))


def percent(ratio: Interval | None) -> str:
    """A ratio as a percentage: `0 %`, `0.4 %`, `57 %`."""
    return _phrase(ratio, 100.0, _percentage, " %")


def percent_range(ratio: Interval | None) -> str:
    """The 95 % interval of `percent`."""
    return _range(ratio, 100.0, _percentage)


def with_range(text: str, interval: str) -> str:
    """`24.1 ms (23.8–24.6)`, or the text alone where there is no interval."""
    return f"{text} ({interval})" if interval else text


def full_duration(ms: Interval | None) -> str:
    """A duration and its interval."""
    return with_range(duration(ms), duration_range(ms))


def ratio(figure: Interval | None) -> str:
    """`1.30`; `at least 410` or `at most 0.02` where one side was cut off."""
    if figure is None or not figure.censored:
        return amount(figure, "")
    # Of one window each there are no limits to tell by; who was cut off there was the slower one.
    above = figure.value >= 1 if figure.low is None and figure.high is None else figure.high is None
    return f"{'at least' if above else 'at most'} {number(figure.value)}"


def full_ratio(figure: Interval | None) -> str:
    """A ratio and its interval; a bound has none."""
    return with_range(ratio(figure), amount_range(figure))


def change(figure: Interval | None) -> str:
    """A ratio after ÷ before as what it changed, with its interval: `+10 % (+8.1 to +12)`, `2.4 times (2.1–2.7)`."""
    if figure is None or figure.censored or figure.value >= TIMES_FROM:
        return with_range(f"{ratio(figure)} times", amount_range(figure)) if figure else UNKNOWN
    text = f"{signed_percent(figure.value)} %"
    if figure.low is None or figure.high is None:
        return text
    return f"{text} ({signed_percent(figure.low)} to {signed_percent(figure.high)})"


def signed_percent(ratio: float) -> str:
    """`+10`, `−2.1`, `0` of a ratio after ÷ before."""
    percent = (ratio - 1) * 100
    text = f"{abs(percent):.0f}" if abs(percent) >= 9.95 else f"{abs(percent):.1f}"
    return "0" if float(text) == 0 else f"{'+' if percent > 0 else '−'}{text}"


def rps(rate: float) -> str:
    """A rate that somebody chose: `100 rps`, `12.5 rps`."""
    return f"{rate:g} rps"


def capacity(rate: Interval | None) -> str:
    """A capacity that was searched for: `172 rps`, `at least 3000 rps`, `none`."""
    if rate is None:
        return "none"
    return f"{'at least ' if rate.censored else ''}{rate.value:g} rps"


def capacity_range(rate: Interval | None) -> str:
    """The rates around a capacity: `169–176`; empty where one of them is not known."""
    if rate is None or rate.low is None or rate.high is None:
        return ""
    return f"{rate.low:g}–{rate.high:g}"


def limit(rate: float | None) -> str:
    """A rate that was computed: `179 rps`."""
    return UNKNOWN if rate is None else f"{rate:.0f} rps"


def connections(keep_alive: bool) -> str:
    """What requests did with connections: `reused connections`."""
    return "reused connections" if keep_alive else "a new connection for each request"


def listed(items: Sequence[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {joint} ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else list(items))


def sentence(text: str) -> str:
    """The text with a capital letter and a full stop, or with the mark that it ends in: `Is it?`."""
    return stopped(f"{text[:1].upper()}{text[1:]}")


def stopped(text: str) -> str:
    """The text with a full stop, or with the mark that it ends in."""
    return text if text.endswith(("?", "!", ".")) else f"{text}."


def counted(count: int, noun: str) -> str:
    """`1 window`, `3 windows`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _phrase(figure: Interval | None, scale: float, write: Callable[[float], str], unit: str) -> str:
    if figure is None:
        return UNKNOWN
    return f"{'> ' if figure.censored else ''}{write(figure.value * scale)}{unit}"


def _range(figure: Interval | None, scale: float, write: Callable[[float], str]) -> str:
    if figure is None or figure.low is None or figure.high is None:
        return ""
    return f"{write(figure.low * scale)}–{write(figure.high * scale)}"


def _duration_scale(ms: Interval | None) -> tuple[float, Callable[[float], str], str]:
    in_seconds = ms is not None and ms.value >= SECONDS_FROM_MS
    return (0.001, seconds, " s") if in_seconds else (1.0, number, " ms")


def _amount_scale(decimals: int | None) -> tuple[float, Callable[[float], str]]:
    return 1.0, number if decimals is None else lambda value: f"{value:.{decimals}f}"


def _percentage(value: float) -> str:
    if value == 0 or value >= 9.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.095 else f"{value:.2f}"
