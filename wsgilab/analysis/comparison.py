"""Two runs side by side: what changed, with intervals, and whether they may be compared at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

from wsgilab.analysis import stats
from wsgilab.analysis.figures import Measured, by_server_and_rate, values, window_figures
from wsgilab.model import words
from wsgilab.model.conditions import Conditions
from wsgilab.model.interval import Interval
from wsgilab.model.manifest import Manifest, ServerEntry
from wsgilab.model.metrics import Mean, Metric, Place, shown
from wsgilab.model.outcomes import Difference, Shift
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window

CAPACITY = "capacity_rps"
COMPARED = [metric for metric in shown(Place.COLUMN) if metric.mean is not Mean.SHARE]
"""A share may be 0, and nothing has a ratio to that."""
SAME, GROUPS = ("engine", "workload", "duration_s", "warmup_s", "timeout_s", "grace_s"), ("host", "limits", "cpu_sets")
"""What must be equal for a difference to be the servers'. Of two apps one may want to know which is quicker."""
UNKNOWN_ORIGIN = "what a run was measured on is not known: its manifest is missing or damaged"
OF_ONE_RUN = re.compile(r"wsgilab-[^/\s]+")
"""The folder that the local engine makes for a run: another one each time, and no difference."""

Figures = Mapping[tuple[str, float], Mapping[str, Sequence[Interval]]]


