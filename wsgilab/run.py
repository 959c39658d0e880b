"""The story of a run: choose an engine, measure window after window, judge, report."""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wsgilab import conclude, slo, variants
from wsgilab.affinity import available
from wsgilab.engines import Engine, compose
from wsgilab.engines.attached import AttachedEngine
from wsgilab.engines.local import LocalEngine
from wsgilab.errors import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_NO_VALID_WINDOW,
    EXIT_SERVER,
    Interrupted,
    LabError,
    MissingError,
    UsageError,
)
from wsgilab.experiment import Bench, Settings, measure, plan_windows
from wsgilab.lab import Lab, load_lab
from wsgilab.load import K6
from wsgilab.manifest import describe, utc_now
from wsgilab.options import PRESETS
from wsgilab.progress import RunProgress, estimate_s, minutes
from wsgilab.records import Server, Slo, Window
from wsgilab.report.words import counted
from wsgilab.store import RunFolder, new_folder
from wsgilab.tools import find_k6
from wsgilab.waiting import Stop
from wsgilab.workloads import find_workload


def run(root: Path, arguments: argparse.Namespace) -> int:
    """`./lab run`: measure, judge, report. Gives the exit code; raises LabError where nothing was measured."""
    asked = [variants.parse(text) for text in arguments.variants]
    lab = variants.add(load_lab(root, _environment(arguments)), asked)
    servers = _selection(lab, arguments.servers, [variant.name for variant in asked])
    settings = _settings(arguments, servers)
    objective = slo.parse(arguments.slo)
    results = Path(os.environ.get("LAB_RESULTS") or root / "results")
    with Stop() as stop:
        why = _choose_engine(arguments, lab, servers, stop)
        if why is None:
            return compose.run_inside(lab, servers, _inside(arguments, settings), arguments.out, stop)
        engine: Engine
        if arguments.engine == "attached":
            engine = AttachedEngine(lab, servers, stop)
        else:
            engine = LocalEngine(lab, servers, stop, _app_dir(lab))
        with _one_run_at_a_time(results):
            folder = _folder(arguments.out, results)
            return _measure_and_report(lab, engine, why, settings, objective, folder, stop)


def _selection(lab: Lab, names: Sequence[str] | None, asked: Sequence[str]) -> list[Server]:
    """The servers of --servers (or the default ones), and each variant wherever it is named, or after them."""
    chosen = list(names or lab.default_servers)
    return lab.select([*chosen, *(name for name in asked if name not in chosen)])


def _measure_and_report(
    lab: Lab, engine: Engine, why: str, settings: Settings, objective: Slo, folder: RunFolder, stop: Stop
) -> int:
    plans = plan_windows(settings)
    console = conclude.console(sys.stderr)
    windows: list[Window] = []
    trouble: LabError | Interrupted | None = None
    manifest: Mapping[str, Any] = {}

    def save(window: Window) -> None:
        windows.append(window)
        folder.append(window)

    try:
        k6 = K6(str(find_k6()), lab.cpus("LOAD_CPUS") & available(), os.environ.get("LAB_PROMETHEUS_URL"))
        console.print(_opening(engine, why, settings, len(plans), estimate_s(plans)), markup=False, highlight=False)
        with engine:
            engine.start()
            manifest = describe("run", lab, engine, why, settings, plans, objective, k6.path)
            folder.write_manifest(manifest)
            with RunProgress(console, plans) as progress:
                measure(plans, Bench(engine, k6, stop), save, progress.announce)
    except (Interrupted, LabError) as error:
        if not windows:
            folder.discard()
            raise
        trouble = error
    manifest = {**manifest, "finished_at": utc_now().isoformat(timespec="seconds")}
    trouble = _report(folder, windows, manifest) or trouble
    return _exit_code(windows, trouble)


def _report(folder: RunFolder, windows: Sequence[Window], manifest: Mapping[str, Any]) -> LabError | None:
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
        print(f"lab: {server} died: {reason}. The other servers were measured to the end.", file=sys.stderr)
    if died:
        return EXIT_SERVER
    if all(window.void for window in windows):
        print("lab: no window was valid; the report names the reason for each.", file=sys.stderr)
        return EXIT_NO_VALID_WINDOW
    return EXIT_DONE


