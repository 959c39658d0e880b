"""The story of a measurement: choose an engine, measure window after window, judge, report."""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from wsgilab.commands import conclude, prepare
from wsgilab.commands.options import PRESETS
from wsgilab.commands.progress import Announcer, RunProgress, estimate_s, minutes
from wsgilab.engines import Engine, compose
from wsgilab.engines.attached import AttachedEngine
from wsgilab.engines.local import LocalEngine
from wsgilab.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_SERVER, Interrupted, LabError, NoValidWindow, ServerError
from wsgilab.lab.servers import Lab
from wsgilab.lab.workloads import find_workload
from wsgilab.machine import cpus, http, leftovers
from wsgilab.machine.cpus import available
from wsgilab.machine.tools import find_k6
from wsgilab.machine.turns import turn_on_this_machine
from wsgilab.machine.waiting import Stop
from wsgilab.measure import access
from wsgilab.measure.k6 import K6Generator
from wsgilab.measure.k6_command import K6
from wsgilab.measure.manifest import describe, order_of, utc_now
from wsgilab.measure.pinning import not_pinned_error
from wsgilab.measure.recorder import Recorder, recorder_for
from wsgilab.measure.telemetry import Telemetry
from wsgilab.measure.windows import Bench, Settings, measure, plan_windows
from wsgilab.model import slo
from wsgilab.model.manifest import Manifest
from wsgilab.model.server import Server
from wsgilab.model.slo import Slo
from wsgilab.model.window import Window, WindowPlan
from wsgilab.model.words import counted
from wsgilab.results.folder import RunFolder


@dataclass(frozen=True)
class Job:
    """What a command wants measured."""

    command: str
    settings: Settings
    objective: Slo
    plans: Callable[[Sequence[Window]], Iterable[WindowPlan]]
    """The windows to measure, one after the other; a search looks at those that are done, which the list grows by."""
    schedule: Mapping[str, Any]
    """What decides which windows are measured, for the manifest."""
    about: str
    """Said before it begins, with the time that it will take."""
    progress: Callable[[Console], Announcer]
    inside: Sequence[str]
    """Its own options, as the runner in a container must hear them."""


def run(root: Path, arguments: argparse.Namespace) -> int:
    """`./lab run`: measure, judge, report. Gives the exit code; raises LabError where nothing was measured."""
    lab, servers = prepare.selection(root, arguments)
    return carry_out(lab, servers, arguments, _job(arguments, servers))


def carry_out(lab: Lab, servers: Sequence[Server], arguments: argparse.Namespace, job: Job) -> int:
    """Measure what the job wants, wherever servers can run, and report. Gives the exit code; raises LabError."""
    results = Path(os.environ.get("LAB_RESULTS") or lab.root / "results")
    with Stop() as stop:
        why = prepare.choose_engine(arguments, lab, stop)
        if why is None:
            with turn_on_this_machine(prepare.machine_lock()):
                return compose.run_inside(lab, servers, _inside(arguments, job), arguments.out, stop)
        engine: Engine
        if arguments.engine == "attached":
            engine = AttachedEngine(lab, servers, stop)
        else:
            cpus.require({name: lab.cpus(name) for name in ("SERVER_CPUS", "LOAD_CPUS")}, available())
            leftovers.adopt()
            engine = LocalEngine(lab, servers, stop, prepare.app_dir(lab))
        with prepare.one_run_at_a_time(results):
            folder = prepare.folder_for(job.command, arguments.out, results)
            wanted = arguments.prometheus and engine.name == "local"
            recorder = recorder_for(lab, results, stop) if wanted else None
            return _measure_and_report(lab, engine, why, job, folder, stop, recorder)


def _measure_and_report(
    lab: Lab, engine: Engine, why: str, job: Job, folder: RunFolder, stop: Stop, recorder: Recorder | None
) -> int:
    console = conclude.console(sys.stderr)
    windows: list[Window] = []
    trouble: LabError | Interrupted | None = None
    manifest = Manifest()

    prometheus_url = recorder.url if recorder else access.url_of(os.environ)
    load_cpus = lab.cpus("LOAD_CPUS") & available()
    telemetry = Telemetry(prometheus_url, engine.servers, len(lab.cpus("SERVER_CPUS")), load_cpus)

    def save(window: Window) -> None:
        windows.append(window)
        telemetry.count(window)
        folder.append(window)

    try:
        k6 = K6Generator(K6(str(find_k6()), load_cpus, prometheus_url))
        console.print(f"Engine: {engine.name} ({why}).\n{job.about}", markup=False, highlight=False)
        with engine:
            engine.start()
            described = describe(job.command, lab, engine, why, job.settings, job.objective, k6, schedule=job.schedule)
            manifest = replace(described, prometheus=prometheus_url and http.public(prometheus_url))
            folder.write_manifest(manifest)
            if manifest.not_pinned:
                print(f"lab: {not_pinned_error(manifest.not_pinned, engine.name)}", file=sys.stderr)
            with _recorded(recorder, telemetry, engine, stop), job.progress(console) as progress:
                measure(job.plans(windows), Bench(engine, k6, stop, telemetry.follow), save, progress.announce)
    except (Interrupted, LabError) as error:
        if not windows:
            folder.discard()
            raise
        trouble = error
    manifest = replace(manifest, finished_at=utc_now().isoformat(timespec="seconds"))
    trouble = _report(folder, windows, manifest) or trouble
    return _exit_code(windows, trouble)


