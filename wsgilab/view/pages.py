"""The site as a WSGI application: pages, scripts, events, the dashboards and their data. Nothing here writes."""

from __future__ import annotations

import json
import logging
import mimetypes
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from wsgilab.reports import html as reports
from wsgilab.view.answers import Answers
from wsgilab.view.events import Seats, Stream
from wsgilab.view.html_pages import HtmlPages, Sources
from wsgilab.view.refusal import NotShown

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

STATIC = Path(__file__).parent / "static"
OURS = re.compile(r"(?P<host>[0-9]{1,3}(?:\.[0-9]{1,3}){3}|localhost)(?::[0-9]{1,5})?", re.IGNORECASE)
"""A page of a foreign site, with its name pointed to this machine, asks with that name, and must not read this one. An
address is nobody's name; which ones are listened to is decided elsewhere."""
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
HTML, EVENTS = "text/html; charset=utf-8", "text/event-stream; charset=utf-8"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """An answer to the browser."""

    body: bytes | Stream
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: tuple[tuple[str, str], ...] = ()
    may_be_kept: bool = False


@dataclass(frozen=True)
class Asked:
    """A request, as far as it matters here."""

    host: str
    path: str
    parameters: Mapping[str, str]
    gone: Callable[[], bool]
    """Whether who asked has left."""


class Pages:
    """What is at which address. `library`: the file of Apache ECharts; without it, dashboards are Grafana's."""

    def __init__(self, sources: Sources, library: Path | None) -> None:
        self._answers = Answers(sources.lab.root, sources.runs, sources.prometheus)
        self._runs = sources.runs
        self._html = HtmlPages(sources)
        self._seats = Seats()
        self._library = library

    def close(self) -> None:
        """Send those home who still get events."""
        self._seats.close()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        reply = self._reply(environ)
        size = () if isinstance(reply.body, Stream) else (("Content-Length", str(len(reply.body))),)
        headers = [
            ("Content-Type", reply.kind),
            *size,
            ("Cache-Control", "max-age=3600" if reply.may_be_kept else "no-store"),
            *SECURITY,
            *reply.headers,
        ]
        start_response(f"{reply.status.value} {reply.status.phrase}", headers)
        if isinstance(reply.body, Stream):
            return reply.body
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]

    def _reply(self, environ: WSGIEnvironment) -> Reply:
        ours = OURS.fullmatch(environ.get("HTTP_HOST", ""))
        if not ours:
            return Reply(b"Ask 127.0.0.1.", status=HTTPStatus.FORBIDDEN)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            refused = b"This can only be read."
            return Reply(refused, status=HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", "GET, HEAD"),))
        path, query = environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")
        asked = Asked(
            ours["host"].lower(), path, dict(parse_qsl(query)), environ.get("waitress.client_disconnected", _stays)
        )
        try:
            if path == "/live":
                return self._events(asked, just_asked=environ["REQUEST_METHOD"] == "HEAD")
            return self._page(asked) or self._part(asked) or self._dashboard(asked) or _nothing_here()
        except NotShown as error:
            return self._problem(asked, error)
        except Exception as error:
            log.debug("%s", path, exc_info=True)
            what = f"Something in ./lab view itself went wrong, please report it: {type(error).__name__}: {error}."
            next_command = "./lab view --debug"
            return self._problem(asked, NotShown(HTTPStatus.INTERNAL_SERVER_ERROR, what, next_command))

    def _page(self, asked: Asked) -> Reply | None:
        """A page to read."""
        path, host = asked.path, asked.host
        if path == "/":
            return _html(self._html.home(host))
        if path == "/lesson":
            return _html(self._html.lesson(host))
        if path == "/exercises":
            return _html(self._html.exercises())
        if match := re.fullmatch(r"/exercises/([0-9]{1,3})", path, re.ASCII):
            return _html(self._html.exercise(int(match[1])))
        if path == "/quiz":
            return _html(self._html.quiz())
        if path == "/docs":
            return _html(self._html.docs())
        if match := re.fullmatch(r"/docs/([\w-]+)", path, re.ASCII):
            return _html(self._html.text(host, match[1]))
        if match := re.fullmatch(r"/runs/([\w.-]+)", path, re.ASCII):
            return Reply(self._runs.report(match[1]), HTML)
        return None

    def _part(self, asked: Asked) -> Reply | None:
        """What a page is made of."""
        if asked.path == "/live/now":
            return _html(self._html.now(asked.host))
        if asked.path == "/health":
            return Reply(b"ok\n")
        if asked.path == "/static/report.css":
            return _file(reports.HERE / "report.css")
        if asked.path == "/static/echarts.js" and self._library:
            return _file(self._library, may_be_kept=True)
        if match := re.fullmatch(r"/static/(\w+\.(?:js|css|svg))", asked.path, re.ASCII):
            return _file(STATIC / match[1])
        if match := re.fullmatch(r"/docs/images/([\w-]+\.(?:png|svg))", asked.path, re.ASCII):
            return _file(self._html.image(match[1]))
        return None

    def _dashboard(self, asked: Asked) -> Reply | None:
        """The dashboards and their data, here or where Grafana is."""
        if re.fullmatch(r"/d/[\w-]+(/[\w-]*)?", asked.path, re.ASCII):
            if self._library:
                return _file(STATIC / "page.html")
            there = self._html.grafana(asked.host, asked.path)
            return Reply(b"", status=HTTPStatus.FOUND, headers=(("Location", there),))
        if asked.path == "/api/dashboards":
            return _json({"dashboards": list(self._answers.dashboards().values()), "runs": self._answers.runs()})
        if match := re.fullmatch(r"/api/data/([\w-]+)", asked.path, re.ASCII):
            return _json(self._answers.data(match[1], asked.parameters))
        return None

    def _events(self, asked: Asked, *, just_asked: bool) -> Reply:
        """The live part of the home page, each time that it changes."""
        if just_asked:
            return Reply(b"", EVENTS)
        stream = self._seats.take(lambda: self._html.now(asked.host), asked.gone)
        if stream is None:
            said = b"All seats are taken; ask /live/now instead."
            return Reply(said, status=HTTPStatus.SERVICE_UNAVAILABLE, headers=(("Retry-After", "5"),))
        return Reply(stream, EVENTS)

    def _problem(self, asked: Asked, error: NotShown) -> Reply:
        """What is shown instead: to a reader as a page, to page.js as what it puts above the dashboard."""
        if asked.path.startswith("/api/"):
            return _json({"problem": {"what": error.what, "next": error.next_command}}, error.status)
        return _html(self._html.problem(error), error.status)


def _stays() -> bool:
    """Answer for a server that does not tell whether a reader has left."""
    return False


def _html(text: str, status: HTTPStatus = HTTPStatus.OK) -> Reply:
    return Reply(text.encode(), HTML, status)


def _file(path: Path, may_be_kept: bool = False) -> Reply:
    if not path.is_file():
        return _nothing_here()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind.endswith(("javascript", "svg+xml"))
    return Reply(path.read_bytes(), f"{kind}; charset=utf-8" if text else kind, may_be_kept=may_be_kept)


def _nothing_here() -> Reply:
    return Reply(b"There is nothing here. Try /", status=HTTPStatus.NOT_FOUND)


def _json(value: object, status: HTTPStatus = HTTPStatus.OK) -> Reply:
    return Reply(json.dumps(value, separators=(",", ":"), allow_nan=False).encode(), "application/json", status)
