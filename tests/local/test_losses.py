"""What the lab itself loses in a run, and what a run leaves behind: real servers, real kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support import Lab, Running, only_run, processes_that_name, wait_for, windows_of

from wsgilab.machine import leftovers, places
from wsgilab.machine.tools import find_nginx

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system has no /proc")
ONE_WINDOW = ("--rate", "20", "--rounds", "1", "--duration", "1")


def command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def variable(pid: int, name: str) -> str:
    """A variable that a process was started with."""
    with suppress(OSError):
        pairs = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        return next((pair.partition("=")[2] for pair in pairs if pair.startswith(f"{name}=")), "")
    return ""


def children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(word) for word in path.read_text().split()]
    return found


def in_window(running: Running, number: str) -> None:
    """Wait until k6 is at work on this one."""
    running.says(f"[{number}]")
    wait_for(lambda: [pid for pid in children(running.process.pid) if "load.js" in command(pid)], "k6")


def kill(running: Running, word: str, server: str = "") -> None:
    """SIGKILL for what of this run has `word` in its command, and for its children; of this server, if one is named."""
    victims = [
        pid for pid in children(running.process.pid) if word in command(pid) and variable(pid, "LAB_SERVER") == server
    ]
    assert victims, [command(pid) for pid in children(running.process.pid)]
    for pid in [*victims, *(child for victim in victims for child in children(victim))]:
        os.kill(pid, signal.SIGKILL)


def of_run(run_id: str) -> list[str]:
    return [left.command for left in leftovers.marked({places.MARK: run_id})]


# ── what the lab loses is no server's fault ─────────────────────────────────────────────────────────────────────────


def test_neither_an_exporter_nor_nginx_takes_a_server_with_it(lab: Lab) -> None:
    """Both are killed in a window of their own; the third is as if nothing had been."""
    running = lab.start("run", "--servers", "uwsgi", "--rate", "20", "--rounds", "3", "--duration", "2")
    in_window(running, "1/3")
    kill(running, "exporter.py", server="uwsgi")
    in_window(running, "2/3")
    kill(running, "nginx: master")
    # 5 and no verdict where a busy machine made the third window void: never a server that died.
    assert running.ends() in (0, 5), running.output
    first, second, third = windows_of(only_run(lab))
    assert [window["died"] for window in (first, second, third)] == [None, None, None]
    assert first["void"] == "its exporter gave no answer in the window; uwsgi itself lived"
    assert "nginx, which stands in front of it, ended by SIGKILL" in second["void"]
    assert third["load"]["ok"] == 40
    verdict = json.loads((only_run(lab) / "verdict.json").read_text())
    assert [server["verdict"] for server in verdict["servers"]] == ["inconclusive" if third["void"] else "good"]


def nginx_in(folder: Path) -> Path:
    """Where an nginx in this folder has its binary; the files it reads are there."""
    (folder / "usr/sbin").mkdir(parents=True)
    shutil.copytree(find_nginx().etc, folder / "etc/nginx", symlinks=True, ignore_dangling_symlinks=True)
    return folder / "usr/sbin/nginx"


def test_an_nginx_that_does_not_start_says_why(lab: Lab, tmp_path: Path) -> None:
    shown = nginx_in(tmp_path)
    shown.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -v ]; then echo "nginx version: nginx/1.99" >&2; exit 0; fi\n'
        'echo "nginx: [emerg] no room for it" >&2; exit 1\n'
    )
    shown.chmod(0o755)
    done = lab("run", "--servers", "uwsgi", *ONE_WINDOW, LAB_NGINX=str(shown))
    assert done.returncode == 3, done.stderr
    assert "nginx did not start: ended with exit code 1\n  | nginx: [emerg] no room for it" in done.stderr
    assert "uwsgi did not start" not in done.stderr


def test_a_path_may_hold_what_a_configuration_gives_a_meaning(lab: Lab, tmp_path: Path) -> None:
    """nginx's own files and the folder for temporary ones, which the logs are in."""
    odd = tmp_path / 'my "own"; $cache'
    nginx_in(odd).symlink_to(find_nginx().binary.resolve())
    done = lab("run", "--servers", "uwsgi", *ONE_WINDOW, LAB_NGINX=str(odd / "usr/sbin/nginx"), TMPDIR=str(odd))
    assert done.returncode == 0, done.stderr
    assert windows_of(only_run(lab))[0]["load"]["ok"] == 20
    assert not list(odd.glob(f"{places.PREFIX}*")), "its temporary folders are gone"


# ── what is left behind ─────────────────────────────────────────────────────────────────────────────────────────────

DAEMONS = """
import subprocess, sys
sleep = [sys.executable, "-c", "import time; time.sleep(300)", "{mark}"]
subprocess.Popen(sleep, start_new_session=True)                          # out of the process group
if not sys.argv[0].endswith("uwsgi"):
    subprocess.Popen(["setsid", "setsid", "--fork", *sleep], env={{"PATH": "/usr/bin:/bin"}})   # and without a mark

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x"]
"""


def that_name(mark: str) -> list[int]:
    return [
        int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if mark in command(int(path.parent.name))
    ]


def test_what_left_its_process_group_ends_with_the_run(lab: Lab, tmp_path: Path) -> None:
    mark = f"daemon-of-{tmp_path.name}-{os.getpid()}"
    (tmp_path / "app.py").write_text(DAEMONS.format(mark=mark))
    done = lab("run", "--servers", "dev,gunicorn", "--workload", "/", "--app-dir", tmp_path, *ONE_WINDOW)
    left = that_name(mark)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert done.returncode == 0, done.stderr
    assert left == []
    assert "left behind" in done.stderr
    assert "out of their process group" in done.stderr


def test_what_a_killed_run_leaves_is_found_named_and_removed(lab: Lab, tmp_path: Path) -> None:
    running = lab.start(
        "run", "--servers", "uwsgi", "--rate", "20", "--rounds", "1", "--duration", "5", TMPDIR=str(tmp_path)
    )
    in_window(running, "1/1")
    ids = {variable(pid, places.MARK) for pid in children(running.process.pid)} - {""}
    assert len(ids) == 2, "the servers' and k6's"
    running.signal(signal.SIGKILL)
    running.ends()
    assert all(of_run(run_id) for run_id in ids)
    assert any(nginx_of(run_id) for run_id in ids)

    said = lab("doctor", TMPDIR=str(tmp_path)).stdout
    assert all(run_id in said for run_id in ids)
    assert "./lab doctor --clean" in said
    assert all(of_run(run_id) for run_id in ids), "looking ends nothing"

    with bystander() as neighbour, bystander(places.MARK) as without_a_place:
        lab("doctor", "--clean", TMPDIR=str(tmp_path))
        assert neighbour.poll() is None
        assert without_a_place.poll() is None
    for run_id in ids:
        assert of_run(run_id) == []
        assert not nginx_of(run_id), "it writes over its environment, so its mark is gone"
        assert not list(Path("/dev/shm").glob(f"*{run_id}")) + list(tmp_path.glob(f"*{run_id}"))
    assert "Left behind" not in lab("doctor", TMPDIR=str(tmp_path)).stdout


def nginx_of(run_id: str) -> list[str]:
    return [line for line in processes_that_name(run_id) if line.startswith("nginx: master")]


@contextmanager
def bystander(*names: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sleeps, with these variables set to something that is nobody's."""
    environment = os.environ | dict.fromkeys(names, "0123456789abcdef")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
