"""Does a measurement notice the page? CPU of the page's process, and runs of a server with and without a reader.

    python benchmarks/home.py [--pairs N] [--idle S] [--browser]

The page (`./lab view`) and its Prometheus run all the time, so that the two runs of a pair differ by the reader alone:
one who gets events, or a headless Chromium (`--browser`), which takes CPU of its own wherever the system puts it. The
order changes from pair to pair. Eight pairs take about ten minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from wsgilab.analysis import stats  # noqa: E402
from wsgilab.model.interval import Interval  # noqa: E402

METRICS = ("p50_ms", "p99_ms", "cpu_ms_per_request")
RUN = ("run", "--engine", "local", "--prometheus", "--servers", "gunicorn", "--rate", "100", "--rounds", "3")
LIMITS = "limits: 1 % of a core while nobody looks; every ratio's interval holds 1"
PATIENCE_S = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=8, metavar="N", help="default: 8")
    parser.add_argument("--idle", type=float, default=30.0, metavar="S", help="seconds of CPU counting (default: 30)")
    parser.add_argument("--browser", action="store_true", help="a headless Chromium looks, not a bare reader")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as results, page(Path(results)) as (pid, port):
        print(f"nobody looks: {share_of_a_core(pid, options.idle) * 100:.2f} % of a core", flush=True)
        with looking(port, options.browser):
            print(f"one looks, nothing runs: {share_of_a_core(pid, options.idle) * 100:.2f} % of a core", flush=True)
        pairs: dict[str, list[tuple[Interval, Interval]]] = {metric: [] for metric in METRICS}
        for number in range(options.pairs):
            looked, alone = pair(Path(results), pid, port, options.browser, number)
            for metric in METRICS:
                pairs[metric].append((figure(looked, metric), figure(alone, metric)))
    for metric, found in pairs.items():
        ratio = stats.paired_ratio(found)
        if ratio and ratio.low and ratio.high:
            print(f"{metric}, with a reader ÷ without: {ratio.value:.4f} ({ratio.low:.4f}–{ratio.high:.4f})")
    print(LIMITS)
    return 0


@contextlib.contextmanager
def page(results: Path) -> Iterator[tuple[int, int]]:
    """(process id, port) of a page that runs while the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = results / "view.log"
    with log.open("w") as out:
        command = [sys.executable, "-m", "wsgilab", "view", "--port", str(port)]
        process = subprocess.Popen(command, env=environment(results), stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "Ctrl-C ends this." not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the page did not start:\n{log.read_text()}")
            time.sleep(0.1)
        pin(process.pid)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def pin(pid: int) -> None:
    """To the load's CPU, where Compose puts it."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {1})


def pair(results: Path, pid: int, port: int, browser: bool, number: int) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What a run with a reader found, and one without."""
    found: dict[bool, Mapping[str, Any]] = {}
    for looked in (True, False) if number % 2 else (False, True):
        with looking(port, browser) if looked else contextlib.nullcontext():
            before, started = cpu_s(pid), time.monotonic()
            found[looked] = measured(results, f"pair-{number}-{'with' if looked else 'without'}")
            used = (cpu_s(pid) - before) / (time.monotonic() - started)
        print(
            f"pair {number + 1}, {'with' if looked else 'without'} a reader: page {used * 100:.2f} % of a core",
            flush=True,
        )
    return found[True], found[False]


def measured(results: Path, name: str) -> Mapping[str, Any]:
    """The one load of one run. Raises CalledProcessError where it failed."""
    command = [sys.executable, "-m", "wsgilab", *RUN, "--out", str(results / name)]
    subprocess.run(
        command,
        cwd=ROOT,
        env=environment(results),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    load: Mapping[str, Any] = json.loads((results / name / "verdict.json").read_text())["servers"][0]["loads"][0]
    return load


def figure(load: Mapping[str, Any], metric: str) -> Interval:
    said = load[metric]
    return Interval(said["value"], said["low"], said["high"], said.get("censored", False))


@contextlib.contextmanager
def looking(port: int, browser: bool) -> Iterator[None]:
    """Somebody looks at the page while the block lasts."""
    if browser:
        with tempfile.TemporaryDirectory() as profile:
            program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
            flags = [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={profile}",
                "--remote-debugging-port=0",
            ]
            command = [str(program), *flags, f"http://127.0.0.1:{port}/"]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                time.sleep(3)
                yield
            finally:
                process.terminate()
                process.wait()
        return
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        threading.Thread(target=_read, args=(connection,), daemon=True).start()
        yield


def _read(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


def share_of_a_core(pid: int, seconds: float) -> float:
    before, started = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(pid) - before) / (time.monotonic() - started)


def cpu_s(pid: int) -> float:
    """CPU time that a process has used, its children not."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environment(results: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "LAB_RESULTS": str(results)}


if __name__ == "__main__":
    sys.exit(main())
