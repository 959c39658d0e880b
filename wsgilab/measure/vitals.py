"""The story of what a browser feels: start the servers, click block after block, keep each, take pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wsgilab.engines import Engine
from wsgilab.engines.here import engine_for
from wsgilab.engines.stack import Stack
from wsgilab.errors import Interrupted, LabError
from wsgilab.lab import app_file
from wsgilab.machine import cpus, http, leftovers
from wsgilab.machine.tools import find_browser, find_k6
from wsgilab.measure import quiet
from wsgilab.measure.background import Bench
from wsgilab.measure.blocks import measured, plan_blocks
from wsgilab.measure.browser import Browser, launched
from wsgilab.measure.filming import films
from wsgilab.measure.job import Job
from wsgilab.measure.k6 import K6Generator
from wsgilab.measure.k6_command import K6, traffic_of
from wsgilab.measure.manifest import describe, utc_now
from wsgilab.measure.recorder import Recorder, recorder_for
from wsgilab.measure.recording import recorded
from wsgilab.measure.running import as_they_run
from wsgilab.measure.telemetry import Telemetry
from wsgilab.measure.visiting import rehearse
from wsgilab.measure.vital_telemetry import series_of
from wsgilab.measure.windows import Settings
from wsgilab.model import slo
from wsgilab.model.manifest import Manifest
from wsgilab.model.request import Request
from wsgilab.model.server import Server
from wsgilab.model.vitals import CLIENTS, WIRINGS, Action, Block, BlockPlan, Film
from wsgilab.results.folder import RunFolder
from wsgilab.results.place import folder_for, one_run_in, results_of

SEEN_AFTER_S = 3.0
"""What is told once a second is recorded by rules once a second: the last block's figures, too, need their time."""
CLICK_TAKES_S, BLOCK_TAKES_S, FILM_TAKES_S = 0.35, 3.0, 3.0
"""About, for the time that is left; a loaded server takes longer."""


@dataclass(frozen=True)
class Felt:
    """What a measurement left: every block, what explains them, and why it ended early, if it did."""

    blocks: tuple[Block, ...]
    films: tuple[Film, ...]
    manifest: Manifest
    folder: RunFolder
    trouble: LabError | Interrupted | None


def actions_of(request: Request) -> tuple[Action, ...]:
    """What is clicked on. Raises UsageError for a lab.toml that cannot be used."""
    return app_file.actions(Path(request.vitals)) if request.vitals else WIRINGS


def feel_here(stack: Stack, engine_why: str) -> Felt:
    """Measure with servers of this machine, or containers next to this process.

    Raises LabError or Interrupted where nothing was measured.
    """
    request, lab, listener = stack.request, stack.lab, stack.listener
    engine, actions, executable = engine_for(stack), actions_of(request), find_browser()
    results = results_of(request, lab.root)
    with one_run_in(results):
        leftovers.clear_before_a_run(listener.message)
        folder = folder_for(request, lab.root, utc_now(), listener)
        wanted = request.prometheus and engine.name == "local"
        recorder = recorder_for(lab, results, stack.stop, listener) if wanted else None
        return _Session(stack, engine, actions, folder, recorder).felt(executable, engine_why)


