"""The site as a WSGI application: a page, its scripts, the dashboards, their data. Nothing here writes."""

from __future__ import annotations

import json
import logging
import mimetypes
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from wsgilab.view.answers import Answers
from wsgilab.view.refusal import NotShown

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

STATIC = Path(__file__).parent / "static"
OURS = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)
"""A page of a foreign site, with its name pointed to 127.0.0.1, asks with that name, and must not read this one."""
SECURITY = (
    # Nothing from elsewhere; ECharts sets styles on what it draws.
    (
        "Content-Security-Policy",
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """An answer to the browser."""

    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()
    may_be_kept: bool = False


class Pages:
    """What is at which address. `library`: the file of Apache ECharts."""

    def __init__(self, answers: Answers, library: Path) -> None:
        self._answers = answers
        self._library = library

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        reply = self._reply(environ)
        headers = [
            ("Content-Type", reply.kind),
            ("Content-Length", str(len(reply.body))),
            ("Cache-Control", "max-age=3600" if reply.may_be_kept else "no-store"),
            *SECURITY,
            *reply.headers,
        ]
        start_response(f"{reply.status.value} {reply.status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]

    def _reply(self, environ: WSGIEnvironment) -> Reply:
        if not OURS.fullmatch(environ.get("HTTP_HOST", "")):
            return Reply(b"Ask 127.0.0.1.", status=HTTPStatus.FORBIDDEN)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            refused = b"This can only be read."
            return Reply(refused, status=HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", "GET, HEAD"),))
        try:
            return self._route(environ.get("PATH_INFO", ""), dict(parse_qsl(environ.get("QUERY_STRING", ""))))
        except NotShown as error:
            return _problem(error)
        except Exception as error:
            log.debug("%s", environ.get("PATH_INFO"), exc_info=True)
            what = f"Something in ./lab view itself went wrong: {type(error).__name__}: {error}."
            next_step = "./lab view --debug shows where; please report it."
            return _problem(NotShown(HTTPStatus.INTERNAL_SERVER_ERROR, what, next_step))

    def _route(self, path: str, parameters: Mapping[str, str]) -> Reply:
        if path == "/":
            return Reply(b"", status=HTTPStatus.FOUND, headers=(("Location", "/d/side-by-side"),))
        if re.fullmatch(r"/d/[\w-]+(/[\w-]*)?", path, re.ASCII):
            return _file(STATIC / "page.html")
        if path == "/static/echarts.js":
            return _file(self._library, may_be_kept=True)
        if match := re.fullmatch(r"/static/(\w+\.(?:js|css|svg))", path, re.ASCII):
            return _file(STATIC / match[1])
        if path == "/api/dashboards":
            return _json({"dashboards": list(self._answers.dashboards().values()), "runs": self._answers.runs()})
        if match := re.fullmatch(r"/api/data/([\w-]+)", path, re.ASCII):
            return _json(self._answers.data(match[1], parameters))
        return _nothing_here()


def _file(path: Path, may_be_kept: bool = False) -> Reply:
    if not path.is_file():
        return _nothing_here()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Reply(path.read_bytes(), f"{kind}; charset=utf-8", may_be_kept=may_be_kept)


def _nothing_here() -> Reply:
    return Reply(b"There is nothing here. Try /", status=HTTPStatus.NOT_FOUND)


def _json(value: object, status: HTTPStatus = HTTPStatus.OK) -> Reply:
    return Reply(json.dumps(value, separators=(",", ":"), allow_nan=False).encode(), "application/json", status)


def _problem(error: NotShown) -> Reply:
    """What page.js shows above the dashboard, whatever it asked for."""
    return _json({"problem": {"what": error.what, "next": error.next_step}}, error.status)
