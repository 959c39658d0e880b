"""Which server to use, and why: the sentences that every report begins with. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wsgilab.analysis import equal_slots, first_line
from wsgilab.analysis.causes.evidence import program
from wsgilab.analysis.claim_servers import DEV, DEV_SINGLE
from wsgilab.model import words
from wsgilab.model.metrics import METRICS, TABLE
from wsgilab.model.outcomes import Difference, Limit, Rating
from wsgilab.model.verdict import Comparison, ServerRow, Verdict

MOST_FIGURES = 3
"""Servers whose figure is written out. With more, a sentence becomes a table, and there is one below."""
BEST = [metric for metric in TABLE if metric.best]
FOR_DEVELOPMENT = (
    "made for development: one process on one core, a new connection for every request, a debugger one switch away"
)
MAINTENANCE = "uWSGI is in maintenance mode: it gets fixes, no features."


def answer(verdict: Verdict) -> tuple[str, ...]:
    """What to use, then why, a sentence each; empty where nothing was measured."""
    if not any(load.windows for row in verdict.servers for load in row.loads):
        return ()
    return tuple(_of_a_search(verdict) if verdict.is_search else _of_a_run(verdict))


def _of_a_run(verdict: Verdict) -> Iterator[str]:
    highest = verdict.rates_rps[-1]
    fit = _for_production(verdict.servers)
    reach = max(map(_reach, fit))
    leaders = [row for row in fit if reach and _reach(row) == reach]
    yield from first_line.what_decided(verdict, highest)
    if first_line.lies_in_the_app(fit, highest):
        yield from _the_apps(leaders)
    elif leaders:
        up_to = "" if reach == highest else f", up to {words.rps(reach)}"
        yield f"{'With these settings, use' if equal_slots.differ(verdict) else 'Use'} {_names(leaders, 'or')}{up_to}."
        yield _kept(verdict, leaders, reach)
        yield from _best(verdict.comparisons, leaders, reach)
        yield from _maintained(leaders)
    else:
        nobody = f"{_names(fit)} was not" if len(fit) == 1 else "No server was"
        yield f"{nobody} shown to keep {verdict.slo}."
    if reach < highest:
        yield from _undecided(verdict.servers, highest)
    yield from _without_a_window(verdict.servers, highest)
    yield from _development([row for row in verdict.servers if reach and _reach(row) >= reach])
    yield from equal_slots.sentences(verdict, reach or verdict.rates_rps[0])
    if max(load.windows for row in verdict.servers for load in row.loads) == 1:
        yield "One window each and no intervals: a first look."


def _the_apps(leaders: Sequence[ServerRow]) -> Iterator[str]:
    """What is said in place of a recommendation where the app is what must change."""
    kept = f"{_names(leaders)} kept the objective, but the" if leaders else "The"
    yield f"{kept} cause lies in the app, so no server is recommended."


def _of_a_search(verdict: Verdict) -> Iterator[str]:
    found = sorted((row for row in verdict.servers if row.capacity_rps), key=lambda row: -_capacity(row))
    if not found:
        yield f"No server was shown to keep {verdict.slo} at any rate."
        return
    fit = [row for row in _for_production(verdict.servers) if row in found] or found
    most = max(fit, key=_capacity)
    leaders = [row for row in found if row in fit and _highest(row) >= _lowest(most)]
    if len(verdict.servers) > 1:
        yield f"{_names(leaders)} {'carries' if len(leaders) == 1 else 'carry'} the most."
    yield f"Highest rate that keeps {verdict.slo}: {', '.join(map(_carried, found))}."
    if len(leaders) > 1:
        yield f"The ranges of {_names(leaders)} overlap: none of them is shown to carry more than another."
    yield from _what_limits(found)
    yield from _maintained(leaders)
    yield from _development([row for row in found if _highest(row) >= _lowest(most)])


def _for_production(servers: Sequence[ServerRow]) -> Sequence[ServerRow]:
    """The servers that may be recommended; Flask's built-in one only where no other was measured."""
    return [row for row in servers if not _built_in(row)] or servers


def _built_in(row: ServerRow) -> bool:
    return bool({row.server, row.variant_of} & {DEV, DEV_SINGLE})


def _names(rows: Sequence[ServerRow], joint: str = "and") -> str:
    return words.listed([row.server for row in rows], joint)