@dataclass(frozen=True)
class Change:
    """One figure of one server under one rate, in both runs."""

    server: str
    rate_rps: float
    metric: str
    before: Interval | None
    after: Interval | None
    ratio: Interval | None
    """after ÷ before."""
    result: Shift
    """Not shown where the interval of the ratio contains 1."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        intervals = {name: getattr(self, name) for name in ("before", "after", "ratio")}
        return {**asdict(self), **{name: interval and interval.to_json() for name, interval in intervals.items()}}


def compare(before: Sequence[Window], after: Sequence[Window]) -> list[Change]:
    """Every figure that both runs measured, by server and rate as the second run has them."""
    first, second = _figures(before), _figures(after)
    return [
        _change(cell, metric, first[cell][metric.key], second[cell][metric.key])
        for cell in second
        if cell in first
        for metric in COMPARED
        if first[cell][metric.key] and second[cell][metric.key]
    ]


def compare_searches(before: Verdict, after: Verdict) -> list[Change]:
    """The capacities of every server that both verdicts of searches have.

    Each is known to lie between two rates, so the ratio lies between the ratios of their far ends.
    """
    first, second = ({row.server: row.capacity_rps for row in verdict.servers} for verdict in (before, after))
    return [
        Change(server, 0.0, CAPACITY, one, other, (ratio := _bracket_ratio(one, other)), _shift(ratio))
        for server, other in second.items()
        if (one := first.get(server)) and other
    ]


def _bracket_ratio(before: Interval, after: Interval) -> Interval | None:
    if before.censored and after.censored:
        return None
    low = after.low / before.high if after.low and before.high else None
    high = after.high / before.low if after.high and before.low else None
    return Interval(stats.tidy(after.value / before.value), low and stats.tidy(low), high and stats.tidy(high))


def _shift(ratio: Interval | None) -> Shift:
    lower = stats.lower(ratio)
    return {Difference.A_LOWER: Shift.LOWER, Difference.B_LOWER: Shift.HIGHER}.get(lower, Shift.NOT_SHOWN)


def only_in_one(before: Sequence[Window], after: Sequence[Window]) -> list[str]:
    """Servers at rates that only one of the runs measured, a sentence for each run."""
    first, second = ({(window.plan.server, window.plan.rate_rps) for window in run} for run in (before, after))
    said = []
    for name, own in (("first", first - second), ("second", second - first)):
        rates = {server: sorted(rate for other, rate in own if other == server) for server, _ in sorted(own)}
        cells = [f"{server} at {words.listed([f'{rate:g}' for rate in at])} rps" for server, at in rates.items()]
        if cells:
            said.append(f"Only in the {name} run: {', '.join(cells)}")
    return said


def obstacles(before: Conditions, after: Conditions) -> list[str]:
    """Why two runs cannot be compared, by their conditions: `CPUs of the servers 0 and 0-1`; empty where they can."""
    if before.unknown or after.unknown:
        return [UNKNOWN_ORIGIN]
    pairs: list[tuple[str, object, object]] = [
        (key.removesuffix("_s").replace("_", " "), _seconds(before, key), _seconds(after, key)) for key in SAME
    ]
    # Before it was written down, each request had one of its own unless somebody asked for something else.
    pairs.append(("", words.connections(bool(before.keep_alive)), words.connections(bool(after.keep_alive))))
    for group in GROUPS:
        first, second = getattr(before, group), getattr(after, group)
        for key in dict.fromkeys([*first, *second]):
            name = f"{group.replace('_', ' ')}: {key.replace('_', ' ')}"
            pairs.append((name, first.get(key), second.get(key)))
    return [
        f"{name} {_spoken(first)} and {_spoken(second)}".strip() for name, first, second in pairs if first != second
    ]


def settings(before: Manifest, after: Manifest) -> list[str]:
    """What was set or installed differently, which may explain a change."""
    return [*_versions(before, after), *_servers(before, after)]


def _figures(windows: Sequence[Window]) -> Figures:
    cells = by_server_and_rate([Measured(window, window_figures(window)) for window in windows])
    return {cell: {metric.key: values(metric, measured) for metric in COMPARED} for cell, measured in cells.items()}


def _change(cell: tuple[str, float], metric: Metric, before: Sequence[Interval], after: Sequence[Interval]) -> Change:
    ratio = stats.unpaired_ratio(before, after)
    return Change(*cell, metric.key, _summary(metric, before), _summary(metric, after), ratio, _shift(ratio))


def _summary(metric: Metric, group: Sequence[Interval]) -> Interval | None:
    if metric.mean is Mean.ARITHMETIC:
        return stats.mean([figure.value for figure in group])
    return stats.typical(group)


def _versions(before: Manifest, after: Manifest) -> Iterator[str]:
    for group in ("versions", "images"):
        old, new = getattr(before, group), getattr(after, group)
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield f"{key}: {_spoken(old.get(key))} → {_spoken(new.get(key))}"


def _servers(before: Manifest, after: Manifest) -> Iterator[str]:
    first, second = ({entry.name: entry for entry in run.servers} for run in (before, after))
    for name in second:
        if name not in first:
            continue
        old, new = first[name], second[name]
        yield from (f"{name}: {change}" for change in _command_changes(_command(old), _command(new)))
        ours, theirs = old.environment or {}, new.environment or {}
        for key in sorted({*ours, *theirs}):
            if ours.get(key) != theirs.get(key):
                yield f"{name}: {key} {ours.get(key)} → {theirs.get(key)}"


def _command(server: ServerEntry) -> list[str]:
    """The words of its command, without what differs from run to run."""
    command = server.command or ""
    text = command if isinstance(command, str) else " ".join(command)
    return OF_ONE_RUN.sub("wsgilab-RUN", text).split()


def _command_changes(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """`-w 4 → -w 8`: the words that differ, after the option that they belong to."""
    for what, start, end, begin, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        option = f"{old[start - 1]} " if start and old[start - 1].startswith("-") else ""
        first, second = " ".join(old[start:end]), " ".join(new[begin:stop])
        if first and second:
            yield f"{option}{first} → {option}{second}"
        else:
            yield f"{option}{first}, gone" if first else f"{option}{second}, new"


def _seconds(run: Conditions, key: str) -> object:
    """The value; a time with its unit."""
    value = getattr(run, key)
    return f"{value:g} s" if key.endswith("_s") and isinstance(value, int | float) else value


def _spoken(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
