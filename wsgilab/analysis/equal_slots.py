"""How servers differ where they have the same slots: else a comparison of servers is one of their settings. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from wsgilab.analysis import first_line
from wsgilab.analysis.causes.evidence import program
from wsgilab.analysis.causes.slots import needed
from wsgilab.analysis.claim_servers import DEV, DEV_SINGLE
from wsgilab.model import words
from wsgilab.model.outcomes import Difference, Rating
from wsgilab.model.verdict import ServerRow, Verdict

METRICS = (("p99_ms", "has a lower p99"), ("cpu_ms_per_request", "uses less CPU per request"))
DEFAULT_WORKLOAD = "mix"


def sentences(verdict: Verdict, rate_rps: float) -> Iterator[str]:
    """What servers with the same slots differ in, or the command that would tell; nothing where slots decided nothing.

    `rate_rps`: the highest that some of them kept, else the lowest offered.
    """
    same = _same_slots(verdict.servers, rate_rps)
    if same:
        yield _difference(verdict, same, rate_rps)
    elif first_line.wants_slots(verdict, verdict.rates_rps[-1]) and (command := _command(verdict)):
        yield f"This run compares settings as much as servers. With equal slots: {command}"


def differ(verdict: Verdict) -> bool:
    """Whether slots decided, and the servers do not all have the same."""
    counts = {row.slots_used for row in verdict.servers}
    return len(counts) > 1 and first_line.wants_slots(verdict, verdict.rates_rps[-1])


def _same_slots(servers: Sequence[ServerRow], rate_rps: float) -> list[ServerRow]:
    """The largest group of several programs with the same slots, all of which did not miss the objective."""
    groups: dict[int, list[ServerRow]] = defaultdict(list)
    for row in _for_production(servers):
        if row.slots_used and (load := row.at(rate_rps)) and load.windows and load.rating is not Rating.BAD:
            groups[row.slots_used].append(row)
    told = [group for count, group in sorted(groups.items()) if len({_program(row) for row in group}) > 1]
    return max(told, key=lambda group: (len(group), group[0].slots_used or 0), default=[])


def _difference(verdict: Verdict, rows: Sequence[ServerRow], rate_rps: float) -> str:
    """`With 8 slots each, at 250 rps: uwsgi uses less CPU per request than granian; no difference in p99 shown.`"""
    names = [row.server for row in rows]
    parts = []
    for metric, better in METRICS:
        pairs = [
            (pair.a, pair.b) if pair.result is Difference.A_LOWER else (pair.b, pair.a)
            for pair in verdict.comparisons
            if {pair.a, pair.b} <= set(names)
            and (pair.rate_rps, pair.metric) == (rate_rps, metric)
            and pair.result is not Difference.NOT_SHOWN
        ]
        winners = dict.fromkeys(winner for winner, _ in pairs)
        parts += [
            f"{winner} {better} than {words.listed([loser for first, loser in pairs if first == winner])}"
            for winner in winners
        ]
    told = "; ".join(parts) or "no difference in p99 or CPU per request shown"
    count = words.counted(rows[0].slots_used or 0, "slot")
    return f"With {count} each ({words.listed(names)}), at {words.rps(rate_rps)}: {told}."


def _command(verdict: Verdict) -> str:
    """A line that can be pasted: the same servers with slots enough for the highest rate."""
    rows = _for_production(verdict.servers)
    names = list(dict.fromkeys(row.variant_of or row.server for row in rows))
    # With the same slots uwsgi-single is uwsgi.
    names = [
        name for name in names if name.removesuffix("-single") == name or name.removesuffix("-single") not in names
    ]
    service_ms = first_line.typical_service_ms(verdict.servers)
    if len({_program(row) for row in rows}) < 2 or service_ms is None:
        return ""
    rate = verdict.rates_rps[-1]
    # The fewest that some server has and that will do; else a third more than the least: at the very limit all queue.
    least = needed(rate, service_ms)
    enough = [row.slots for row in rows if row.slots and least < row.slots <= 2 * least]
    count = min(enough, default=needed(rate * 4 / 3, service_ms))
    workload = "" if verdict.workload == DEFAULT_WORKLOAD else f" --workload '{verdict.workload}'"
    return f"./lab run --slots {count} --servers {','.join(names)}{workload} --rate {rate:g}"


def _for_production(servers: Sequence[ServerRow]) -> list[ServerRow]:
    return [row for row in servers if not {row.server, row.variant_of} & {DEV, DEV_SINGLE}]


def _program(row: ServerRow) -> str:
    return program(row.variant_of or row.server)
