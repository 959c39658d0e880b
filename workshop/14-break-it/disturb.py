"""Runs a command, and disturbs it meanwhile:

    python3 workshop/14-break-it/disturb.py --visit ./lab run --servers gunicorn --workload hello --rate 50 --rounds 1
    python3 workshop/14-break-it/disturb.py --burn ./lab run --servers gunicorn --workload hello --rate 50 --rounds 1

Ends with the command; only this machine is disturbed, at most twelve programs and forty requests per second.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOOPS, VISITS_PER_S = 12, 40
LOOP = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): sum(range(100_000))"
"""Computes for as long as the one is there who started it: this script may be killed."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--visit", action="store_true", help="ask gunicorn for its page, next to k6")
    how.add_argument("--burn", action="store_true", help="use the CPUs that k6 is to have")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command to run")
    asked = parser.parse_args()
    if not asked.command:
        parser.error("which command should run meanwhile?")
    process = subprocess.Popen(asked.command, cwd=ROOT)
    done = threading.Event()
    disturbing = threading.Thread(target=visit if asked.visit else burn, args=(done,))
    disturbing.start()
    try:
        process.wait()
    except KeyboardInterrupt:  # the command hears it as well, and ends in its own way
        process.wait()
    finally:
        done.set()
        disturbing.join()
    sys.exit(process.returncode)


def visit(done):
    """Ask for gunicorn's page until it is over."""
    while not done.wait(1 / VISITS_PER_S):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{setting('GUNICORN_PORT')}/", timeout=2).close()


def burn(done):
    """Keep the CPUs of the load busy until it is over."""
    command = [sys.executable, "-c", LOOP, str(os.getpid())]
    loops = [subprocess.Popen(command, start_new_session=True) for _ in range(LOOPS)]
    for loop in loops:
        with contextlib.suppress(AttributeError, OSError, ValueError):  # macOS pins nothing
            os.sched_setaffinity(loop.pid, cpus(setting("LOAD_CPUS")))
    done.wait()
    for loop in loops:
        loop.kill()
        loop.wait()


def cpus(text):
    """The numbers of `0,2-3`."""
    ranges = [part.split("-") for part in text.split(",")]
    return {number for ends in ranges for number in range(int(ends[0]), int(ends[-1]) + 1)}


def setting(variable):
    """What the environment says of a variable, or .env."""
    written = re.search(rf"^{variable}=(\S+)", (ROOT / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    return os.environ.get(variable) or written[1]


if __name__ == "__main__":
    main()
