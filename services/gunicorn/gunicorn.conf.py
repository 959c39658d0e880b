"""What every gunicorn server of the lab shares; workers, threads and class are on its command line in compose.yaml.

The hooks at the end note why workers end, in LAB_RUN_DIR/gunicorn-notes for the exporter: gunicorn itself says so only
in its log, and only its master learns an exit status. Lines are `PID REASON` and, once it is over, `PID ended
REASON`; and `set NAME NUMBER` for what it goes by.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.config import Config
    from gunicorn.workers.base import Worker

# The heartbeat file is touched by every worker; on a disk that can block a worker for seconds, in memory it can not.
# macOS has no such folder, and gunicorn does not start with one that it cannot write.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

# The control socket of gunicorn >= 25 wants a writable home directory; containers here are read-only.
control_socket_disable = True

# nginx keeps idle connections to its upstreams for 60 s. A server that closes them first answers the next
# request with a reset, which the client sees as 502.
keepalive = 75

# One line a request to a log that nobody reads would be measured as the server's cost.
accesslog = None

# What gunicorn's master writes to its log, and what it means; the first argument is the worker's process.
_LOGGED = {
    "WORKER TIMEOUT (pid:%s)": "timeout",
    "Worker (pid:%s) exited with code %s.": "exit {1}",
    "Worker (pid:%s) was sent %s!": "{1}",
    "Worker (pid:%s) was sent %s! Perhaps out of memory?": "{1}",
}
_RELOADS_ITSELF = "Worker reloading: %s modified"
"""What a worker writes that has noticed a change of the app's code (--reload)."""


def on_starting(server: Arbiter) -> None:
    """Listen to the log of the master and, after forks, of the workers; and tell what gunicorn goes by."""
    _note_settings(server.cfg)
    server.log.error_log.addFilter(_overhear)


def on_reload(server: Arbiter) -> None:
    """SIGHUP: every worker there is gets replaced, and settings may have changed."""
    for pid in server.WORKERS:
        _note(f"{pid} reload\n")
    _note_settings(server.cfg)


def worker_exit(server: Arbiter, worker: Worker) -> None:  # noqa: ARG001  gunicorn counts arguments
    """In the worker, on its way out."""
    if worker.nr >= worker.max_requests:
        _note(f"{worker.pid} max_requests\n")


def child_exit(server: Arbiter, worker: Worker) -> None:
    """In the master, when a worker has ended: with code 0 where the log would tell of any other, and does not."""
    silent = not server.log.error_log.isEnabledFor(logging.WARNING)
    _note(f"{worker.pid} ended {'unknown' if silent else 'exit 0'}\n")


def _overhear(record: logging.LogRecord) -> bool:
    reason = _LOGGED.get(str(record.msg))
    if reason and isinstance(record.args, tuple):
        _note(f"{record.args[0]} {reason.format(*record.args)}\n")
    elif record.msg == _RELOADS_ITSELF:
        _note(f"{os.getpid()} reload\n")
    return True


def _note_settings(cfg: Config) -> None:
    """What it goes by, whether that was set in a file, in GUNICORN_CMD_ARGS or by other variables."""
    _note(f"set timeout {cfg.timeout}\n")
    of_a_worker = {"sync": 1, "gthread": cfg.threads, "gevent": cfg.worker_connections}.get(cfg.worker_class_str)
    if of_a_worker:  # of a class of somebody's own nobody knows
        _note(f"set slots {cfg.workers * of_a_worker}\n")


def _note(line: str) -> None:
    run_dir = os.environ.get("LAB_RUN_DIR")
    if run_dir:
        with open(f"{run_dir}/gunicorn-notes", "ab") as file:
            file.write(line.encode())
