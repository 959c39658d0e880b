"""The story of a measurement: start the servers, measure window after window, keep each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wsgilab.engines import Engine
from wsgilab.engines.here import engine_for
from wsgilab.engines.stack import Stack
from wsgilab.errors import Interrupted, LabError, UsageError
from wsgilab.machine import cpus, http, leftovers
from wsgilab.machine.tools import find_k6
from wsgilab.measure import quiet
from wsgilab.measure.driving import Bench
from wsgilab.measure.floor import Floors, floors_at
from wsgilab.measure.generator import LoadGenerator
from wsgilab.measure.generators import Generators, generator_for
from wsgilab.measure.host_generators import HostGenerators, on_hosts
from wsgilab.measure.job import Job
from wsgilab.measure.k6 import K6Generator
from wsgilab.measure.k6_command import K6, traffic_of
from wsgilab.measure.k6_script import require_loads
from wsgilab.measure.manifest import describe, utc_now, with_needs
from wsgilab.measure.pinning import not_pinned_error
from wsgilab.measure.pod_generators import in_pods
from wsgilab.measure.recorder import Recorder, recorder_for
from wsgilab.measure.recording import recorded
from wsgilab.measure.running import as_they_run
from wsgilab.measure.telemetry import Telemetry
from wsgilab.measure.windows import measure
from wsgilab.model.manifest import Manifest
from wsgilab.model.request import ATTACHED
from wsgilab.model.window import Window
from wsgilab.results.folder import REQUESTS, RunFolder
from wsgilab.results.place import folder_for, one_run_in, results_of


@dataclass(frozen=True)
class Measured:
    """What a measurement left: every window, what explains them, and why it ended early, if it did."""

    windows: tuple[Window, ...]
    manifest: Manifest
    folder: RunFolder
    trouble: LabError | Interrupted | None


def measure_here(stack: Stack, job: Job, engine_why: str) -> Measured:
    """Measure what the job wants, with servers of this machine or containers next to this process.

    Raises LabError or Interrupted where nothing was measured.
    """
    request, lab, listener = stack.request, stack.lab, stack.listener
    results = results_of(request, lab.root)
    engine = engine_for(stack)
    with one_run_in(results):
        leftovers.clear_before_a_run(listener.message)
        folder = _folder_of(stack)
        wanted = request.prometheus and request.engine not in ATTACHED
        recorder = recorder_for(lab, results, stack.stop, listener) if wanted else None
        earlier = folder.read()[0] if request.resume else []
        return _Session(stack, job, engine, recorder, folder, earlier).measured(engine_why)


def _folder_of(stack: Stack) -> RunFolder:
    """A new folder for the run, or that of the one that goes on."""
    if stack.request.resume:
        return RunFolder.open(Path(stack.request.resume))
    return folder_for(stack.request, stack.lab.root, utc_now(), stack.listener)


def _load_cpus(stack: Stack) -> frozenset[int]:
    """The CPUs of the load; in a cluster nobody knows beforehand which they are, only how many."""
    wanted = stack.lab.cpus("LOAD_CPUS")
    return cpus.last(len(wanted)) if stack.request.engine == "kubernetes" else wanted & cpus.available()


class _Session:
    """One measurement under way."""

    def __init__(
        self,
        stack: Stack,
        job: Job,
        engine: Engine,
        recorder: Recorder | None,
        folder: RunFolder,
        earlier: Sequence[Window],
    ) -> None:
        self._stack = stack
        self._job = job.after(earlier)
        self._engine = engine
        self._recorder = recorder
        self._folder = folder
        self._windows = list(earlier)
        self._prometheus_url = recorder.url if recorder else stack.request.prometheus_url
        self._load_cpus = _load_cpus(stack)

    def measured(self, engine_why: str) -> Measured:
        manifest = Manifest()
        trouble: LabError | Interrupted | None = None
        url = self._prometheus_url
        try:
            generator = self._generator()
            self._stack.listener.planned(self._job.outline)
            with self._engine:
                self._engine.start()
                if self._stack.request.engine in ATTACHED:
                    self._engine.servers = as_they_run(self._stack.lab, self._engine, self._stack.listener)
                described = describe(self._job, self._stack.lab, self._engine, engine_why, generator)
                if described.not_pinned:
                    self._stack.listener.warning(not_pinned_error(described.not_pinned, self._engine.name))
                public = url and http.public(url)
                many = max(self._stack.request.generators, len(self._stack.lab.load_hosts))
                generators = many if many > 1 else None
                paths_ms = self._paths_ms(generator)
                manifest = replace(
                    described, prometheus=public, generators=generators, paths_ms=paths_ms, **self._needs()
                )
                with self._floors(generator) as floors:
                    manifest = replace(manifest, floor=floors.found, floor_unknown=floors.unknown)
                    self._folder.write_manifest(manifest)
                    try:
                        self._measure(generator, floors)
                    finally:  # a search has met more rates meanwhile
                        manifest = replace(manifest, floor=floors.found, **self._needs())
        except BaseException as error:
            if not self._windows:
                self._folder.discard()
            if not self._windows or not isinstance(error, Interrupted | LabError):
                raise
            trouble = error
        finished = utc_now().isoformat(timespec="seconds")
        as_it_went = {"rounds": self._job.settings.rounds, **self._job.schedule}
        manifest = replace(manifest, finished_at=finished, **as_it_went)
        if self._job.command == "tune":  # most settings were never started, and have no place in a verdict
            tried = {window.plan.server for window in self._windows}
            manifest = replace(manifest, servers=tuple(one for one in manifest.servers if one.name in tried))
        return Measured(tuple(self._windows), manifest, self._folder, trouble)

    def _generator(self) -> LoadGenerator:
        """The load generator that was asked for. Raises MissingError where there is no k6, or a host cannot send."""
        request, traffic = self._stack.request, traffic_of(self._stack.request)
        kept_in = self._folder.path / REQUESTS if request.save_requests else None
        if together := request.together:
            if traffic.script:
                cause = "it may import files that only this machine has; lab.toml can describe the traffic instead"
                raise UsageError("A k6 script of your own is run on this machine only.", cause, "./lab init --help")
            return on_hosts(together, request.generators, traffic, kept_in)
        if request.testrun:
            return in_pods(request.testrun, traffic, len(self._stack.lab.cpus("LOAD_CPUS")), kept_in)
        k6 = K6(str(find_k6()), self._load_cpus, self._prometheus_url, traffic=traffic)
        require_loads(k6)
        return generator_for(k6, request.generators, kept_in)

    def _paths_ms(self, generator: LoadGenerator) -> dict[str, float]:
        """How far load hosts are from the servers; nothing for load of this machine."""
        if not isinstance(generator, HostGenerators):
            return {}
        return generator.paths_ms(self._engine.endpoint(self._engine.running[0]))

    def _needs(self) -> dict[str, Any]:
        """What the manifest says of the app's needs, by now."""
        return with_needs(self._stack.request.needs, self._stack.lab, self._engine.services_cpu_s())

    def _floors(self, generator: LoadGenerator) -> AbstractContextManager[Floors]:
        """The generator's floor: at each rate that is known beforehand, and at others as they come."""
        quiet.settle(self._engine.running, self._engine, self._stack.stop)
        job = self._job
        return floors_at(job.settings.rates_rps, generator.alone, self._engine, job.objective, self._stack.stop)

    def _measure(self, generator: LoadGenerator, floors: Floors) -> None:
        server_cpus = len(self._stack.lab.cpus("SERVER_CPUS"))
        telemetry = Telemetry(self._prometheus_url, self._engine.servers, server_cpus, self._load_cpus)

        def save(window: Window) -> None:
            telemetry.count(window)
            self._save(window)

        resets = self._stack.request.needs.resets
        start_turns = generator.start_turns if isinstance(generator, K6Generator | Generators) else None
        stop = self._stack.stop
        bench = Bench(self._engine, generator, stop, telemetry.follow, floors.hopeless, start_turns, resets)
        with recorded(telemetry, self._recorder, self._engine, self._stack):
            plans = self._job.plans(self._windows, self._extend)
            measure(plans, bench, save, self._stack.listener.window_started)

    def _extend(self, rounds: int, why: str) -> None:
        """There are more rounds now."""
        self._job = self._job.with_rounds(rounds)
        self._stack.listener.message(why)
        self._stack.listener.planned(self._job.outline)

    def _save(self, window: Window) -> None:
        self._windows.append(window)
        self._folder.append(window)
        self._stack.listener.window_measured(window)
        if self._job.ends_round(len(self._windows)):
            self._stack.listener.round_ended(window.plan.round, tuple(self._windows))
