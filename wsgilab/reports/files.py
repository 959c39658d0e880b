"""The files that a run is rendered to, next to its windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wsgilab.analysis.tuning import across
from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model.manifest import Manifest
from wsgilab.model.verdict import Verdict
from wsgilab.reports import html, markdown, ready_files, together, tuning_html, tuning_markdown
from wsgilab.reports.together import Part
from wsgilab.results import tuned
from wsgilab.results.folder import RunFolder
from wsgilab.results.together import FILE, SCHEMA

READY = "ready"
"""The folder of the files that can be taken as they are."""
USUAL_APP = "app:app"


def save(folder: RunFolder, verdict: Verdict, manifest: Manifest, tuning: Tuning | None) -> None:
    """Write verdict.json and the reports, and of a tuning what it gives besides. Raises MissingError."""
    folder.write_verdict(verdict.to_json())
    if tuning:
        _save_tuning(folder, verdict, manifest, tuning)
    else:
        folder.write_text("report.md", markdown.render(verdict, manifest))
        folder.write_text("report.html", html.render(verdict, manifest))


def save_together(path: Path, parts: Sequence[Part], first: Manifest, last: Manifest) -> None:
    """Write the common page of several tunings, of which these are the first and the last. Raises MissingError."""
    folder = RunFolder(path.parent).room(path.name)
    ranks = across.ranked([part.tuning for part in parts])
    plain = {
        "schema": SCHEMA,
        "runs": [part.place for part in parts],
        "of_all": list(across.sentences([part.tuning for part in parts])),
        "families": [rank.to_json() for rank in ranks],
    }
    folder.write_json(FILE, plain)
    folder.write_text("report.md", together.markdown(parts))
    folder.write_text("report.html", together.html(parts))
    common = Manifest(command="tune", engine=first.engine, workload=first.workload, slo=first.slo)
    # Whoever lists runs finds this one, too.
    folder.write_manifest(replace(common, started_at=first.started_at, finished_at=last.finished_at))


def _save_tuning(folder: RunFolder, verdict: Verdict, manifest: Manifest, tuning: Tuning) -> None:
    ready = ready_files.of_tuning(tuning, verdict.conditions.app or USUAL_APP)
    folder.write_json(tuned.FILE, tuning.to_json())
    folder.write_text("report.md", tuning_markdown.render(tuning, verdict, manifest, ready))
    folder.write_text("report.html", tuning_html.render(tuning, verdict, manifest, ready))
    if ready:
        room = folder.room(READY)
        for name, text in ready.items():
            room.write_text(name, text)
