"""Runs a command, and tells gunicorn and uWSGI to reload every two seconds meanwhile:

    python3 workshop/11-reload/reload.py ./lab run --servers gunicorn --rate 50

Gunicorn's master gets SIGHUP. For uWSGI the file /tmp/wsgilab-chain-reload is touched: a variant with
UWSGI_TOUCH_CHAIN_RELOAD=/tmp/wsgilab-chain-reload watches it. In containers the same, by `docker kill` and
`docker exec`.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOUCHED = Path("/tmp/wsgilab-chain-reload")
EVERY_S = 2.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command to run")
    command = parser.parse_args().command
    if not command:
        parser.error("which command should run meanwhile?")
    TOUCHED.touch()
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        sys.exit(reload_until_it_ends(process))
    finally:
        TOUCHED.unlink(missing_ok=True)


def reload_until_it_ends(process):
    """Reload again and again. Gives the exit code of the command."""
    while True:
        try:
            return process.wait(EVERY_S)
        except subprocess.TimeoutExpired:
            reload_local()
            reload_containers()
        except KeyboardInterrupt:  # the command hears it as well, and ends in its own way
            continue


def reload_local():
    """Gunicorn and uWSGI as processes of this machine."""
    TOUCHED.touch()
    master = gunicorn_master(port_of("GUNICORN_PORT"))
    if master:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(master, signal.SIGHUP)


def reload_containers():
    """Gunicorn and uWSGI in the lab's containers."""
    if not shutil.which("docker"):
        return
    project = f"label=com.docker.compose.project={os.environ.get('COMPOSE_PROJECT_NAME', 'wsgilab')}"
    for service in ("gunicorn", "uwsgi", "chain"):
        named = f"label=com.docker.compose.service={service}"
        filters = [word for one in (project, named, "health=healthy") for word in ("--filter", one)]
        for container in docker("ps", "--quiet", *filters).split():
            if service == "gunicorn":
                docker("kill", "--signal", "HUP", container)
            else:
                docker("exec", container, "touch", str(TOUCHED))


def docker(*words):
    """What docker answers; nothing where it cannot."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=20, check=False).stdout
    return ""


def gunicorn_master(port):
    """The process that listens there: the oldest of gunicorn's. None where there is none, or it has just started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"wsgi:application" in words and f"127.0.0.1:{port}".encode() in words:
                found.append((age_s(path.parent), int(path.parent.name)))
    oldest_s, master = max(found, default=(0.0, None))
    return master if oldest_s >= EVERY_S else None  # SIGHUP ends a process that does not listen to it yet


def age_s(process):
    """How long a process has been there."""
    ticks = int((process / "stat").read_text().rpartition(")")[2].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def port_of(variable):
    """The port of a server: as the environment says, or .env."""
    written = re.search(rf"^{variable}=(\d+)", (ROOT / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    return int(os.environ.get(variable) or written[1])


if __name__ == "__main__":
    main()