@contextmanager
def _recorded(recorder: Recorder | None, telemetry: Telemetry, engine: Engine, stop: Stop) -> Iterator[None]:
    """While the block lasts, Prometheus records the run, if there is one; a run needs none. Says what it missed."""
    with ExitStack() as stack:
        if recorder:
            stack.enter_context(recorder)
            endpoints = {server.name: (server, engine.endpoint(server)) for server in engine.servers}
            stack.enter_context(recorder.watching(endpoints, stop))
        stack.enter_context(telemetry)
        yield
    missed = (recorder and recorder.lost) or telemetry.lost
    if missed:
        print(
            f"lab: Prometheus did not record all of the run ({missed}). The dashboards lack a part of it; the verdict "
            "is complete, for it needs none.",
            file=sys.stderr,
        )


def _report(folder: RunFolder, windows: Sequence[Window], manifest: Manifest) -> LabError | None:
    """Show the verdict, and save it if there is room: what went wrong with that, or None."""
    try:
        folder.write_manifest(manifest)
        conclude.show(conclude.save(folder, windows, manifest, []), folder)
    except LabError as error:
        conclude.show(conclude.judge(windows, manifest, [error.what]), folder)
        return error
    return None


def _exit_code(windows: Sequence[Window], trouble: LabError | Interrupted | None) -> int:
    if isinstance(trouble, Interrupted):
        print("lab: interrupted; what was measured until then is kept and reported above.", file=sys.stderr)
        return EXIT_INTERRUPTED
    if trouble:
        print(f"lab: {trouble}", file=sys.stderr)
        return trouble.exit_code
    died = {window.plan.server: window.died for window in windows if window.died}
    for server, reason in died.items():
        error = ServerError(
            f"{server} died: {reason}. The other servers were measured to the end.",
            "the app or the server crashed, or somebody killed it: the kernel does, for want of memory",
            "the same command again shows whether it always does",
        )
        print(f"lab: {error}", file=sys.stderr)
    if died:
        return EXIT_SERVER
    if all(window.void for window in windows):
        print(f"lab: {NoValidWindow()}", file=sys.stderr)
        return NoValidWindow.exit_code
    return EXIT_DONE


def _job(arguments: argparse.Namespace, servers: Sequence[Server]) -> Job:
    settings = _settings(arguments, servers)
    plans = plan_windows(settings)
    rates = ", ".join(f"{rate:g}" for rate in settings.rates_rps)
    return Job(
        command="run",
        settings=settings,
        objective=slo.parse(arguments.slo),
        plans=lambda _measured: plans,
        schedule=order_of(plans),
        about=f"{counted(len(servers), 'server')}, workload {settings.workload} at {rates} rps, "
        f"{counted(settings.rounds, 'round')}: {counted(len(plans), 'window')} of {settings.duration_s:g} s, "
        f"about {minutes(estimate_s(plans))} in all. Seed {settings.seed}.",
        progress=lambda console: RunProgress(console, plans),
        inside=["--rate", rates.replace(" ", ""), "--rounds", str(settings.rounds)],
    )


def _inside(arguments: argparse.Namespace, job: Job) -> list[str]:
    """The same request as the runner in the container must hear it."""
    settings = job.settings
    return [
        job.command,
        *("--servers", ",".join(settings.servers)),
        *(word for text in arguments.variants for word in ("--variant", text)),
        *("--workload", settings.workload),
        *("--duration", f"{settings.duration_s:g}"),
        *("--seed", str(settings.seed)),
        *("--slo", arguments.slo),
        *job.inside,
        *(["--debug"] if arguments.debug else []),
    ]


def _settings(arguments: argparse.Namespace, servers: Sequence[Server]) -> Settings:
    rounds, duration_s = PRESETS["quick" if arguments.quick else "rigorous" if arguments.rigorous else "default"]
    return Settings(
        servers=tuple(server.name for server in servers),
        workload=find_workload(arguments.workload).name,
        rates_rps=arguments.rate,
        rounds=arguments.rounds or rounds,
        duration_s=arguments.duration or duration_s,
        seed=seed(arguments),
    )


def seed(arguments: argparse.Namespace) -> int:
    """The seed that was asked for, or a new one."""
    return arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