def _opening(engine: Engine, why: str, settings: Settings, windows: int, seconds: float) -> str:
    rates = ", ".join(f"{rate:g}" for rate in settings.rates_rps)
    return (
        f"Engine: {engine.name} ({why}).\n"
        f"{counted(len(settings.servers), 'server')}, workload {settings.workload} at {rates} rps, "
        f"{counted(settings.rounds, 'round')}: {counted(windows, 'window')} of {settings.duration_s:g} s, "
        f"about {minutes(seconds)} in all. Seed {settings.seed}."
    )


def _choose_engine(arguments: argparse.Namespace, lab: Lab, servers: Sequence[Server], stop: Stop) -> str | None:
    """Why servers are measured from here; None where a runner inside the Compose network does it."""
    if arguments.engine == "attached":
        return "the runner is in the Compose network"
    if arguments.engine == "local":
        return "asked for"
    if arguments.engine == "compose":
        compose.require()
    elif reason := compose.why_not():
        return f"local processes, because {reason}"
    # A variant runs from the image of its server.
    images = [server.variant_of or server.name for server in servers]
    reason = compose.prepare_images(lab, [*compose.RECORDING, "runner", *images], stop)
    if reason is None:
        print("Engine: compose (a Docker engine answers and its images are there).", file=sys.stderr)
        return None
    if arguments.engine == "compose":
        raise MissingError(
            f"--engine compose was asked for, but {reason}.",
            "no image registry can be reached",
            "./lab run --engine local",
        )
    return f"local processes, because {reason}"


def _inside(arguments: argparse.Namespace, settings: Settings) -> list[str]:
    """The same request as the runner in the container must hear it."""
    rates = ",".join(f"{rate:g}" for rate in settings.rates_rps)
    return [
        "run",
        *("--servers", ",".join(settings.servers)),
        *(word for text in arguments.variants for word in ("--variant", text)),
        *("--workload", settings.workload),
        *("--rate", rates),
        *("--rounds", str(settings.rounds)),
        *("--duration", f"{settings.duration_s:g}"),
        *("--seed", str(settings.seed)),
        *("--slo", arguments.slo),
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
        seed=arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000),
    )


def _environment(arguments: argparse.Namespace) -> dict[str, str]:
    """The environment, with what --app and --app-dir say."""
    if arguments.app:
        os.environ["LAB_APP"] = arguments.app
    if arguments.app_dir:
        if not arguments.app_dir.is_dir():
            raise UsageError(
                f"--app-dir {arguments.app_dir} is no folder.",
                "a typo, or a path from elsewhere",
                f"ls {arguments.app_dir.parent}",
            )
        os.environ["LAB_APP_DIR"] = str(arguments.app_dir.resolve())
    return dict(os.environ)


def _app_dir(lab: Lab) -> Path:
    return (lab.root / (lab.variables.get("LAB_APP_DIR") or "services/app")).resolve()


def _folder(out: Path | None, results: Path) -> RunFolder:
    """Where this run goes. In a container that may not write to the host's results/, a volume: nothing is lost."""
    if out:
        return RunFolder.create(out)
    try:
        return RunFolder.create(new_folder(results, "run", utc_now()))
    except MissingError as error:
        spare = os.environ.get("LAB_SPARE_RESULTS")
        if not spare:
            raise
        print(
            f"lab: {error.what} This run goes into the volume 'spare' instead.\n"
            f"  Likely cause: results/ on the host does not belong to user {os.getuid()}\n"
            "  Next: docker compose cp runner:/spare/. results/, and from now on: "
            "LAB_UID=$(id -u) LAB_GID=$(id -g) docker compose up",
            file=sys.stderr,
        )
        return RunFolder.create(new_folder(Path(spare), "run", utc_now()))


@contextmanager
def _one_run_at_a_time(folder: Path) -> Iterator[None]:
    """Two runs on one machine would measure each other. Raises MissingError while another one is under way."""
    try:
        lock = (folder / ".run.lock").open("a")
    except OSError:  # a folder that cannot be written is told of where results are created
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MissingError(
                "Another run is under way.",
                "a ./lab run or docker compose run in another terminal; two at once would measure each other",
                "wait for it to end, or stop it with Ctrl-C",
            ) from error
        yield
