"""Prometheus exporter that runs next to one server and shares nothing with it.

    exporter.py --pid N                                   next to a WSGI server; started by entrypoint.sh
    exporter.py --process nginx --stub-status URL         next to nginx, in the same process namespace

It reads the middleware's tables, the server's processes, the control group, the accept queues, and uWSGI's or nginx's
own figures, each time somebody asks for /metrics, and ends when the server does. What cannot be read is absent,
never 0, and exporter_errors_total{source} counts it. Without /proc (macOS) that leaves the middleware's metrics.

Environment: LAB_EXPORTER_HOST (127.0.0.1), LAB_EXPORTER_PORT (9100), LAB_RUN_DIR, LAB_RUN_ID (the run in
X-Lab-Run: a run can tell its own exporter from another's).
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import re
import select
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cgroup
from collector import Collector, Sources
from listeners import Listeners
from nginx_status import NginxStatus
from process import PROC, is_alive, oldest_named
from proctree import ProcessTree
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from tally import Tables
from workers import Workers

POLL_S = 1.0
EXIT_USAGE, EXIT_MISSING = 2, 3
RUN_ID = os.environ.get("LAB_RUN_ID", "")


def main() -> int:
    """Answer scrapes until the server ends. The exit code says whether it came that far."""
    options = _options()
    host = os.environ.get("LAB_EXPORTER_HOST", "127.0.0.1")
    port = os.environ.get("LAB_EXPORTER_PORT", "9100")
    try:
        server = MetricsServer((host, int(port)), Handler)
    except (OSError, OverflowError, ValueError) as error:
        print(
            f"exporter: cannot listen on {host}:{port} (LAB_EXPORTER_HOST, LAB_EXPORTER_PORT): {error}", file=sys.stderr
        )
        return EXIT_MISSING
    root = options.pid or _wait_for(options.process)
    server.registry.register(Collector(_sources(root, options.stub_status)))
    # Daemonic: a scrape under way does not keep the exporter from following its server.
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 60}, daemon=True).start()
    _wait_until_gone(root)
    return 0


class MetricsServer(socketserver.ThreadingMixIn, HTTPServer):
    """Listens as soon as it is made; answers once it is served."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.registry = CollectorRegistry()
        self.collecting = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind, without a look at the network's names."""
        # HTTPServer would look up its own name, which takes seconds where there is no name server.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]


class Handler(BaseHTTPRequestHandler):
    """GET /metrics, uncompressed: over the loopback, compressing costs more than sending."""

    # Prometheus keeps its connection, which spares a thread for each scrape; one that falls silent is closed.
    protocol_version = "HTTP/1.1"
    timeout = 5
    wbufsize = -1  # buffered: head and body leave in one piece
    server: MetricsServer

    def do_GET(self) -> None:
        """Answer a scrape."""
        if not is_own_name(self.headers.get("Host")):
            self.send_error(403, "This Host is not served here: ask for an address, or a name without dots")
            return
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404, "Try /metrics")
            return
        with self.server.collecting:
            body = generate_latest(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_PLAIN_0_0_4)
        self.send_header("Content-Length", str(len(body)))
        if RUN_ID:
            self.send_header("X-Lab-Run", RUN_ID)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the log is the server's."""


def is_own_name(host: str | None) -> bool:
    """Whether a Host header can be meant for this exporter: an address, or a name that only a local network knows.

    A web page may point a name of its own at 127.0.0.1 (DNS rebinding) and would then read the metrics; such a name
    has a dot. Those of containers, `localhost` and what /etc/hosts adds have none.
    """
    if host is None:  # before HTTP/1.1
        return True
    name = host.rpartition(":")[0] if re.search(r":\d*$", host) else host
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(name.strip("[]"))
        return True
    return "." not in name or name == socket.gethostname()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Prometheus exporter of one server.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--pid", type=int, help="root process of the server")
    which.add_argument("--process", metavar="NAME", help="wait for a process of this name; the oldest is the root")
    parser.add_argument("--stub-status", metavar="URL", help="nginx's stub_status page")
    return parser.parse_args()


def _sources(root: int, stub_status: str | None) -> Sources:
    run_dir = os.environ.get("LAB_RUN_DIR")
    on_linux = os.path.isdir(f"{PROC}/self")
    return Sources(
        root=root,
        tables=Tables(Path(run_dir) / "metrics", is_alive) if run_dir and not stub_status else None,
        workers=Workers(Path(run_dir)) if run_dir and not stub_status else None,
        tree=ProcessTree(root) if on_linux else None,
        listeners=Listeners(root) if on_linux else None,
        control_group=cgroup.find(),
        uwsgi_socket=Path(run_dir) / "uwsgi-stats.sock" if run_dir else None,
        nginx=NginxStatus(stub_status) if stub_status else None,
    )


def _wait_for(process: str) -> int:
    while (root := oldest_named(process)) is None:
        time.sleep(POLL_S)
    return root


def _wait_until_gone(root: int) -> None:
    if not is_alive(root):
        return
    try:
        pidfd = os.pidfd_open(root)
    except (AttributeError, OSError):  # not Linux, or a sandbox that forbids it
        while is_alive(root):
            time.sleep(POLL_S)
        return
    # Wakes up at the very end and costs nothing until then.
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll()


if __name__ == "__main__":
    sys.exit(main())
