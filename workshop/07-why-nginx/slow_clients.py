"""Runs a command, with a few slow visitors at the same servers meanwhile:

    python3 workshop/07-why-nginx/slow_clients.py ./lab run --servers gunicorn,gunicorn-nginx --rate 100 --rounds 1

Each of them sends a request so slowly that it never ends, and begins again after a while. Bounded: at most three for
each server, on this machine only, and they leave with the command.
"""

import argparse
import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VISITORS = 3
"""One worker of Gunicorn's four is left, so its health check is still answered."""
LETTER_EVERY_S, PATIENCE_S, AGAIN_S = 0.5, 20.0, 0.2
"""Gunicorn kills a worker that waits for 30 s; these leave before."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command to run")
    command = parser.parse_args().command
    if not command:
        parser.error("which command should run meanwhile?")
    done = threading.Event()
    for port in (port_of("GUNICORN_PORT"), port_of("GUNICORN_NGINX_PORT")):
        for _ in range(VISITORS):
            threading.Thread(target=visit, args=(port, done), daemon=True).start()
    process = subprocess.Popen(command, cwd=ROOT)
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # the command hears it as well, and ends in its own way
            code = process.wait()
            break
    done.set()
    sys.exit(code)


def port_of(variable):
    """The port of a server: as the environment says, or .env."""
    written = re.search(rf"^{variable}=(\d+)", (ROOT / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    return int(os.environ.get(variable) or written[1])


def visit(port, done):
    """Be a slow visitor of whoever listens there, until it is over."""
    while not done.is_set():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            send_slowly(connection, done)
        done.wait(AGAIN_S)


def send_slowly(connection, done):
    """Send the beginning of a request, then a letter now and then. Returns when the other side closes, or in time."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    for _ in range(int(PATIENCE_S / LETTER_EVERY_S)):
        if done.wait(LETTER_EVERY_S):
            return
        connection.sendall(b"z")


if __name__ == "__main__":
    main()
