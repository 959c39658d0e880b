"""Asks for the same page of two servers, as a browser would, and saves the timing of each request as a HAR file.

    python3 workshop/13-in-the-browser/browse.py ./lab run --servers dev-single,gunicorn --rate 60 --rounds 1

No browser: it measures connecting, waiting for the first byte, and receiving, and no more. It is for rooms and
tests without one; what a page feels like, only a browser shows.
"""

import argparse
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SERVERS = ("DEV_SINGLE_PORT", "GUNICORN_PORT")
EVERY_S, TIMEOUT_S, MOST = 2.0, 20.0, 40


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command to run meanwhile")
    command = parser.parse_args().command
    if not command:
        parser.error("which command should run meanwhile?")
    process = subprocess.Popen(command, cwd=ROOT)
    entries = []
    try:
        while process.poll() is None:
            for variable in SERVERS:
                with contextlib.suppress(OSError):  # it is not there yet, or not any more
                    entries.append(timed(port_of(variable)))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(EVERY_S)
    except KeyboardInterrupt:
        process.wait()
    save(entries[-MOST:])
    sys.exit(process.returncode)


def timed(port):
    """One request for the page, as an entry of a HAR file. Raises OSError where nobody answers."""
    began, started = datetime.now(UTC), time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connected = time.monotonic()
        connection.sendall(f"GET /page HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        head = connection.recv(65536)
        first = time.monotonic()
        while connection.recv(65536):
            pass
    ended = time.monotonic()
    if not head:
        raise OSError("closed without an answer")
    times = {"connect": connected - started, "send": 0.0, "wait": first - connected, "receive": ended - first}
    return {
        "startedDateTime": began.isoformat(),
        "time": round((ended - started) * 1000, 1),
        "request": {"method": "GET", "url": f"http://127.0.0.1:{port}/page"},
        "response": {"status": int(head.split()[1])},
        "timings": {name: round(seconds * 1000, 1) for name, seconds in times.items()},
    }


def port_of(variable):
    """The port of a server: as the environment says, or .env."""
    written = re.search(rf"^{variable}=(\d+)", (ROOT / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    return int(os.environ.get(variable) or written[1])


def save(entries):
    folder = Path(os.environ.get("LAB_RESULTS") or ROOT / "results") / "workshop"
    folder.mkdir(parents=True, exist_ok=True)
    creator = {"name": "workshop/13-in-the-browser/browse.py, which is no browser", "version": "1"}
    path = folder / "script.har"
    path.write_text(json.dumps({"log": {"version": "1.2", "creator": creator, "entries": entries}}, indent=1) + "\n")
    print(f"Kept in {path}: {len(entries)} requests")


if __name__ == "__main__":
    main()
