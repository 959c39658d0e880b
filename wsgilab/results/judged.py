"""The verdict on a saved run: from what it left behind, as a manifest and windows, to what reports say."""

from __future__ import annotations

import os
from collections.abc import Sequence

from wsgilab.analysis.capacity import Goal
from wsgilab.analysis.pipeline import RunFacts, analyse
from wsgilab.errors import UsageError
from wsgilab.lab.servers import parse_cpus
from wsgilab.lab.workloads import FROM_FILES
from wsgilab.model import slo
from wsgilab.model.conditions import Conditions
from wsgilab.model.controls import each_text, visible
from wsgilab.model.manifest import Manifest
from wsgilab.model.privacy import without_home
from wsgilab.model.request import DEFAULT_SLO, SEARCHES
from wsgilab.model.server import ServerFacts
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window


def judge(windows: Sequence[Window], manifest: Manifest, problems: Sequence[str]) -> Verdict:
    """The verdict on a run, from what it left behind.

    No text in it holds a character that is obeyed, not shown, or where its user is at home.
    """
    home = os.path.expanduser("~")
    pinning = [manifest.not_pinned] if manifest.not_pinned else []
    found = analyse(windows, _facts(manifest, windows), [*problems, *manifest.unequal, *pinning])
    return each_text(found, lambda text: without_home(visible(text), home))


def _facts(manifest: Manifest, windows: Sequence[Window]) -> RunFacts:
    servers = ServerFacts.from_manifest(manifest)
    if manifest.command == "tune":  # most settings were never started, and have no place in a verdict
        tried = {window.plan.server for window in windows}
        servers = tuple(server for server in servers if server.name in tried)
    return RunFacts(
        servers,
        slo.parse(manifest.slo or DEFAULT_SLO),
        command=manifest.command or "run",
        engine=manifest.engine or "unknown",
        workload=manifest.workload or "unknown",
        own_traffic=manifest.workload in FROM_FILES,
        rounds=manifest.rounds or 0,
        rates_rps=manifest.rates_rps,
        cores=_server_cores(manifest),
        floor=manifest.floor,
        floor_unknown=manifest.floor_unknown or "",
        paths_ms=manifest.paths_ms,
        conditions=Conditions.of(manifest),
        goal=_goal(manifest),
    )


def _goal(manifest: Manifest) -> Goal | None:
    """How capacities were searched for. Of a tuning, its long windows decide."""
    if manifest.command == "tune" and manifest.duration_s:
        return Goal(fine_s=manifest.duration_s)
    return Goal.from_json(manifest.search) if manifest.command in SEARCHES else None


def _server_cores(manifest: Manifest) -> int:
    """How many CPUs the servers shared; one where the manifest does not say."""
    try:
        return len(parse_cpus("SERVER_CPUS", manifest.cpu_sets["servers"]))
    except (KeyError, UsageError):
        return 1
