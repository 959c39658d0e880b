"""`./lab report A B`: two saved runs, and what changed between them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from wsgilab.analysis import comparison as changes
from wsgilab.commands.console import console, say, show_json
from wsgilab.errors import EXIT_DONE, EXIT_NO_VALID_WINDOW, UsageError, to_paste
from wsgilab.model.conditions import Conditions
from wsgilab.model.manifest import Manifest
from wsgilab.model.request import SEARCHES
from wsgilab.model.server import ServerFacts
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window
from wsgilab.reports import comparison as table
from wsgilab.results import tuned
from wsgilab.results.folder import RunFolder
from wsgilab.results.judged import judge


def compare(first: Path, second: Path, anyway: bool, as_json: bool) -> int:
    """Print what changed. Gives the exit code; raises UsageError for runs that cannot be compared, unless `anyway`."""
    (before, old), (after, new) = _read(first), _read(second)
    obstacles = changes.obstacles(Conditions.of(old), Conditions.of(new))
    if obstacles and not anyway:
        raise _incomparable(obstacles, first, second)
    searches = old.command == new.command and old.command in SEARCHES
    said: list[str] = []
    if searches:
        found, said = _searches(_judged(before, old), _judged(after, new))
    else:
        found = _in_order(changes.compare(before, after), new)
    notes = [
        *said,
        *(f"Set differently: {setting}" for setting in changes.settings(old, new)),
        *([] if searches else changes.only_in_one(before, after)),
    ]
    notes += [f"Not the same in both: {obstacle}" for obstacle in obstacles]
    if as_json:
        show_json({"schema": 1, "changes": [change.to_json() for change in found], "notes": notes})
    else:
        table.render(found, notes, console(sys.stdout))
    return EXIT_DONE if found else EXIT_NO_VALID_WINDOW


def _searches(before: Verdict, after: Verdict) -> tuple[list[changes.Change], list[str]]:
    """(what changed between two searches, of two tunings also what each recommends)."""
    found = changes.compare_searches(before, after)
    if before.command != "tune":
        return found, []
    both = {"first": before, "second": after}
    return found, [f"The {which} recommends {verdict.answer[0]}" for which, verdict in both.items() if verdict.answer]


def _judged(windows: Sequence[Window], manifest: Manifest) -> Verdict:
    return tuned.with_its_answer(judge(windows, manifest, []), tuned.tuning_of(windows, manifest))


def _read(path: Path) -> tuple[Sequence[Window], Manifest]:
    """(windows, manifest) of a run, as far as they can be used; what cannot is named on standard error."""
    folder = RunFolder.open(path)
    (windows, problems), (manifest, more) = folder.read(), folder.read_manifest()
    for problem in (*problems, *more):
        say(f"{path}: {problem}")
    return windows, manifest


def _in_order(found: Sequence[changes.Change], manifest: Manifest) -> list[changes.Change]:
    """Servers in the order of the manifest, which is that of every report; windows are in a shuffled one."""
    order = {facts.name: number for number, facts in enumerate(ServerFacts.from_manifest(manifest))}
    return sorted(found, key=lambda change: (change.rate_rps, order.get(change.server, len(order))))


def _incomparable(obstacles: Sequence[str], first: Path, second: Path) -> UsageError:
    cause = (
        "they come from different machines, limits or settings, which change figures as servers do; --anyway compares"
    )
    return UsageError(
        f"These runs cannot be compared: {'; '.join(obstacles)}.",
        "manifest.json is lost or was edited" if obstacles == [changes.UNKNOWN_ORIGIN] else cause,
        to_paste("./lab", "report", first, second, "--anyway"),
    )
