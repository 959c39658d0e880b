"""What every report says besides figures: how it was measured, and on what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from wsgilab.model import words
from wsgilab.model.floor import Floor
from wsgilab.model.interval import Interval
from wsgilab.model.manifest import Manifest, ServiceEntry
from wsgilab.model.metrics import METRICS
from wsgilab.model.verdict import Verdict

KEYS = {
    "started_at": "Started",
    "finished_at": "Finished",
    "command": "Command",
    "engine": "Engine",
    "engine_why": "Why this engine",
    "workload": "Workload",
    "rates_rps": "Offered rates, rps",
    "rounds": "Rounds",
    "search": "Search",
    "generators": "k6 processes that share each schedule",
    "duration_s": "Window, s",
    "warmup_s": "Warm-up, s",
    "timeout_s": "Timeout, s",
    "slo": "SLO",
    "seed": "Seed of the order",
    "host": "Host",
    "cpu_sets": "CPU sets",
    "paths_ms": "Connection to the servers, ms",
    "limits": "Limits",
    "versions": "Versions",
    "origins": "Programs from",
    "state": "The app's folder",
}
"""What of the manifest a report shows, in this order. All of it is in manifest.json."""

OF_WINDOWS = frozenset({"duration_s", "warmup_s", "timeout_s", "slo"})
"""Of them, what clicks in a browser have none of."""

TURNS = ("Servers", "Rate", "Metric", "Now", "Before", "Change", "Windows")
OF_TURNS = (
    "The revisions also took turns, a tenth of a second each, for twice the length of a window, once in each round: a "
    "machine that others use changes its speed within seconds, and turns meet the same speed. A figure "
    "with the words 'taking turns' comes from there; the objective is judged by windows of each revision alone."
)
OF_THE_FLOOR = (
    "How much k6, the connection and the machine take is measured with a fixed answer of nginx at that rate. Only "
    "means add up exactly: of a percentile, it is about that much."
)
REUSE = (
    "Connections are reused: k6 has as few virtual users as the objective allows, each with a connection of its "
    "own, and opens a new one only where the server has closed it."
)
UNITS = {"mb": "MB", "s": "s", "rps": "rps"}
"""Last words of names in the manifest that are units."""


def floor(verdict: Verdict) -> str:
    """How much of each figure is not the server's; nothing of a search that did not ask."""
    return f"{_floor(verdict)} {_paths(verdict)}".strip()


def _floor(verdict: Verdict) -> str:
    if not verdict.floor and verdict.is_search and not verdict.floor_unknown:
        return ""
    if not verdict.floor:
        why = _because(verdict.floor_unknown)
        return words.stopped(f"It is not known how much of a response time is k6's own{why}")
    parts = [
        f"p50 {_ms(floor, 'p50_ms')} and p99 {_ms(floor, 'p99_ms')} at {words.rps(floor.rate_rps)}"
        for floor in verdict.floor
    ]
    rest = "the connection, the network and both machines" if verdict.paths_ms else "the connection and this machine"
    return f"Of every response time, k6, {rest} take about this much: {'; '.join(parts)}."


def _paths(verdict: Verdict) -> str:
    """How far load on other machines was from the servers; nothing for load of the machine that measured."""
    took = [f"{words.duration(Interval(ms))} from {name}" for name, ms in verdict.paths_ms.items()]
    return f"A connection to the servers' machine takes {words.listed(took)}." if took else ""


def turns(verdict: Verdict) -> list[tuple[str, ...]]:
    """What is different between servers that took turns: a row for each figure, with the columns of TURNS."""
    return [
        (
            f"{row.server} against {row.against}",
            words.rps(row.rate_rps),
            METRICS[row.metric].label,
            METRICS[row.metric].text(row.now),
            METRICS[row.metric].text(row.was),
            words.change(row.ratio),
            str(row.windows),
        )
        for row in verdict.turns
    ]


def not_asked(verdict: Verdict) -> Iterator[str]:
    """Which claims nothing can be said about, as this run lacks their servers: a sentence, or nothing."""
    lacking = [claim.needs for claim in verdict.claims if claim.needs]
    if lacking:
        servers = words.listed(list(dict.fromkeys(chain.from_iterable(lacking))))
        need = "it needs" if len(lacking) == 1 else "they need"
        yield f"{len(lacking)} more cannot be judged: {need} {servers} in the same run."


def about_load(verdict: Verdict) -> str:
    """What every report says of the load before its figures."""
    return f"{floor(verdict)} {_reuse(verdict)}".strip()


def connections(verdict: Verdict) -> tuple[str, ...]:
    """What requests did with connections, for the first line of a report; nothing where that is not known."""
    keep_alive = verdict.conditions.keep_alive
    return () if keep_alive is None else (words.connections(keep_alive),)


def _reuse(verdict: Verdict) -> str:
    """How many answers really came over a connection that was open already; empty where none was to be kept.

    A server may close it after each answer (gunicorn's sync workers), or before the next request comes.
    """
    if not verdict.conditions.keep_alive or verdict.is_search:
        return ""
    shares = [
        f"{row.server} {words.percent(Interval(share))}"
        for row in verdict.servers
        if row.loads and (share := row.loads[-1].reused_ratio) is not None
    ]
    if not shares:
        return ""
    at = words.rps(verdict.rates_rps[-1])
    return f"Answers that came over a connection opened by an earlier request, at {at}: {', '.join(shares)}."


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _ms(floor: Floor, key: str) -> str:
    return words.duration(Interval(floor.figures[key])) if key in floor.figures else words.UNKNOWN


