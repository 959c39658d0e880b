"""The recommended setting in the words of its server: gunicorn.conf.py, uwsgi.ini; and what all ready files share."""

from __future__ import annotations

from dataclasses import dataclass

from wsgilab.model import words
from wsgilab.model.tuning import Setting

PORT = 8000
FOLDER, SOCKETS = "/srv/app", "/run/app"
SOCKET = f"{SOCKETS}/uwsgi.sock"
CONF, INI, NGINX, CMD, UNIT = "gunicorn.conf.py", "uwsgi.ini", "nginx.conf", "Dockerfile.cmd", "app.service"


@dataclass(frozen=True)
class Basis:
    """What the files are for, and what they were measured by."""

    app: str
    """`module:attribute`."""
    said: str
    """What the tuning says of the setting, in one sentence."""
    cpus: int
    allowed_mb: float | None = None
    """The memory that it was tuned for."""
    seen_mb: float | None = None
    """The most that it was seen to use."""


def gunicorn_conf(setting: Setting, basis: Basis) -> str:
    """gunicorn.conf.py."""
    own = [f'worker_class = "{setting.kind}"', f"workers = {setting.workers}"]
    if setting.kind == "gthread":
        own.append(f"threads = {setting.threads}")
    if setting.kind == "gevent":
        own.append(f"worker_connections = {setting.threads}")
    idle = []
    if setting.kind != "sync":  # which closes every connection
        idle = [
            "# nginx keeps idle connections for 60 s; a server that closes them first makes it answer 502.",
            "keepalive = 75",
        ]
    return lines(
        *head("#", basis),
        *own,
        "",
        "# Only this machine may connect: a proxy is between the server and the world.",
        f'bind = "127.0.0.1:{PORT}"',
        *idle,
        "# The heartbeat file of each worker in memory (Linux): a disk can block a worker for seconds.",
        'worker_tmp_dir = "/dev/shm"',
        "# The control socket of gunicorn 25 and later wants a writable home folder, which a service has not.",
        "control_socket_disable = True",
    )


def uwsgi_ini(setting: Setting, basis: Basis) -> str:
    """uwsgi.ini."""
    turns = []
    if setting.workers > 1 and setting.threads > 1:
        turns = [
            "; Without turns, the threads of all processes wake up for one connection.",
            "thunder-lock = true",
        ]
    return lines(
        *head(";", basis),
        "[uwsgi]",
        f"processes = {setting.workers}",
        f"threads = {setting.threads}",
        *turns,
        "",
        f"module = {basis.app}",
        "; A socket that only this machine has: who can reach a port of this protocol can run any code. nginx opens it",
        "; as a member of the group.",
        f"socket = {SOCKET}",
        "chmod-socket = 660",
        "; As it was measured; the default is 100. The kernel must allow it: net.core.somaxconn, 4096 since Linux 5.4.",
        "listen = 512",
        "; Without a master process dead workers stay dead.",
        "master = true",
        "; Stop at once when the app does not load, instead of answering every request with 500.",
        "need-app = true",
        "; SIGTERM means stop; uWSGI's default is to reload.",
        "die-on-term = true",
        "; An unknown option is an error, not a wish.",
        "strict = true",
        "; Threads that the app starts itself get to run.",
        "enable-threads = true",
        "; Every process loads the app itself, as it was measured: no connection is shared by accident.",
        "lazy-apps = true",
        "; nginx writes a line for each request already.",
        "disable-logging = true",
        "; Remove the socket at the end.",
        "vacuum = true",
    )


def head(mark: str, basis: Basis) -> list[str]:
    """What these lines are good for, as comments."""
    cpus = words.counted(basis.cpus, "CPU")
    memory = f" with {words.number(basis.allowed_mb)} MB" if basis.allowed_mb is not None else ""
    return [
        f"{mark} {' '.join(basis.said.split())}",
        f"{mark} Measured by WSGI Lab on {cpus}{memory}. For another machine or app, measure again.",
    ]


def lines(*own: str) -> str:
    """One text."""
    return "\n".join(own)