def _reach(row: ServerRow) -> float:
    """The highest rate that the server is good at, as at every lower one; 0 where there is none."""
    reach = 0.0
    for load in row.loads:
        if load.rating != Rating.GOOD:
            break
        reach = load.rate_rps
    return reach


def _kept(verdict: Verdict, leaders: Sequence[ServerRow], reach: float) -> str:
    """`It kept p99<250ms up to 250 rps, the highest rate offered: p99 63.6 ms (50.1–80.0).`"""
    end = ", the highest rate offered" if reach == verdict.rates_rps[-1] and len(verdict.rates_rps) > 1 else ""
    kept = f"kept {verdict.slo} {'at' if len(verdict.rates_rps) == 1 else 'up to'} {words.rps(reach)}{end}"
    p99 = [(row.server, words.full_duration(load["p99_ms"])) for row in leaders if (load := row.at(reach))]
    if len(leaders) == 1:
        return f"It {kept}: p99 {p99[0][1]}."
    figures = f": p99 {', '.join(' '.join(pair) for pair in p99)}" if len(leaders) <= MOST_FIGURES else ""
    return f"They {kept}{figures}."


def _best(comparisons: Sequence[Comparison], leaders: Sequence[ServerRow], rate_rps: float) -> Iterator[str]:
    """What one of several leaders does better than every other, by paired comparisons."""
    names = [row.server for row in leaders]
    for metric in BEST:
        pairs = [pair for pair in comparisons if (pair.rate_rps, pair.metric) == (rate_rps, metric.key)]
        lower = {(pair.a, pair.b) for pair in pairs if pair.result == Difference.A_LOWER}
        lower |= {(pair.b, pair.a) for pair in pairs if pair.result == Difference.B_LOWER}
        for name in names:
            others = [other for other in names if other != name]
            if others and all((name, other) in lower for other in others):
                yield f"Of these, {name} has {metric.best}."


def _undecided(servers: Sequence[ServerRow], rate_rps: float) -> Iterator[str]:
    """Where more rounds may settle it."""
    rows = [
        row for row in servers if (load := row.at(rate_rps)) and load.windows and load.rating is Rating.INCONCLUSIVE
    ]
    if rows:
        be = "is" if len(rows) == 1 else "are"
        yield f"At {words.rps(rate_rps)} {_names(rows)} {be} undecided, and more rounds may settle it."


def _without_a_window(servers: Sequence[ServerRow], rate_rps: float) -> Iterator[str]:
    rows = [row for row in servers if (load := row.at(rate_rps)) and not load.windows]
    if rows:
        yield f"Nothing is known of {_names(rows)} at {words.rps(rate_rps)}: every window was void."


def _maintained(rows: Sequence[ServerRow]) -> Iterator[str]:
    """What no figure tells of the servers that are recommended."""
    if any(program(row.variant_of or row.server) == "uWSGI" for row in rows):
        yield MAINTENANCE


def _development(rows: Sequence[ServerRow]) -> Iterator[str]:
    """The caution that no figure of a benchmark gives."""
    built_in = [row for row in rows if _built_in(row)]
    if built_in:
        as_well = " did as well, but" if len(built_in) < len(rows) else ""
        yield f"{_names(built_in)}{as_well} {'is' if len(built_in) == 1 else 'are'} {FOR_DEVELOPMENT}."


def _what_limits(rows: Sequence[ServerRow]) -> Iterator[str]:
    """`Limited by slots: gunicorn (4) and uwsgi-single (1); by CPU: uwsgi.`"""
    slots = [f"{row.server} ({row.slots_used})" for row in rows if row.limited_by is Limit.SLOTS]
    cpu = [row.server for row in rows if row.limited_by is Limit.CPU]
    parts = [f"by slots: {words.listed(slots)}"] if slots else []
    parts += [f"by CPU: {words.listed(cpu)}"] if cpu else []
    if parts:
        yield f"Limited {'; '.join(parts)}."


def _capacity(row: ServerRow) -> float:
    return row.capacity_rps.value if row.capacity_rps else 0.0


def _lowest(row: ServerRow) -> float:
    return (row.capacity_rps and row.capacity_rps.low) or _capacity(row)


def _highest(row: ServerRow) -> float:
    return (row.capacity_rps and row.capacity_rps.high) or _capacity(row)


def _carried(row: ServerRow) -> str:
    """`uwsgi 298 rps (290–305)`."""
    return f"{row.server} {METRICS['capacity_rps'].full(row.capacity_rps)}"
