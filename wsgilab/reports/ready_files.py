"""What a recommended setting looks like in production: files and lines that can be taken as they are.

They hold the setting that was measured, and what must not be left to a default beside it; each with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping

from wsgilab.model.tuning import Setting

PORT = 8000
SOCKET = "/run/app/uwsgi.sock"
ROOM = 1.3
"""Memory of a unit over what was seen, so that a slow growth is not killed at once."""


def ready_files(setting: Setting, app: str, memory_mb: float | None = None) -> dict[str, str]:
    """File name → its text. `app`: `module:attribute`. `memory_mb`: the most that was seen."""
    write = _of_uwsgi if setting.family == "uwsgi" else _of_gunicorn
    return {name: text.rstrip() + "\n" for name, text in write(setting, app, memory_mb).items()}


def _of_gunicorn(setting: Setting, app: str, memory_mb: float | None) -> Mapping[str, str]:
    command = ["gunicorn", "--config", "gunicorn.conf.py", app]
    return {
        "gunicorn.conf.py": _gunicorn_conf(setting),
        "nginx.conf": _nginx("proxy_pass http://app;", f"server 127.0.0.1:{PORT};", _PROXY_LINES),
        "Dockerfile": _dockerfile(command, "gunicorn[gevent]" if setting.kind == "gevent" else "gunicorn"),
        "app.service": _unit(" ".join(command), memory_mb),
    }


def _of_uwsgi(setting: Setting, app: str, memory_mb: float | None) -> Mapping[str, str]:
    command = ["uwsgi", "--ini", "uwsgi.ini"]
    return {
        "uwsgi.ini": _uwsgi_ini(setting, app),
        "nginx.conf": _nginx("uwsgi_pass app;", f"server unix:{SOCKET};", ["include uwsgi_params;"]),
        "Dockerfile": _dockerfile(command, "pyuwsgi"),
        "app.service": _unit(" ".join(command), memory_mb),
    }


def _gunicorn_conf(setting: Setting) -> str:
    lines = [
        "# Measured for this app: workers, threads and class.",
        f'worker_class = "{setting.kind}"',
        f"workers = {setting.workers}",
    ]
    if setting.kind == "gthread":
        lines.append(f"threads = {setting.threads}")
    if setting.kind == "gevent":
        lines.append(f"worker_connections = {setting.threads}")
    return "\n".join(
        [
            *lines,
            "",
            "# Only the proxy on this machine may connect.",
            f'bind = "127.0.0.1:{PORT}"',
            "# nginx keeps idle connections for 60 s; a server that closes them first makes it answer 502.",
            "keepalive = 75",
            "# The heartbeat file in memory: a disk can block a worker for seconds.",
            'worker_tmp_dir = "/dev/shm"',
        ]
    )


def _uwsgi_ini(setting: Setting, app: str) -> str:
    lines = [
        "[uwsgi]",
        "; Measured for this app.",
        f"processes = {setting.workers}",
        f"threads = {setting.threads}",
        "",
        f"module = {app}",
        "; A socket that only this machine has: who can reach a port of this protocol can run any code.",
        f"socket = {SOCKET}",
        "chmod-socket = 660",
        "master = true",
        "; Stop at once when the app does not load, instead of answering every request with 500.",
        "need-app = true",
        "; SIGTERM means stop; uWSGI's default is to reload.",
        "die-on-term = true",
        "strict = true",
        "enable-threads = true",
        "lazy-apps = true",
        "vacuum = true",
    ]
    if setting.workers > 1 and setting.threads > 1:
        lines += ["; Without turns all threads of all processes wake up for one connection.", "thunder-lock = true"]
    return "\n".join(lines)


_PROXY_LINES = [
    "proxy_http_version 1.1;",
    'proxy_set_header Connection "";',
    "proxy_set_header Host $host;",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
]


def _nginx(pass_on: str, server: str, more: list[str]) -> str:
    inner = "\n".join(f"        {line}" for line in [pass_on, *more])
    return f"""# For the http block of nginx.conf.
upstream app {{
    {server}
    keepalive 16;
}}
server {{
    listen 80;
    location / {{
{inner}
    }}
}}
"""


def _dockerfile(command: list[str], package: str) -> str:
    words = ", ".join(f'"{word}"' for word in command)
    return f"""# For the Dockerfile of the app, which has installed {package}.
# As a list, so that the server is the first process and gets the signal to stop.
CMD [{words}]
"""


def _unit(command: str, memory_mb: float | None) -> str:
    limit = ""
    if memory_mb is not None:
        limit = f"# {memory_mb:.0f} MB were seen under load, and some room.\nMemoryMax={memory_mb * ROOM:.0f}M\n"
    return f"""# Lines for the [Service] section of the app's unit; the command is looked up in the PATH of systemd.
ExecStart=/usr/bin/env {command}
Restart=on-failure
KillMode=mixed
RuntimeDirectory=app
{limit}"""
