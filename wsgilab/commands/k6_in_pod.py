"""What a pod of the k6-operator runs as `k6`: the real one, with what it is told of itself, and what it used.

The operator gives all pods of a TestRun the same arguments, and the API tells nobody what a process uses.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence

from wsgilab.machine.tools import find_k6
from wsgilab.measure.k6_command import NUMBER
from wsgilab.measure.load import scheduled_s

LOOK_EVERY_S = 0.1


def main(words: Sequence[str]) -> int:
    """Run k6 to its end, and give its exit code. LAB_K6 says which one: this is what PATH leads to."""
    number = os.environ["HOSTNAME"].rpartition("-")[2]
    began = time.monotonic()
    k6 = str(find_k6())
    # Its output is the pod's log, so it is nobody's to read here.
    process = os.posix_spawn(k6, [k6, *(word.replace(NUMBER, number) for word in words)], os.environ)
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda received, _frame: os.kill(process, received))
    wait_s = 0.0
    while True:
        pid, status, used = os.wait4(process, os.WNOHANG)
        if pid:
            break
        wait_s = max(wait_s, scheduled_s(process)[1])
        time.sleep(LOOK_EVERY_S)
    code = os.waitstatus_to_exitcode(status)
    cpu_s, wall_s = used.ru_utime + used.ru_stime, time.monotonic() - began
    print("wsgilab-used " + json.dumps({"cpu_s": cpu_s, "wait_s": wait_s, "wall_s": wall_s}), flush=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
