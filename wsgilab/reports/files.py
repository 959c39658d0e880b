"""The files that a run is rendered to, next to its windows."""

from __future__ import annotations

from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model.manifest import Manifest
from wsgilab.model.verdict import Verdict
from wsgilab.reports import html, markdown, ready_files, tuning_html, tuning_markdown
from wsgilab.results import tuned
from wsgilab.results.folder import RunFolder

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


def _save_tuning(folder: RunFolder, verdict: Verdict, manifest: Manifest, tuning: Tuning) -> None:
    ready = ready_files.of_tuning(tuning, verdict.conditions.app or USUAL_APP)
    folder.write_json(tuned.FILE, tuning.to_json())
    folder.write_text("report.md", tuning_markdown.render(tuning, verdict, manifest, ready))
    folder.write_text("report.html", tuning_html.render(tuning, verdict, manifest, ready))
    if ready:
        room = folder.room(READY)
        for name, text in ready.items():
            room.write_text(name, text)
