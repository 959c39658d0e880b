"""Process trees, from the processes of this very test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "services" / "serve"))

import process
from proctree import ProcessTree

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc on this system")

CHILD = """
import time
while time.process_time() < 0.2: pass
print("burnt", flush=True)
time.sleep(60)
"""
# Starts one child that burns CPU and stays; ends and reaps it on a line of input; says what it does.
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
input()
{{end}}
print("gone", flush=True)
input()
"""

WAITED_FOR = "child.kill(); child.wait()"
# Before the end, not after it: a child that is dead by then stays a zombie.
IGNORED = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); child.kill()"


@pytest.fixture
def parent(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    program = PARENT.format(end=getattr(request, "param", WAITED_FOR))
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            yield process
            os.killpg(process.pid, signal.SIGKILL)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def test_a_tree_counts_its_root_and_what_that_started(parent: subprocess.Popen[str]) -> None:
    heard(parent)
    tree = ProcessTree(parent.pid)
    usage = tree.read()
    assert usage.processes == 2
    assert usage.threads == 2
    assert len(tree.pids) == 2
    assert tree.pids[0] == parent.pid
    assert usage.cpu_s > 0.2
    assert usage.pss_bytes is not None
    assert 0 < usage.pss_bytes <= usage.rss_bytes
    assert usage.open_fds is not None
    assert usage.open_fds >= 6
    assert usage.voluntary_switches > 0


@pytest.mark.parametrize(
    "parent",
    [WAITED_FOR, IGNORED],
    indirect=True,
    ids=["the parent waits for it", "the parent ignores its end"],
)
def test_cpu_time_and_switches_of_the_dead_stay(parent: subprocess.Popen[str]) -> None:
    heard(parent)
    tree = ProcessTree(parent.pid)
    before = tree.read()
    tell(parent)
    assert heard(parent) == "gone\n"
    deadline = time.monotonic() + 10
    while (after := tree.read()).processes > 1 and time.monotonic() < deadline:
        time.sleep(0.01)  # whose end is ignored may be a zombie for a moment

    assert after.processes == 1
    assert after.cpu_s >= before.cpu_s
    assert after.cpu_s < before.cpu_s + 0.2, "the child's time must not be counted twice"
    assert after.voluntary_switches >= before.voluntary_switches
    assert after.involuntary_switches >= before.involuntary_switches


def test_a_tree_whose_root_has_gone_says_so(parent: subprocess.Popen[str]) -> None:
    heard(parent)
    tree = ProcessTree(parent.pid)
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    assert not process.is_alive(parent.pid)
    with pytest.raises(ProcessLookupError):
        tree.read()


def test_a_zombie_is_not_alive() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert process.read_stat(pid).state == "Z"
    assert not process.is_alive(pid)
    os.waitpid(pid, 0)


def test_the_process_clock_shows_the_cpu_time_of_dead_threads_too() -> None:
    assert abs(process.cpu_s(os.getpid()) - time.process_time()) < 0.05


def test_a_process_that_does_not_exist_has_no_clock() -> None:
    with pytest.raises(ProcessLookupError):
        process.cpu_s(2**22 + 1)


def test_this_process_started_in_the_past_and_after_the_machine() -> None:
    started_at = process.started_at(os.getpid())
    assert time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) < started_at + 1
    assert started_at < time.time() + 1


def test_a_name_with_blanks_and_parentheses_is_read_whole(tmp_path: Path) -> None:
    program = tmp_path / "a) b (c"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as sleeper:
        deadline = time.monotonic() + 10
        while (comm := process.read_stat(sleeper.pid).comm) != program.name and time.monotonic() < deadline:
            time.sleep(0.01)  # until it has become what it was started as
        assert comm == "a) b (c"
        assert process.read_stat(sleeper.pid).parent == os.getpid()
        assert process.oldest_named("a) b (c") == sleeper.pid
        sleeper.kill()


def test_kernels_that_do_not_list_children_are_searched_by_parent(
    parent: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard(parent)
    expected = ProcessTree(parent.pid).read().processes
    monkeypatch.setattr(process, "KERNEL_LISTS_CHILDREN", False)
    assert ProcessTree(parent.pid).read().processes == expected == 2
