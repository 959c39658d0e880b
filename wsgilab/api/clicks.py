"""Clicks in a real browser, from a request to their reports: `./lab vitals`, and `./lab report` of what it saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wsgilab.api.prepared import ready, selection, settled
from wsgilab.engines import compose
from wsgilab.engines.errands import Host
from wsgilab.engines.stack import Stack
from wsgilab.errors import MissingError, UsageError
from wsgilab.machine.tools import find_browser
from wsgilab.machine.waiting import Stop
from wsgilab.measure.vitals import Felt, feel_here
from wsgilab.model.listener import UNHEARD, Listener
from wsgilab.model.manifest import Manifest
from wsgilab.model.request import Request
from wsgilab.model.vitals import Film, VitalsVerdict
from wsgilab.reports import vitals as reports
from wsgilab.results.folder import RunFolder
from wsgilab.results.vitals import VitalsResult, judge_vitals, read_blocks, read_films, write_vitals


def vitals(
    request: Request | None = None,
    listener: Listener | None = None,
    stop: Stop | None = None,
    host: Host | None = None,
) -> VitalsResult:
    """Click in a real browser, with each server, idle and under load, and judge what it felt: `./lab vitals`.

    `rates_rps` are those of the background load; 0 is none. As `run` otherwise; the engine `auto` is `local`.
    """
    asked = settled((request or Request()).but(command="vitals"))
    if asked.engine == "kubernetes":
        what, cause = "No browser clicks in a cluster.", "--engine kubernetes was asked for"
        raise UsageError(what, cause, "./lab vitals --engine local")
    if asked.engine in ("auto", "local"):
        find_browser()  # before minutes are spent on what an app requires
    lab, servers = selection(asked)
    heard = listener or UNHEARD
    for remark in lab.remarks:
        heard.message(remark)
    with ready(Stack(lab, servers, asked, stop or Stop(), heard, host)) as (stack, why):
        if stack.request.engine == "compose":
            return _felt_in_compose(stack)
        return _felt(feel_here(stack, why))


def report_vitals(folder: Path | str) -> VitalsResult:
    """Judge saved clicks again, and write their reports anew, as `report` does for a run. Raises UsageError."""
    saved = RunFolder(Path(folder))
    (blocks, problems), (manifest, more) = read_blocks(saved.path), saved.read_manifest()
    films, no_films = read_films(saved.path)
    verdict, trouble = judge_vitals(blocks, manifest, [*problems, *more, *no_films]), None
    try:
        _save(saved, verdict, manifest, films)
    except MissingError as error:  # somebody else's run can be read all the same
        trouble = error
    return VitalsResult(verdict, tuple(blocks), films, saved.path, manifest, trouble)


def _felt_in_compose(stack: Stack) -> VitalsResult:
    ended = compose.run_inside(stack)
    if ended.trouble and not ended.folder:
        raise ended.trouble
    if not ended.folder:
        cause = "results/ is not writable for the container, which kept them in its volume"
        raise MissingError("What the browser felt is not on this machine.", cause, "ls -ld results")
    result = report_vitals(ended.folder)
    return replace(result, trouble=ended.trouble or result.trouble)


def _felt(felt: Felt) -> VitalsResult:
    verdict, trouble = judge_vitals(felt.blocks, felt.manifest, []), felt.trouble
    try:
        felt.folder.write_manifest(felt.manifest)
        _save(felt.folder, verdict, felt.manifest, felt.films)
    except MissingError as error:
        trouble = error
    return VitalsResult(verdict, felt.blocks, felt.films, felt.folder.path, felt.manifest, trouble)


def _save(folder: RunFolder, verdict: VitalsVerdict, manifest: Manifest, films: Sequence[Film]) -> None:
    """Write vitals.json, report.md and report.html. Raises MissingError where they cannot be written."""
    write_vitals(folder, verdict, films)
    folder.write_text("report.md", reports.markdown(verdict, manifest))
    folder.write_text("report.html", reports.html(verdict, manifest, films))