class _Session:
    """One measurement under way."""

    def __init__(
        self,
        stack: Stack,
        engine: Engine,
        actions: tuple[Action, ...],
        folder: RunFolder,
        recorder: Recorder | None,
    ) -> None:
        self._stack = stack
        self._engine = engine
        self._actions = actions
        self._plans = plan_blocks(stack.request, stack.servers, actions)
        self._folder = folder
        self._recorder = recorder
        self._job = _job(stack.request, stack.servers, self._plans)
        self._manifest = Manifest()
        self._blocks: list[Block] = []
        self._films: list[Film] = []
        self._prometheus_url = recorder.url if recorder else stack.request.prometheus_url
        self._load_cpus = stack.lab.cpus("LOAD_CPUS") & cpus.available()

    def felt(self, executable: Path, engine_why: str) -> Felt:
        trouble: LabError | Interrupted | None = None
        request = self._stack.request
        try:
            traffic = replace(traffic_of(request), most_vus=CLIENTS)
            generator = K6Generator(K6(str(find_k6()), self._load_cpus, self._prometheus_url, traffic=traffic))
            with launched(executable, self._load_cpus, contained=request.engine == "attached") as browser, self._engine:
                self._stack.listener.planned(self._job.outline)
                self._start()
                self._describe(engine_why, generator, browser)
                self._measure(generator, browser)
        except BaseException as error:
            if not self._blocks:
                self._folder.discard()
            if not self._blocks or not isinstance(error, Interrupted | LabError):
                raise
            trouble = error
        manifest = replace(self._manifest, finished_at=utc_now().isoformat(timespec="seconds"))
        return Felt(tuple(self._blocks), tuple(self._films), manifest, self._folder, trouble)

    def _start(self) -> None:
        self._engine.start()
        if self._stack.request.engine == "attached":
            self._engine.servers = as_they_run(self._stack.lab, self._engine, self._stack.listener)

    def _describe(self, engine_why: str, generator: K6Generator, browser: Browser) -> None:
        found = describe(self._job, self._stack.lab, self._engine, engine_why, generator)
        url = self._prometheus_url
        public = url and http.public(url)
        self._manifest = replace(found, versions={**found.versions, "browser": browser.name}, prometheus=public)
        self._folder.write_manifest(self._manifest)

    def _measure(self, generator: K6Generator, browser: Browser) -> None:
        request, lab, engine = self._stack.request, self._stack.lab, self._engine
        telemetry = Telemetry(self._prometheus_url, engine.servers, len(lab.cpus("SERVER_CPUS")), self._load_cpus)
        bench = Bench(
            engine,
            generator,
            browser,
            self._actions,
            request.workload,
            self._stack.stop,
            self._stack.listener,
            telemetry.follow,
            request.needs.resets,
        )
        quiet.settle(engine.servers, engine, bench.stop)
        if request.vitals:
            _rehearse(bench)
        with recorded(telemetry, self._recorder, engine, self._stack):
            for block in measured(self._plans, bench):
                self._blocks.append(block)
                self._folder.append_line(block.to_json())
                telemetry.tell_too(series_of(block))
            if self._prometheus_url:
                bench.stop.wait(SEEN_AFTER_S)
        if request.film:
            self._films.extend(films(bench, max(request.rates_rps)))


def _rehearse(bench: Bench) -> None:
    """Try an app's own clicks on the first server, before minutes are spent on them. Raises UsageError, ServerError."""
    server = bench.engine.servers[0]
    bench.listener.message(f"Trying every click once, with {server.name} …")
    with bench.browser.tab() as tab:
        rehearse(tab, bench.engine.endpoint(server).url, bench.actions)
    if bench.resets:
        bench.engine.reset(server)


def _job(request: Request, servers: Sequence[Server], plans: Sequence[BlockPlan]) -> Job:
    """The blocks in the words of a job, for the manifest and those who look on."""
    clicks = sum(len(plan.actions) * plan.clicks for plan in plans)
    films_take_s = FILM_TAKES_S * len(servers) * len(plans[0].actions) if request.film else 0.0
    block_s = clicks / len(plans) * CLICK_TAKES_S + BLOCK_TAKES_S
    settings = Settings(
        servers=tuple(server.name for server in servers),
        workload=request.workload,
        rates_rps=request.rates_rps,
        rounds=request.windows_each,
        duration_s=block_s,
        keep_alive=request.keep_alive,
        seed=request.seed or 0,
    )
    return Job(
        command=request.command,
        settings=settings,
        objective=slo.parse(request.slo),
        plans=lambda _measured, _extended: (),
        schedule={"order": tuple((plan.round, plan.server, plan.rate_rps) for plan in plans)},
        windows=len(plans),
        takes_s=block_s * len(plans) + films_take_s,
        afterwards_s=films_take_s,
    )
