"""An earlier run as what an app is compared with: a verdict.json, which may stand alone, or the folder of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from wsgilab.analysis.comparison import UNKNOWN_ORIGIN, obstacles
from wsgilab.analysis.gate import missing
from wsgilab.errors import UsageError, Verbatim, to_paste
from wsgilab.lab.workloads import SCRIPT, TRAFFIC
from wsgilab.model import words
from wsgilab.model.conditions import Conditions
from wsgilab.model.controls import all_visible, visible
from wsgilab.model.interval import Interval
from wsgilab.model.metrics import Place, shown
from wsgilab.model.outcomes import Rating
from wsgilab.model.privacy import without_home
from wsgilab.model.request import SEARCHES, Request
from wsgilab.model.verdict import VERDICT_SCHEMA, LoadRow, ServerRow, Verdict
from wsgilab.results.folder import VERDICT
from wsgilab.results.saved import converted


class _Load(msgspec.Struct):
    rate_rps: float
    windows: int
    starts: int = 0


class _Server(msgspec.Struct):
    server: str
    loads: list[dict[str, Any]]


class _File(msgspec.Struct):
    """What of verdict.json a baseline needs."""

    schema: int
    command: str
    workload: str
    slo: str
    servers: list[_Server]
    rounds: int = 0
    conditions: Conditions = msgspec.field(default_factory=Conditions)


def read(path: Path) -> Verdict:
    """The figures of an earlier run. Raises UsageError where there are none that can be used."""
    file = path / VERDICT if path.is_dir() else path
    try:
        return from_text(file.read_bytes())
    except OSError as error:
        cause = "a typo, or a run that did not get that far"
        raise UsageError(
            f"{name_of(file)} cannot be read: {error.strerror}.", cause, to_paste("ls", file.parent)
        ) from error
    except (ValueError, RecursionError) as error:
        raise _no_verdict(file, path) from error


def from_text(text: str | bytes) -> Verdict:
    """What a baseline needs of a verdict.json. Raises ValueError or RecursionError for anything else."""
    found: _File = converted(json.loads(text), _File)
    if found.schema != VERDICT_SCHEMA or found.command in SEARCHES:
        raise ValueError("no verdict of a run")
    verdict = Verdict(
        command=found.command,
        engine=found.conditions.engine or "",
        workload=found.workload,
        rounds=found.rounds,
        slo=found.slo,
        servers=tuple(_row(server) for server in found.servers),
        comparisons=(),
        claims=(),
        void_windows=(),
        conditions=found.conditions,
    )
    return all_visible(verdict)


def as_text(verdict: Verdict, servers: Sequence[str], rates_rps: Sequence[float]) -> str:
    """What a gate of these servers and rates needs of a baseline, for `from_text`: a request takes it along."""
    rows = tuple(
        replace(row, loads=tuple(load for load in row.loads if load.rate_rps in rates_rps))
        for row in verdict.servers
        if row.server in servers
    )
    return json.dumps(replace(verdict, servers=rows).to_json(), separators=(",", ":"))


def name_of(path: Path) -> str:
    """How reports name a baseline."""
    return visible(without_home(str(path), os.path.expanduser("~")))


def require_comparable(before: Verdict, now: Conditions, path: Path, side_by_side: str) -> None:
    """Raise UsageError where another machine, load or app made the baseline, naming what differs.

    `now` may know less than the baseline does: before a run it does. `side_by_side`: the command that needs none.
    """
    then = before.conditions.as_far_as(now)
    differences = [UNKNOWN_ORIGIN] if before.conditions.unknown else obstacles(then, now)
    if then.app != now.app:
        differences = [*differences, f"app {then.app} and {now.app}"]
    if not differences:
        return
    cause = (
        "another machine, other limits or another load change figures as the app does; a revision that is measured in "
        "the same run is fair everywhere"
    )
    if differences[0] == UNKNOWN_ORIGIN:
        cause = "an earlier version of the lab wrote it (`./lab report` writes it anew), or its manifest was lost"
    raise UsageError(f"{name_of(path)} cannot be the baseline here: {'; '.join(differences)}.", cause, side_by_side)


def require_measured(before: Verdict, servers: Sequence[str], request: Request, path: Path) -> None:
    """Raise UsageError where the baseline lacks a server or a rate, or has one round of it only."""
    again = command("run", servers, request, "--rounds", "20")
    measured = {f"{row.server} at {words.rps(load.rate_rps)}": load for row in before.servers for load in row.loads}
    if lacking := missing(servers, request.rates_rps, before):
        raise UsageError(
            f"{name_of(path)} has no {words.listed(lacking, 'or')}.",
            f"it was measured with other servers or rates: {words.listed(list(measured)) or 'it has none'}",
            again,
        )
    once = [f"{server} at {words.rps(rate)}" for server in servers for rate in request.rates_rps]
    once = [place for place in once if measured[place].windows < 2]
    if once:
        raise UsageError(
            f"{name_of(path)} has only one valid window of {words.listed(once)}.",
            "a run of one round: without a second one nobody knows how much its figures vary",
            again,
        )


def command(name: str, servers: Sequence[str], request: Request, *more: str) -> str:
    """A command that measures what the request does, with `more` options."""
    rates = ",".join(f"{rate:g}" for rate in request.rates_rps)
    said = {
        "--app-dir": request.app_dir,
        "--app": request.app,
        "--workload": request.workload,
        "--script": request.script,
    }
    found_anyway = ("mix", TRAFFIC, SCRIPT, None)
    options = [word for pair in said.items() if pair[1] not in found_anyway for word in pair if word]
    return Verbatim(to_paste("./lab", name, "--servers", ",".join(servers), *options, "--rate", rates, *more))


def _row(server: _Server) -> ServerRow:
    loads = tuple(_load(load) for load in server.loads)
    return ServerRow(server.server, "", "", None, None, None, Rating.INCONCLUSIVE, "", loads)


def _load(data: Mapping[str, Any]) -> LoadRow:
    known: _Load = converted(data, _Load)
    figures = {metric.key: _figure(data.get(metric.key)) for metric in shown(Place.LOAD)}
    return LoadRow(known.rate_rps, known.windows, 0, Rating.INCONCLUSIVE, "", figures=figures, starts=known.starts)


def _figure(data: object) -> Interval | None:
    """Raises ValueError for one that cannot be measured."""
    if data is None:
        return None
    found: Interval = converted(data, Interval)
    low, high = (found.value if end is None else end for end in (found.low, found.high))
    if not 0 <= low <= found.value <= high:
        raise ValueError("a figure outside its interval")
    return found


def _no_verdict(file: Path, path: Path) -> UsageError:
    return UsageError(
        f"{name_of(file)} is not the verdict.json of a run.",
        "it was cut off or edited, is of a search for capacities, or is another file",
        to_paste("./lab", "report", path.parent if path == file else path),
    )
