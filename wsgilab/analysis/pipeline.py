"""Windows → verdict: every figure with its interval, every server judged, every void window named. Pure.

The rule. Under one offered rate a server is good when every term of the SLO holds with its whole interval, bad when one
fails with its whole interval or the server died; windows that are all clearly on one side decide too; otherwise it is
inconclusive (`objective.judge`). A server is good when it is good at every rate measured, bad when it is bad at any.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from wsgilab.analysis import by_request, capacity, causes, claims, starts, stats, turns, window_rows
from wsgilab.analysis.capacity import Goal
from wsgilab.analysis.capacity_limits import capacity_row
from wsgilab.analysis.causes.answers import refused_ratio
from wsgilab.analysis.causes.evidence import Context, Evidence
from wsgilab.analysis.causes.slots import observe
from wsgilab.analysis.figures import Grouped, Measured, by_server_and_rate, combined, values, window_figures
from wsgilab.analysis.objective import judge
from wsgilab.analysis.reason import explain
from wsgilab.analysis.recommendation import answer
from wsgilab.model import words
from wsgilab.model.conditions import Conditions
from wsgilab.model.floor import Floor
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import Metric, Place, shown
from wsgilab.model.outcomes import Finding, Rating
from wsgilab.model.server import ServerFacts
from wsgilab.model.slo import Slo
from wsgilab.model.verdict import Claim, Comparison, LoadRow, ServerLog, ServerRow, Verdict, VoidWindow
from wsgilab.model.window import LoadResult, Window

MOST_COMPARED = 60
"""Servers: pairs grow with their square, and a file of a megabyte may name thousands."""


@dataclass(frozen=True)
class RunFacts:
    """What analysis must know about a run besides its windows."""

    servers: Sequence[ServerFacts]
    objective: Slo
    command: str = "run"
    engine: str = "unknown"
    workload: str = "unknown"
    rounds: int = 0
    own_traffic: bool = False
    """Whether the load is one of the user's, not a workload of the lab."""
    rates_rps: Sequence[float] = ()
    """What was to be offered, as far as it is known."""
    cores: int = 1
    """CPUs that the servers share."""
    floor: Sequence[Floor] = ()
    floor_unknown: str = ""
    paths_ms: Mapping[str, float] = field(default_factory=dict)
    conditions: Conditions = field(default_factory=Conditions)
    goal: Goal | None = None
    """How capacities were searched for. Servers of a search meet different rates for different times, so neither
    comparisons nor the lesson's claims can be drawn from it."""


def analyse(windows: Sequence[Window], run: RunFacts, problems: Sequence[str] = ()) -> Verdict:
    """Everything that these windows say. `problems`: what went wrong with reading them."""
    servers = _all_servers(windows, run.servers)
    alone = [window for window in windows if not window.plan.turns_with]
    measured = [Measured(window, window_figures(window)) for window in windows]
    grouped = by_server_and_rate(measured)
    context = causes.context([window for window in alone if window.void is None], run.objective, run.cores, servers)
    rows = tuple(_server_row(facts, grouped, alone, context) for facts in servers)
    crowd = len(servers) > MOST_COMPARED
    comparisons = () if run.goal or crowd else tuple(_compare(servers, grouped))
    found = Verdict(
        command=run.command,
        engine=run.engine,
        workload=run.workload,
        rounds=run.rounds,
        slo=str(run.objective),
        servers=_with_capacities(rows, alone, run, run.goal) if run.goal else rows,
        comparisons=comparisons,
        turns=tuple(turns.rows(windows, [facts.name for facts in servers])),
        claims=_claims(rows, comparisons, run),
        void_windows=tuple(_void_windows(windows)),
        windows=tuple(window_rows.rows(measured)),
        conditions=run.conditions,
        floor=tuple(run.floor),
        floor_unknown=run.floor_unknown,
        paths_ms=run.paths_ms,
        fresh_starts=sum(window.start_s > 0 for window in windows),
        fresh_starts_s=stats.tidy(sum(window.start_s for window in windows)),
        logs=tuple(_logs(windows)),
        problems=(
            *problems,
            *_missing_windows(alone, len(servers) * run.rounds, run.rates_rps),
            *([f"{len(servers)} servers are too many to be compared each with each: none is"] if crowd else []),
        ),
    )
    return found if run.command == "gate" else replace(found, answer=answer(found))


def _claims(rows: Sequence[ServerRow], comparisons: Sequence[Comparison], run: RunFacts) -> tuple[Claim, ...]:
    """What became of the lesson's claims, which no gate asks; of one's own traffic only what is decided is told."""
    found = () if run.goal or run.command == "gate" else claims.judge(rows, comparisons, run.workload)
    return tuple(claim for claim in found if not run.own_traffic or claim.result != Finding.INCONCLUSIVE)


def _all_servers(windows: Sequence[Window], servers: Sequence[ServerFacts]) -> list[ServerFacts]:
    """The servers as given, then those that only windows know."""
    given = {facts.name for facts in servers}
    names = dict.fromkeys(window.plan.server for window in windows)
    extra = [name for name in names if name not in given]
    return [*servers, *(ServerFacts(name, name, words.UNKNOWN, None, None) for name in extra)]


def _with_capacities(
    rows: Sequence[ServerRow], windows: Sequence[Window], run: RunFacts, goal: Goal
) -> tuple[ServerRow, ...]:
    tried = capacity.by_server(windows, run.objective)
    return tuple(capacity_row(row, tried.get(row.server, ()), goal, run.objective, run.cores) for row in rows)


