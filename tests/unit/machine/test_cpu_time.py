"""The CPU time of a process with all that it started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import wait_for

from wsgilab.machine.cpu_time import used_s

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
BURN = "import time\nwhile time.process_time() < 0.2: pass\n"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-S", "-c", {BURN!r}])
child = subprocess.Popen([sys.executable, "-S", "-c", {BURN + "time.sleep(600)"!r}])
print("started", flush=True)
try:
    sys.stdin.read()
finally:
    child.kill()
    child.wait()
"""


def test_children_count_those_that_have_ended_too() -> None:
    with subprocess.Popen(
        [sys.executable, "-S", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        wait_for(lambda: (used_s(parent.pid) or 0) >= 0.38, "0.2 s of the one that has ended, 0.2 s of the other")
        assert parent.stdin
        parent.stdin.close()
        parent.wait(timeout=30)
    assert used_s(parent.pid) is None, "nobody can tell of one that is gone"
