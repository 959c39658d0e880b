"""What the pages of `./lab view` are made from, in a test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from support import ROOT

from wsgilab.lab.servers import load_lab
from wsgilab.model.manifest import Manifest, ServerEntry
from wsgilab.model.window import Window
from wsgilab.reports import html
from wsgilab.results.judged import judge
from wsgilab.view.answers import Answers
from wsgilab.view.html_pages import Sources
from wsgilab.view.prometheus import Prometheus
from wsgilab.view.runs import Runs

LAB = load_lab(ROOT, {})


def runs_of(results: Path) -> Runs:
    return Runs(results)


def answers_of(results: Path, prometheus_url: str, root: Path = ROOT) -> Answers:
    return Answers(root, runs_of(results), Prometheus(prometheus_url))


def sources_of(results: Path, prometheus_url: str, root: Path = ROOT, in_container: bool = False) -> Sources:
    return Sources(replace(LAB, root=root), runs_of(results), Prometheus(prometheus_url), in_container)


def write_run(folder: Path, windows: Sequence[Window], **changes: object) -> Path:
    """A run of the default five as a folder; with `finished_at=None`, one under way."""
    servers = tuple(
        ServerEntry(server.name, server.pattern, server.concurrency, server.slots, server.via)
        for server in LAB.servers.values()
        if server.default
    )
    order = tuple((window.plan.round, window.plan.server, window.plan.rate_rps) for window in windows)
    manifest = replace(
        Manifest(
            command="run",
            started_at="2026-11-26T01:00:00+00:00",
            finished_at="2026-11-26T01:03:05+00:00",
            engine="local",
            workload="mix",
            rounds=3,
            rates_rps=(100.0, 250.0),
            duration_s=2.5,
            servers=servers,
            order=order,
        ),
        **changes,  # type: ignore[arg-type]
    )
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest.to_json()))
    (folder / "windows.jsonl").write_text("".join(json.dumps(asdict(window)) + "\n" for window in windows))
    if manifest.finished_at:
        (folder / "report.html").write_text(html.render(judge(windows, manifest, []), manifest))
    return folder
