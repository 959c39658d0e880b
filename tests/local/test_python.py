"""The example of docs/python.md, run as it stands; and the library used twice, and by two threads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from support import ROOT

from wsgilab.results.folder import RunFolder

PAGE = (ROOT / "docs/python.md").read_text()

TWO_THREADS = """
import json, os, signal, threading
from wsgilab import Listener, Request, Stop, run

class Stopping(Listener):
    def __init__(self, stop):
        self.stop = stop
    def window_measured(self, window):
        self.stop.request()

before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
environment = dict(os.environ)
request = Request(
    engine="local", servers=("gunicorn",), rates_rps=(20.0,), rounds=1, duration_s=0.6,
    settings=SETTINGS, results=RESULTS, lock=LOCK,
)
results = []
threads = [threading.Thread(target=lambda: results.append(run(request))) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stop = Stop()
stopped = run(request.but(rounds=50), Stopping(stop), stop)
assert [len(result.windows) for result in results] == [1, 1], results
assert all(result.trouble is None for result in results), results
assert len({result.folder for result in results}) == 2
assert len(stopped.windows) == 1 and type(stopped.trouble).__name__ == "Interrupted"
assert (stopped.folder / "report.html").exists()
assert environment == dict(os.environ)
assert before == {number: signal.getsignal(number) for number in before}
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_page_about_python_runs_as_it_stands(own_ports: dict[str, str], tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    places = f"settings={own_ports!r}, results={str(tmp_path)!r}, lock={str(tmp_path / 'lock')!r}"
    done = python(code.replace("request = Request(", f"request = Request({places},"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(RunFolder.open(folder).read()[0]) == 2
    lines = done.stdout.splitlines()
    assert {line.partition(" ")[0] for line in lines} == {"gunicorn", "eight", "kept"}
    assert lines[-1] == f"kept in {folder}"


def test_two_threads_take_turns_and_nothing_is_left_changed(own_ports: dict[str, str], tmp_path: Path) -> None:
    given = f"SETTINGS, RESULTS, LOCK = {own_ports!r}, {str(tmp_path)!r}, {str(tmp_path / 'lock')!r}"
    done = python(f"{given}\n{TWO_THREADS}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
