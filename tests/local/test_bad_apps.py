"""Apps that misbehave as they are imported or while they serve are measured all the same, or explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support import Lab, only_run, processes_that_name, windows_of

ONE_WINDOW = ("--rate", "20", "--rounds", "1", "--duration", "1")
SERVERS = ("gunicorn", "uwsgi")
NOISY = """
import os, signal, sys
print("x" * 5_000_000)
os.chdir("/")
sys.stdin.close()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.execvp("sleep", ["sleep", "{mark}"])

def app(environ, start_response):
    print("y" * 100_000, file=sys.stderr)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
MARK = "86397"
"""Seconds that nobody else sleeps."""
ENDS = {
    "as if all was well": ("import os\nos._exit(0)\n", r"did not start: (ended with exit code 0|not healthy)"),
    "in the middle": ("import os\nos._exit(7)\n", r"The app cannot be loaded"),
    "by sys.exit": ("import sys\nsys.exit(0)\n", r"raised SystemExit: 0"),
    "never": (
        "import time\nprint('asks the database', flush=True)\ntime.sleep(1000)\n",
        r"was not imported in the time that a server has to start",
    ),
}


def test_an_app_that_prints_forks_moves_and_does_not_want_to_end_is_measured(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(NOISY.replace("{mark}", MARK))
    done = lab("run", "--servers", ",".join(SERVERS), "--app-dir", tmp_path, *ONE_WINDOW)
    assert done.returncode in (0, 5), done.stdout + done.stderr  # a busy machine may void a window of one second
    windows = windows_of(only_run(lab))
    assert {window["plan"]["server"]: (window["load"]["ok"], window["died"]) for window in windows} == dict.fromkeys(
        SERVERS, (20, None)
    )
    assert len(done.stdout + done.stderr) < 50_000, "what it prints is in its log"
    assert not processes_that_name(f"sleep {MARK}")


@pytest.mark.parametrize("kind", ENDS)
def test_an_app_that_ends_or_hangs_as_it_is_imported_is_explained(lab: Lab, tmp_path: Path, kind: str) -> None:
    source, said = ENDS[kind]
    (tmp_path / "app.py").write_text(f"{source}app = print\n")
    for server in SERVERS if "did not start" in said else SERVERS[:1]:  # the others are not even started
        done = lab("run", "--servers", server, "--app-dir", tmp_path, *ONE_WINDOW, LAB_START_TIMEOUT_S="2")
        assert done.returncode == 4, done.stdout + done.stderr
        assert re.search(said, done.stderr), done.stderr
        assert "\n  Next: " in done.stderr
        assert "Traceback" not in done.stderr
    made = lab("init", "--app-dir", tmp_path) if kind != "never" else None
    assert made is None or (made.returncode == 4 and "cannot be imported" in made.stderr), made