def _server_row(facts: ServerFacts, grouped: Grouped, windows: Sequence[Window], context: Context) -> ServerRow:
    own = [window for window in windows if window.plan.server == facts.name]
    rates = sorted({window.plan.rate_rps for window in own})
    loads = [_load_row(rate, grouped.get((facts.name, rate), ()), own, context.objective) for rate in rates]
    alone = next((load for load in loads if load["service_ms"]), None)
    service = alone["service_ms"] if alone else None
    at_ease = (service.value, alone.rate_rps) if service and alone else (None, None)
    slots = observe(facts, [window for window in own if window.void is None], context.cores)

    def with_causes(load: LoadRow) -> LoadRow:
        valid = [one.window for one in grouped.get((facts.name, load.rate_rps), ())]
        evidence = Evidence(facts, load.rate_rps, valid, context, slots, *at_ease)
        return replace(load, causes=causes.find(evidence, load.rating)) if valid else load

    row = ServerRow(
        server=facts.name,
        pattern=facts.pattern,
        concurrency=facts.concurrency,
        slots=facts.slots,
        via=facts.via,
        service_ms=service,
        rating=_overall([load.rating for load in loads]),
        why="",
        loads=tuple(with_causes(load) for load in loads),
        variant_of=facts.variant_of,
        slots_seen=slots.seen,
        slots_configured=slots.configured,
        slots_full=slots.full,
    )
    return replace(row, why=explain(row))


def _load_row(rate: float, measured: Sequence[Measured], own: Sequence[Window], objective: Slo) -> LoadRow:
    figures = combined(measured)
    deaths = [one.window.died for one in measured if one.window.died]
    void = sum(1 for window in own if window.plan.rate_rps == rate and window.void is not None)
    requests = by_request.rows([one.window for one in measured], objective.by_request)
    rating, why = by_request.worst(judge(objective, figures, [one.figures for one in measured]), requests)
    if deaths:
        rating, why = Rating.BAD, f"died in {words.counted(len(deaths), 'window')} of {len(measured)}: {deaths[0]}"
    if not measured:
        rating, why = Rating.INCONCLUSIVE, f"no valid window: {words.counted(void, 'window')} void"
    usages = [one.window.usage for one in measured if one.window.usage]
    return LoadRow(
        rate_rps=rate,
        windows=len(measured),
        starts=starts.count(one.window for one in measured),
        void=void,
        rating=rating,
        why=why,
        figures=figures,
        deaths=len(deaths),
        throttled_s=sum(usage.throttled_s for usage in usages),
        listen_overflows=sum(usage.listen_overflows for usage in usages),
        oom_kills=sum(usage.oom_kills for usage in usages),
        refused_ratio=stats.tidy(refused_ratio([one.window for one in measured])),
        reused_ratio=_reused_ratio([one.window.load for one in measured if one.window.load]),
        requests=requests,
    )


def _reused_ratio(loads: Sequence[LoadResult]) -> float | None:
    answered = sum(count for load in loads for status, count in load.statuses.items() if status != "0")
    if not answered or any(load.reused is None for load in loads):
        return None
    return stats.tidy(sum(load.reused or 0 for load in loads) / answered)


def _overall(ratings: Sequence[Rating]) -> Rating:
    if Rating.BAD in ratings:
        return Rating.BAD
    return Rating.GOOD if ratings and set(ratings) == {Rating.GOOD} else Rating.INCONCLUSIVE


def _compare(servers: Sequence[ServerFacts], grouped: Grouped) -> Iterator[Comparison]:
    """Every pair of servers at every rate both were offered."""
    for rate in sorted({rate for _, rate in grouped}):
        by_server = {facts.name: grouped.get((facts.name, rate), ()) for facts in servers}
        for a, b in combinations([name for name, measured in by_server.items() if measured], 2):
            for metric in shown(Place.COMPARED):
                ratio = _ratio(metric, by_server[a], by_server[b])
                yield Comparison(a, b, rate, metric.key, ratio, stats.lower(ratio))


def _ratio(metric: Metric, a: Sequence[Measured], b: Sequence[Measured]) -> Interval | None:
    """a ÷ b: paired by round, for a round's windows share the machine's mood; by start, what belongs to that."""
    if metric.per_start:
        return stats.unpaired_ratio(values(metric, b), values(metric, a))
    ours, theirs = _by_round(a), _by_round(b)
    pairs = [
        (ours[number].figures[metric.key], theirs[number].figures[metric.key])
        for number in sorted(ours.keys() & theirs.keys())
    ]
    return stats.paired_ratio([(left, right) for left, right in pairs if left and right])


def _by_round(measured: Sequence[Measured]) -> dict[int, Measured]:
    return {one.window.plan.round: one for one in measured}


def _void_windows(windows: Sequence[Window]) -> Iterator[VoidWindow]:
    for window in windows:
        if window.void is not None:
            yield VoidWindow(window.plan.server, window.plan.rate_rps, window.plan.round, window.void)


def _logs(windows: Sequence[Window]) -> Iterator[ServerLog]:
    """The last of each server, in the order of the servers."""
    last = {window.plan.server: window for window in windows if window.log}
    for server in sorted(last):
        plan = last[server].plan
        yield ServerLog(server, plan.rate_rps, plan.round, last[server].log)


def _missing_windows(windows: Sequence[Window], each_rate: int, rates_rps: Sequence[float]) -> list[str]:
    planned = each_rate * len({*rates_rps, *(window.plan.rate_rps for window in windows)})
    if not windows:
        return ["no window was measured"]
    if len(windows) >= planned:
        return []
    return [f"the run is incomplete: {len(windows)} of {planned} windows were measured"]
