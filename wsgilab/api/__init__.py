"""The lab for a program: `run`, `capacity`, `tune`, `gate`, `vitals`, `check_up`, `report`, silent. Commands use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from wsgilab.analysis import checkup
from wsgilab.analysis.tuning import across
from wsgilab.analysis.tuning.attempts import history_of
from wsgilab.api.clicks import vitals
from wsgilab.api.prepared import ready, selection, settled
from wsgilab.engines import compose
from wsgilab.engines.errands import Host
from wsgilab.engines.stack import Stack
from wsgilab.errors import LabError, MissingError, UsageError, to_paste
from wsgilab.lab import ROOT, own_app
from wsgilab.lab.servers import Lab, load_lab
from wsgilab.machine.revisions import checked_out
from wsgilab.machine.waiting import Stop
from wsgilab.measure import tuning
from wsgilab.measure.checkup import WITNESS, check_up_here, check_up_in_containers
from wsgilab.measure.gating import question_of
from wsgilab.measure.job import Job, job_for, tuning_job
from wsgilab.measure.manifest import foreseen
from wsgilab.measure.session import Measured, measure_here
from wsgilab.model import slo
from wsgilab.model.finding import Finding
from wsgilab.model.listener import UNHEARD, Listener, Outline
from wsgilab.model.request import Request
from wsgilab.model.server import Server
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window, WindowPlan
from wsgilab.reports.files import save, save_together
from wsgilab.reports.together import Part
from wsgilab.results import baselines, together, tuned
from wsgilab.results.folder import RunFolder
from wsgilab.results.judged import judge
from wsgilab.results.result import Result
from wsgilab.results.together import Together
from wsgilab.results.vitals import VitalsResult

__all__ = [
    "Listener",
    "Outline",
    "Request",
    "Result",
    "Stop",
    "Together",
    "Verdict",
    "VitalsResult",
    "Window",
    "WindowPlan",
    "capacity",
    "check_up",
    "gate",
    "report",
    "report_side_by_side",
    "run",
    "side_by_side",
    "tune",
    "vitals",
]


def run(request: Request | None = None, listener: Listener | None = None, stop: Stop | None = None) -> Result:
    """Measure servers next to each other, and judge them: `./lab run`.

    Where servers died, windows are void or the end was asked for (`stop.request()`, by any thread), the result says so.
    Raises an error of wsgilab.errors where nothing was measured: UsageError, MissingError, ServerError, Interrupted.
    A second call waits for the first of this process; while another process measures, it raises MissingError.
    """
    return carry_out((request or Request()).but(command="run"), listener, stop)


def capacity(request: Request | None = None, listener: Listener | None = None, stop: Stop | None = None) -> Result:
    """Search for the highest offered rate that keeps the SLO, for each server: `./lab capacity`. As `run` otherwise."""
    return carry_out((request or Request()).but(command="capacity"), listener, stop)


def gate(
    request: Request,
    baseline: Path | str | None = None,
    against: str | None = None,
    listener: Listener | None = None,
    stop: Stop | None = None,
) -> Result:
    """Ask whether the app may pass: it keeps the SLO, and no figure got worse beyond the tolerance: `./lab gate`.

    `baseline`: a verdict.json, or the folder of a run, of this machine and load. `against`: a revision of the app's git
    repository, which is measured next to the working tree. With neither, the SLO alone decides. `result.gate` says what
    came of it; it is None where the measurement did not get to its end. As `run` otherwise; UsageError also for what
    cannot be compared with.
    """
    asked = settled(request.but(command="gate"))
    if baseline is not None and against is not None:
        cause = "both say what to compare with"
        raise UsageError("A baseline and a revision cannot be combined.", cause, "./lab gate --help")
    lab, servers = selection(asked)
    names = [server.name for server in servers]
    path = Path(baseline) if baseline is not None else None
    earlier = _baseline(path, asked, lab, servers) if path else None
    if earlier:
        asked = asked.but(baseline=baselines.as_text(earlier, names, asked.rates_rps))
    with _next_to(against, asked, lab) as asked:
        result = _carry_out(asked, listener or UNHEARD, stop or Stop(), None)
    if result.trouble:
        return result
    if earlier and path:
        side_by_side = _side_by_side(asked, servers)
        baselines.require_comparable(earlier, result.verdict.conditions, path, side_by_side)
    question = question_of(asked, names, baselines.name_of(path) if path else "")
    return _saved_gate(replace(result, gate=question.answer(result.verdict)))


def tune(request: Request, listener: Listener | None = None, stop: Stop | None = None) -> Result:
    """Find the setting of a family of servers that suits an app best: `./lab tune`, for the one in `request.families`.

    `result.tuning` says what came of it; None where nothing was measured. Raises UsageError for a tuning to go on with
    (`request.resume`) that was asked something else. As `run` otherwise.
    """
    engine = tuning.engine_for(request)
    if len(request.families) != 1:
        cause = "a tuning compares settings of one server"
        raise UsageError("A tuning is for one family of servers.", cause, "./lab tune --server gunicorn")
    asked = settled(request.but(command="tune", engine=engine))
    asked = asked.but(fingerprint=tuning.fingerprint(asked))
    if asked.engine == "compose" and asked.memory_mb is not None:
        asked = asked.but(settings={**asked.settings, "SERVER_MEMORY": f"{asked.memory_mb * 1e6:.0f}b"})
    return _carry_out(_resumed(asked), listener or UNHEARD, stop or Stop(), None)


def _resumed(request: Request) -> Request:
    """The request with the seed of the tuning that goes on. Raises UsageError where that asked something else."""
    if request.resume is None:
        return request
    folder = RunFolder.open(Path(request.resume))
    (windows, _), (manifest, _) = folder.read(), folder.read_manifest()
    before = tuned.question_in(manifest)
    if before is None:
        cause = "it is another command's, or was damaged"
        raise UsageError(f"{folder.path} is no tuning that could go on.", cause, "./lab tune --server gunicorn")
    request = request.but(seed=before.seed, out=None)
    question = tuning.question_of(request, load_lab(ROOT, request.variables), request.families[0])
    if replace(question, budget_s=before.budget_s) != before:
        cause = "another server, app, load, SLO, CPUs, memory or version of the lab; only --budget may differ"
        raise UsageError(f"{folder.path} was asked something else.", cause, f"./lab report {to_paste(folder.path)}")
    _, problem = history_of(question, windows, slo.parse(request.slo))
    if problem:
        cause = "windows.jsonl was edited, or another version of the lab wrote it"
        raise UsageError(f"{folder.path} cannot go on: {problem}.", cause, f"./lab report {to_paste(folder.path)}")
    return request


def side_by_side(results: Sequence[Result], folder: Path | str) -> Together:
    """Which of several tunings, each of another server, is the best, as a page in `folder`: `./lab tune --server all`.

    The tunings' own folders are in that one, or next to it. Raises UsageError where they are not.
    """
    path = Path(folder)
    parts = [
        Part(result.tuning, result.verdict, together.place_of(result.folder, path))
        for result in results
        if result.tuning and result.folder
    ]
    sentences, trouble = tuple(across.sentences([part.tuning for part in parts])), None
    if parts:
        try:
            save_together(path, parts, results[0].manifest, results[-1].manifest)
        except MissingError as error:
            trouble = error
    return Together(tuple(results), sentences, path, trouble)


def report_side_by_side(folder: Path | str) -> Together:
    """Judge again tunings that belong together, and write each report and the common page anew. Raises UsageError."""
    path = Path(folder)
    return side_by_side([report(run) for run in together.runs_of(path)], path)


def check_up(
    request: Request, listener: Listener | None = None, stop: Stop | None = None, host: Host | None = None
) -> tuple[Finding, ...]:
    """Ask an app each kind of request under each server, without load, and compare: `./lab doctor --app-dir`.

    `listener.checked_up` hears what each server answered. `host` as for `carry_out`. Raises as `run` does, but for a
    server that does not start: that is a finding.
    """
    asked = settled(request.but(command="doctor", app_variables={**request.app_variables, **WITNESS}))
    lab, servers = selection(asked)
    with ready(Stack(lab, servers, asked, stop or Stop(), listener or UNHEARD, host)) as (stack, _):
        ask = check_up_in_containers if stack.request.engine == "compose" else check_up_here
        return checkup.findings(ask(stack))


def report(folder: Path | str) -> Result:
    """Judge a saved run again from its windows, and write its reports anew: `./lab report`.

    `verdict.problems` names what could not be read, `trouble` why the reports could not be written. Raises UsageError
    where the folder holds no run.
    """
    saved = RunFolder.open(Path(folder))
    (windows, problems), (manifest, more) = saved.read(), saved.read_manifest()
    unreadable = (*problems, *more)
    found, trouble = tuned.tuning_of(windows, manifest), None
    verdict = tuned.with_its_answer(judge(windows, manifest, unreadable), found)
    try:
        save(saved, verdict, manifest, found)
    except MissingError as error:  # somebody else's run can be read all the same
        trouble = error
    return Result(verdict, tuple(windows), saved.path, manifest, unreadable, trouble, tuning=found)


def carry_out(
    request: Request, listener: Listener | None = None, stop: Stop | None = None, host: Host | None = None
) -> Result:
    """Measure whatever the request's command is. As `run` otherwise.

    `host`: who starts containers anew for the runner inside the Compose network; no script needs it.
    """
    return _carry_out(settled(request), listener or UNHEARD, stop or Stop(), host)


def _carry_out(request: Request, listener: Listener, stop: Stop, host: Host | None) -> Result:
    lab, servers = selection(request)
    job = _job(request, lab, servers)
    if request.engine != "attached":  # the caller that sent that runner has told it already
        for remark in lab.remarks:
            listener.message(remark)
    with ready(Stack(lab, servers, request, stop, listener, host)) as (stack, why):
        if stack.request.engine == "compose" and not stack.request.elsewhere:
            return _in_compose(stack)
        return _concluded(measure_here(stack, job, why))


def _job(request: Request, lab: Lab, servers: Sequence[Server]) -> Job:
    return tuning_job(request, lab, servers) if request.command == "tune" else job_for(request, servers)


def _in_compose(stack: Stack) -> Result:
    ended = compose.run_inside(stack)
    if ended.trouble and not ended.windows:
        raise ended.trouble
    if stack.request.command == "tune" and ended.folder:  # the runner inside has written it, and what went before
        result = report(ended.folder)
        return replace(result, trouble=ended.trouble or result.trouble)
    trouble = [ended.trouble.what] if isinstance(ended.trouble, LabError) else []
    folder = Path(ended.folder) if ended.folder else None
    found = tuned.tuning_of(ended.windows, ended.manifest)
    verdict = tuned.with_its_answer(judge(ended.windows, ended.manifest, trouble), found)
    return Result(verdict, ended.windows, folder, ended.manifest, trouble=ended.trouble, tuning=found)


def _concluded(measured: Measured) -> Result:
    """The result, and all of its files, as far as they can be written."""
    folder, windows, manifest = measured.folder, measured.windows, measured.manifest
    found = tuned.tuning_of(windows, manifest)
    try:
        folder.write_manifest(manifest)
        verdict = tuned.with_its_answer(judge(windows, manifest, []), found)
        save(folder, verdict, manifest, found)
        trouble = measured.trouble
    except LabError as error:
        verdict, trouble = tuned.with_its_answer(judge(windows, manifest, [error.what]), found), error
    return Result(verdict, windows, folder.path, manifest, trouble=trouble, tuning=found)


def _baseline(path: Path, request: Request, lab: Lab, servers: Sequence[Server]) -> Verdict:
    """An earlier run. Raises UsageError where this one could not be compared with it: before it takes its minutes."""
    earlier = baselines.read(path)
    baselines.require_measured(earlier, [server.name for server in servers], request, path)
    known = foreseen(job_for(request, servers).settings, lab, servers, request.elsewhere is not None)
    baselines.require_comparable(earlier, known, path, _side_by_side(request, servers))
    return earlier


def _side_by_side(request: Request, servers: Sequence[Server]) -> str:
    return baselines.command("gate", [server.name for server in servers], request, "--against", "HEAD~1")


@contextmanager
def _next_to(ref: str | None, request: Request, lab: Lab) -> Iterator[Request]:
    """The request with a revision of the app besides, for as long as that is checked out; itself without one."""
    if ref is None:
        yield request
        return
    with checked_out(lab.app_dir, ref) as revision:
        was = own_app.at_revision(request, lab.app_dir, revision.folder, revision.name)
        yield request.but(before=was)


def _saved_gate(result: Result) -> Result:
    """The same, with gate.json next to the verdict, if there is room."""
    if result.folder is None or result.gate is None:
        return result
    try:
        RunFolder(result.folder).write_json("gate.json", result.gate.to_json())
    except MissingError as error:
        return replace(result, trouble=result.trouble or error)
    return result
