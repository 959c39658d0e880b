"""The site: a page, its scripts, the dashboards, their data. Loopback only, GET only, nothing that writes."""

from __future__ import annotations

import importlib.util
import json
import mimetypes
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from wsgilab.errors import MissingError
from wsgilab.view.answers import Answers

STATIC = Path(__file__).parent / "static"
LIBRARY = "instaui_echarts"
"""The package that holds Apache ECharts as one file for the browser."""
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
"""Nothing from elsewhere; ECharts sets styles on what it draws."""


class Site:
    """Serves in the background until the block is left. Raises OSError where the port is taken."""

    def __init__(self, port: int, answers: Answers) -> None:
        handler = type("Handler", (_Handler,), {"answers": answers, "library": find_library()})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def find_library() -> Path:
    """The drawing library's file, found without importing its package. Raises MissingError."""
    found = importlib.util.find_spec(LIBRARY)
    folders = found.submodule_search_locations if found else None
    for folder in folders or []:
        path = Path(folder) / "static/echarts.esm.min.js"
        if path.exists():
            return path
    raise MissingError(
        "The drawing library of the dashboards, Apache ECharts, is not installed.",
        f"the package instaui-echarts is missing from {sys.prefix}",
        "./lab view sets it up by itself; with another Python: pip install -r locks/local.txt",
    )


class _Handler(BaseHTTPRequestHandler):
    answers: Answers
    library: Path
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        # A page of a foreign site, with its name pointed to 127.0.0.1, must not read this one.
        if (urlsplit(f"//{self.headers.get('Host', '')}").hostname or "") not in ("127.0.0.1", "localhost"):
            self._send(403, b"Ask 127.0.0.1.", "text/plain")
            return
        try:
            self._route(urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query)))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the reader has gone

    def _route(self, path: str, parameters: dict[str, str]) -> None:
        if path == "/":
            self._redirect("/d/side-by-side")
        elif re.fullmatch(r"/d/[\w-]+(/[\w-]*)?", path):
            self._file(STATIC / "page.html")
        elif path == "/static/echarts.js":
            self._file(self.library)
        elif match := re.fullmatch(r"/static/(\w+\.(?:js|css|svg))", path):
            self._file(STATIC / match[1])
        elif path == "/api/dashboards":
            self._json({"dashboards": list(self.answers.dashboards().values()), "runs": self.answers.runs()})
        elif match := re.fullmatch(r"/api/data/([\w-]+)", path):
            self._data(match[1], parameters)
        else:
            self._send(404, b"There is nothing here. Try /", "text/plain")

    def _data(self, uid: str, parameters: dict[str, str]) -> None:
        try:
            self._json(self.answers.data(uid, parameters))
        except KeyError:
            self._send(404, b"There is no such dashboard.", "text/plain")
        except ValueError as error:
            self._send(400, str(error).encode(), "text/plain; charset=utf-8")

    def _file(self, path: Path) -> None:
        if not path.is_file():
            self._send(404, b"There is nothing here. Try /", "text/plain")
            return
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._send(200, path.read_bytes(), f"{kind}; charset=utf-8", cache=path == self.library)

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value, separators=(",", ":")).encode(), "application/json")

    def _redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, body: bytes, kind: str, cache: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "max-age=3600" if cache else "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is for what goes wrong."""