def method(verdict: Verdict) -> tuple[str, ...]:
    """How the figures came about, a sentence or two each."""
    if verdict.is_search:
        return _search_method(verdict)
    return (
        "Open model: k6 sends requests on schedule whether or not earlier ones were answered, at the same offered rate "
        "to every server, one server at a time, in an order shuffled anew each round.",
        "Response time counts from setting up the connection to the last byte. Percentiles are over scheduled "
        "requests: one that failed, timed out, was dropped or was not answered by the end counts as slower than the "
        "timeout, and a percentile that falls there is printed with >.",
        "A figure is the mean of one value per window (the geometric mean for times, CPU and memory), with a 95 % "
        "interval by Student's t over windows, on the logarithmic scale for geometric means. Requests are not "
        "pooled, since those of one window are not independent. A single window has no interval. Shares of failed "
        "requests take the wider of that and Wilson's interval over requests.",
        "Comparisons are ratios within each round, with an interval by the same method; where it contains 1, no "
        "difference is shown.",
        *([OF_TURNS] if verdict.turns else []),
        "Memory belongs to the start of a server: windows of one start count as one value, a single start has no "
        f"interval, and comparisons are ratios over starts (Welch's t). {_starts(verdict)}".strip(),
        *([OF_THE_FLOOR] if verdict.floor else []),
        f"Verdict: under one rate a server is good when the whole interval keeps {verdict.slo}, or every window does "
        "by a factor of 2; bad when all of it misses, every window does by that factor, or the server died; otherwise "
        "inconclusive. Since percentiles count failures, a bound on p99 "
        "lets at most 1 % fail. A server is good when it is good at every rate and bad when it is bad at any.",
        *([REUSE] if verdict.conditions.keep_alive else []),
        "A window is void when the measurement failed, not the server. Void windows are listed and not counted.",
        "Memory is the largest proportional set size (PSS) seen, CPU that of all processes of the server; both include "
        "the nginx in front of a server, where there is one.",
    )


def _starts(verdict: Verdict) -> str:
    """How often servers were started, where rounds repeat anything."""
    if verdict.fresh_starts:
        took = f"{words.seconds(verdict.fresh_starts_s)} s in all"
        return f"Servers were started anew {verdict.fresh_starts} times between rounds, which took {took}."
    loads = [load for row in verdict.servers for load in row.loads]
    if any(load.windows > 1 for load in loads) and all(load.starts <= 1 for load in loads):
        return "Here each server was started once."
    return ""


def _search_method(verdict: Verdict) -> tuple[str, ...]:
    """How the capacities came about."""
    return (
        "Open model: k6 sends requests on schedule whether or not earlier ones were answered. Percentiles are over "
        "scheduled requests, failed ones as slower than the timeout.",
        f"Short windows double the rate until one misses {verdict.slo} and halve the gap; long windows then decide: "
        "one where it is a factor of two away from the bound, else two of three. A capacity is the highest rate that "
        "kept the objective for so long; next to it are the highest rate below every long window that missed, and "
        "the lowest rate that missed.",
        *_starts_of_a_search(verdict),
        *([OF_THE_FLOOR] if verdict.floor else []),
        "At least: k6's own limit, or the largest rate allowed, ended the search, not the server.",
        "Slots ÷ time in the app and CPUs ÷ CPU time per request are what a server could serve at most; the lower one "
        "is the limit, where the capacity comes near it.",
    )


def _starts_of_a_search(verdict: Verdict) -> Iterator[str]:
    if verdict.fresh_starts:
        took = f"{verdict.fresh_starts} fresh starts took {words.seconds(verdict.fresh_starts_s)} s"
        yield f"Each long window has a fresh start of its server, so that no capacity is the luck of one: {took}."


def facts(manifest: Manifest) -> list[tuple[str, str]]:
    """(label, value) of what the manifest knows, in a fixed order."""
    keys = [key for key in KEYS if manifest.command != "vitals" or key not in OF_WINDOWS]
    known = {
        key: value
        for key in keys
        if (value := getattr(manifest, key)) not in (None, "", {}, ()) and (key, value) != ("rounds", 0)
    }
    shown = [(label, _text(known[key])) for key, label in KEYS.items() if key in known]
    return [*shown, *(("Service", _service(service)) for service in manifest.services)]


def _service(service: ServiceEntry) -> str:
    """What the app talked to, where it ran, and what it took; that is charged to no server."""
    used = f", {service.cpu_s:.1f} s CPU in all" if service.cpu_s is not None else ""
    where = f" on CPU {service.cpus}" if service.cpus else ""
    told = f"; the app finds it by {', '.join(service.exports)}" if service.exports else ""
    return f"{service.name}: {service.about or words.UNKNOWN}{where}{used}, charged to no server{told}"


def commands(manifest: Manifest) -> list[tuple[str, str]]:
    """(server, the command that started it)."""
    return [(entry.name, _text(entry.command, " ")) for entry in manifest.servers if entry.command]


def _named(key: str, item: Any) -> str:
    """`cpus 2`, `memory 24105 MB`; a version that begins with the name of its program stands alone."""
    text = _text(item)
    if text.startswith(f"{key} "):
        return text
    name, _, unit = key.rpartition("_")
    if unit in UNITS:
        return f"{name.replace('_', ' ')} {text} {UNITS[unit]}"
    return f"{key.replace('_', ' ')} {text}"


def _text(value: Any, joint: str = ", ") -> str:
    if isinstance(value, Mapping):
        return ", ".join(_named(str(key), item) for key, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return joint.join(_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
