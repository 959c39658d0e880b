"""A Prometheus for local runs: Compose's configuration, flags and rules, with addresses and folders of this machine."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec
import yaml

from wsgilab.engines import Endpoint
from wsgilab.errors import MissingError
from wsgilab.lab.servers import Lab, parse_port
from wsgilab.machine import http, places, processes
from wsgilab.machine.cpus import available
from wsgilab.machine.environment import inherited
from wsgilab.machine.packages import Announce, unheard
from wsgilab.machine.ports import another
from wsgilab.machine.tools import find_prometheus
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.measure import access, scrape_config
from wsgilab.model.listener import Listener
from wsgilab.model.server import Server

T = TypeVar("T")

START_TIMEOUT_S = 30.0
"""A Prometheus that was killed reads its log of the last two hours again before it answers."""
STOP_TIMEOUT_S = 10.0
ASK_TIMEOUT_S = 2.0
WATCH_TIMEOUT_S = 10.0


def recorder_for(lab: Lab, results: Path, stop: Stop, listener: Listener) -> Recorder | None:
    """A Recorder that is ready. None where there is none: the run goes on without it, and the listener hears why."""
    recorder = Recorder(lab, results, listener.message)
    try:
        recorder.start(stop)
    except MissingError as error:
        goes_on = f"{error.what} The run goes on without it: no dashboards, the same verdict."
        listener.warning(MissingError(goes_on, error.cause, error.next_command))
        return None
    return recorder


class _Flags(msgspec.Struct):
    data: dict[str, str]


class _Target(msgspec.Struct):
    labels: dict[str, str]
    health: str


class _ActiveTargets(msgspec.Struct, rename="camel"):
    active_targets: list[_Target]


class _Targets(msgspec.Struct):
    data: _ActiveTargets


class Recorder:
    """The Prometheus on PROMETHEUS_PORT that keeps its data in `results/.prometheus`: started here, or found there.

    `./lab run --prometheus` and `./lab view` use the same one, whichever came first; who started it ends it.
    """

    def __init__(self, lab: Lab, results: Path, announce: Announce = unheard) -> None:
        self.port = parse_port("PROMETHEUS_PORT", lab.variables["PROMETHEUS_PORT"])
        self._lab = lab
        self._announce = announce
        self._folder = (results / ".prometheus").resolve()
        self._config = self._folder / "prometheus.yaml"
        self._process: processes.Process | None = None
        self._place: places.Place | None = None
        self._binary: Path | None = None
        self._last_word: str | None = None

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address, with the user and the password that it wants; without, where the folder is not writable."""
        bare = f"http://127.0.0.1:{self.port}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return access.grant(self._folder, bare)
        except OSError:
            return bare

    @property
    def log(self) -> Path:
        """What the one that was started here says."""
        return self._folder / "prometheus.log"

    @property
    def lost(self) -> str | None:
        """What had become of it by the end of `watching`, where it was no longer there."""
        return self._last_word

    def answers(self) -> bool:
        """Whether some Prometheus is ready on the port, ours or one that wants another password."""
        try:
            return http.ask(f"{self.url}/-/ready", timeout_s=ASK_TIMEOUT_S).status in (200, 401)
        except http.NoAnswer:
            return False

    def ended(self) -> str | None:
        """How the one that was started here ended, or None."""
        code = self._process.poll() if self._process else None
        return None if code is None else f"exit code {code}; its last line: {self._last_line()}"

    def start(self, stop: Stop) -> None:
        """Have one that is ready. Raises MissingError where that cannot be, and Interrupted."""
        self._binary = find_prometheus(self._announce)
        if self.answers():
            self._require_ours()
            return
        self._write_config()
        self._spawn(self._binary)
        ready = poll_until(lambda: self.answers() or self.ended() is not None, stop, START_TIMEOUT_S)
        if not ready or self.ended():
            reason = self.ended() or f"not ready after {START_TIMEOUT_S:g} s"
            self.stop()
            raise MissingError(
                f"Prometheus did not start: {reason}",
                "a full disk, a port in use, or data of another version; the whole log is in "
                f"{self._folder / 'prometheus.log'}",
                f"PROMETHEUS_PORT={another(self.port)} ./lab run --prometheus",
            )

    def keep_up(self) -> None:
        """Start it (again) where none answers: it has died, or belonged to a run that has ended. Does not wait."""
        if self._binary is None or (self._process and not self.ended()) or self.answers():
            return
        with contextlib.suppress(OSError):  # a full disk may have room again at the next time
            self._spawn(self._binary)

    @contextlib.contextmanager
    def watching(self, endpoints: Mapping[str, tuple[Server, Endpoint]], stop: Stop) -> Iterator[None]:
        """Record these servers while the block lasts, from its first second: leave it before they are stopped."""
        self.watch(endpoints)
        # New targets are taken up every five seconds, and a window that begins before would have half its figures.
        poll_until(lambda: self._up() >= set(endpoints), stop, WATCH_TIMEOUT_S)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # a full disk: what was measured is reported all the same
                self.watch({})
            self._last_word = None if self.answers() else self.ended() or "it gives no answer"
            self.stop()

    def watch(self, endpoints: Mapping[str, tuple[Server, Endpoint]]) -> None:
        """Scrape the exporters of these servers from now on, and nobody else's. Prometheus notices by itself."""
        self._write_targets("servers", [scrape_config.target(server, at) for server, at in endpoints.values()])
        proxies = {at.proxy_exporter_url for _, at in endpoints.values() if at.proxy_exporter_url}
        self._write_targets("nginx", [scrape_config.proxy(url) for url in sorted(proxies)])

    def stop(self) -> None:
        """End what was started here; its data stays."""
        if self._process:
            processes.end([self._process], STOP_TIMEOUT_S)
        if self._place:
            self._place.remove()
        self._process = self._place = None

    def is_ours(self) -> bool:
        """Whether the one that answers records local runs of this folder: Compose's has another configuration."""
        said = self._ask("/api/v1/status/flags", _Flags)
        return said is not None and said.data.get("config.file") == str(self._config)

    def _require_ours(self) -> None:
        if not self.is_ours():
            raise MissingError(
                f"Port {self.port} on 127.0.0.1 has a Prometheus that records something else.",
                "the Compose stack is up (docker compose down stops it), or a Prometheus of yours",
                f"PROMETHEUS_PORT={another(self.port)} ./lab run --prometheus",
            )

    def _spawn(self, binary: Path) -> None:
        options = flags(self._lab, self._folder, self.port)
        cpus = self._lab.cpus("LOAD_CPUS") & available()
        output = self._folder / "prometheus.log"
        output.unlink(missing_ok=True)
        # Known by its mark if we are killed: else it would record for ever.
        self._place = self._place or places.make()
        environment = {**inherited(), **self._place.environment}
        self._process = processes.start([str(binary), *options], output, environment=environment, cpus=cpus)

    def _write_config(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            shipped = yaml.safe_load((self._lab.root / "prometheus/prometheus.yaml").read_text(encoding="utf-8"))
            rules = self._lab.root / "prometheus/rules.yaml"
            config = scrape_config.for_processes(shipped, rules, self._folder, self.port)
            text = yaml.safe_dump(config, sort_keys=False)
            self._config.write_text(text, encoding="utf-8")
            self.watch({})
        except OSError as error:
            raise MissingError(
                f"Prometheus has no folder for its data: {error}.", "the disk is full or not yours", "df -h results"
            ) from error

    def _up(self) -> set[str]:
        """The servers whose exporters have answered a scrape."""
        said = self._ask("/api/v1/targets?state=active", _Targets)
        active = said.data.active_targets if said else ()
        return {target.labels.get("server", "") for target in active if target.health == "up"}

    def _write_targets(self, job: str, groups: Sequence[Mapping[str, Any]]) -> None:
        # Renamed into place: Prometheus may read at any moment.
        part = self._folder / f"{job}.json.part"
        part.write_text(json.dumps(groups, indent=1), encoding="utf-8")
        os.replace(part, self._folder / f"{job}.json")

    def _ask(self, path: str, form: type[T]) -> T | None:
        """An answer of this form; None where nobody gives one, or something that is no Prometheus."""
        try:
            return msgspec.json.decode(http.ask(self.url + path, timeout_s=ASK_TIMEOUT_S).body, type=form)
        except (http.NoAnswer, ValueError, RecursionError):
            return None

    def _last_line(self) -> str:
        lines = (self._folder / "prometheus.log").read_text(errors="replace").strip().splitlines()
        return (lines or ["nothing"])[-1]


def flags(lab: Lab, folder: Path, port: int) -> list[str]:
    """The flags of compose.yaml's Prometheus, with places of this machine: files and data in `folder`."""
    ours = {
        "--config.file": str(folder / "prometheus.yaml"),
        "--web.config.file": str(folder / access.WEB),
        "--storage.tsdb.path": str(folder / "data"),
    }
    said = [flag.partition("=") for flag in lab.services["prometheus"]["command"]]
    rewritten = [f"{name}{sign}{ours.get(name, value)}" for name, sign, value in said]
    return [*rewritten, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
