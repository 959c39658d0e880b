"""What decided a run, in the sentences that a report begins with: the cause before the servers. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from wsgilab.analysis.causes.slots import needed
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Rating
from wsgilab.model.verdict import ServerRow, Verdict

IN_THE_APP = (Kind.ANSWER, Kind.DEATH, Kind.APP)

Missed = tuple[ServerRow, Cause]


def what_decided(verdict: Verdict, rate_rps: float) -> Iterator[str]:
    """Why servers missed the objective at this rate, a sentence for each cause, in the order of the evidence."""
    missed = list(_missed(verdict.servers, rate_rps))
    if app := _every_servers(verdict.servers, missed, rate_rps):
        everywhere = "under every server: " if len(missed) > 1 and not app.sentence.startswith("the app") else ""
        yield words.sentence(f"{everywhere}{app.sentence}")
        return
    slots = [row for row, cause in missed if _wants_slots(row, cause)]
    for kind in Kind:
        of_kind = [(row, cause) for row, cause in missed if cause.kind is kind and row not in slots]
        yield from _limited_by_cpu(of_kind, rate_rps) if kind is Kind.CPU else _by_sentence(of_kind)
        if kind is Kind.SLOTS and slots:
            yield _too_few(verdict, slots, rate_rps)
    yield from _unexplained(verdict.servers, rate_rps)


def lies_in_the_app(servers: Sequence[ServerRow], rate_rps: float) -> bool:
    """Whether some server missed the objective for a reason that no other server would cure."""
    return any(cause.of_app and cause.kind in IN_THE_APP for _, cause in _missed(servers, rate_rps))


def wants_slots(verdict: Verdict, rate_rps: float) -> bool:
    """Whether some server missed the objective for want of slots."""
    return any(_wants_slots(row, cause) for row, cause in _missed(verdict.servers, rate_rps))


def typical_service_ms(servers: Sequence[ServerRow]) -> float | None:
    """The time inside the app where it was least disturbed: the median over servers."""
    known = [row.service_ms.value for row in servers if row.service_ms]
    return median(known) if known else None


def _missed(servers: Sequence[ServerRow], rate_rps: float) -> Iterator[Missed]:
    for row in servers:
        load = row.at(rate_rps)
        if load and load.windows and load.rating is Rating.BAD:
            if load.deaths:
                yield row, Cause(Kind.DEATH, load.why)
            elif load.cause:
                yield row, load.cause


def _every_servers(servers: Sequence[ServerRow], missed: Sequence[Missed], rate_rps: float) -> Cause | None:
    """The cause that is the app's, where every server that was measured has one of that kind."""
    measured = [row for row in servers if (load := row.at(rate_rps)) and load.windows]
    kinds = {cause.kind for _, cause in missed}
    if len(missed) < len(measured) or len(kinds) != 1 or not all(cause.of_app for _, cause in missed):
        return None
    return missed[0][1]


def _wants_slots(row: ServerRow, cause: Cause) -> bool:
    return cause.kind is Kind.SLOTS and not cause.of_app and row.slots_used is not None and _is_law(cause)


def _is_law(cause: Cause) -> bool:
    """Whether it is that of too few slots, and not of requests that do not overlap."""
    return cause.sentence.startswith("limited by slots")


def _too_few(verdict: Verdict, rows: Sequence[ServerRow], rate_rps: float) -> str:
    """`250 rps of 23 ms each need at least 6 slots: gunicorn has 4, dev-single and uwsgi-single have 1.`"""
    service_ms = typical_service_ms(verdict.servers) or 0.0
    by_slots: dict[int, list[ServerRow]] = {}
    for row in sorted(rows, key=lambda row: -(row.slots_used or 0)):
        by_slots.setdefault(row.slots_used or 0, []).append(row)
    have = [f"{_names(same)} {'has' if len(same) == 1 else 'have'} {count}" for count, same in by_slots.items()]
    # Near the limit whole slots seem enough, and a queue grows all the same.
    least = max(needed(rate_rps, service_ms), max(by_slots) + 1)
    service = words.duration(Interval(service_ms))
    return f"{words.rps(rate_rps)} of {service} each need at least {least} slots: {', '.join(have)}."


def _limited_by_cpu(missed: Sequence[Missed], rate_rps: float) -> Iterator[str]:
    """One sentence, with the figures of the server that needs the least."""
    if missed:
        cheapest = min(missed, key=lambda pair: _cpu_ms(pair[0], rate_rps))
        rows = [row for row, _ in missed]
        if len(rows) == 1:
            yield f"{_names(rows)} is {cheapest[1].sentence}."
        else:
            yield f"{_names(rows)} are {cheapest[1].sentence} ({cheapest[0].server}, which needs the least)."


def _by_sentence(missed: Sequence[Missed]) -> Iterator[str]:
    """A sentence for each cause, with the servers that share it."""
    for sentence in dict.fromkeys(cause.sentence for _, cause in missed):
        names = _names([row for row, cause in missed if cause.sentence == sentence])
        yield names + words.sentence(f": {sentence}")


def _unexplained(servers: Sequence[ServerRow], rate_rps: float) -> Iterator[str]:
    rows = [
        row
        for row in servers
        if (load := row.at(rate_rps))
        and load.windows
        and load.rating is Rating.BAD
        and load.cause is None
        and not load.deaths
    ]
    if rows:
        yield f"{_names(rows)} missed the objective at {words.rps(rate_rps)}, and nothing measured explains it."


def _cpu_ms(row: ServerRow, rate_rps: float) -> float:
    load = row.at(rate_rps)
    figure = load["cpu_ms_per_request"] if load else None
    return figure.value if figure else float("inf")


def _names(rows: Sequence[ServerRow]) -> str:
    return words.listed([row.server for row in rows])
