"""The pages to read: home, lesson, documentation, reports. Each is made anew when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from wsgilab.lab.servers import Lab
from wsgilab.view import documents
from wsgilab.view import home as drawn
from wsgilab.view.addresses import Place
from wsgilab.view.lesson import lesson
from wsgilab.view.live import Live
from wsgilab.view.prometheus import Prometheus
from wsgilab.view.refusal import NotShown
from wsgilab.view.runs import Runs

PAST_RUNS = 12
PLACES = (("/", "Home"), ("/lesson", "Lesson"), ("/d/side-by-side", "Dashboards"), ("/docs", "Docs"))


@dataclass(frozen=True)
class Sources:
    """What all pages are made from."""

    lab: Lab
    runs: Runs
    prometheus: Prometheus
    in_container: bool = False
    """Whether this runs in Compose's network, next to Grafana."""


class HtmlPages:
    """Pages as text. `host`: the name by which the reader asked, for links to what else runs there."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._docs = sources.lab.root / "docs"
        self._live = Live(sources.lab, sources.runs, sources.prometheus)

    def home(self, host: str) -> str:
        """The home page."""
        runs, look = self._sources.runs, self._look(host)
        return drawn.home(look, self._live.now(), runs.last(), runs.newest(PAST_RUNS), list(look.place.links()))

    def now(self, host: str) -> str:
        """The part of it that lives."""
        return str(drawn.right_now(self._look(host), self._live.now()))

    def lesson(self, host: str) -> str:
        """The lesson, with what the last run says."""
        found = self._sources.runs.last()
        page = lesson(self._text("lesson"), found)
        return self._document(host, page, "/lesson", () if found else ("nothing has been measured here yet",))

    def docs(self, host: str) -> str:
        """The list of texts."""
        texts = [(f"/docs/{name}", documents.read(self._docs, name)) for name in documents.names(self._docs)]
        return drawn.render("docs.html.j2", self._look(host), "/docs", title="Docs", texts=texts)

    def text(self, host: str, name: str) -> str:
        """One text of docs/, or the README. Raises NotShown."""
        if name == "readme":
            readme = self._read(self._sources.lab.root / "README.md")
            return self._document(host, documents.page(readme, documents.from_the_root), "/docs")
        return self._document(host, documents.read(self._docs, name), "/docs")

    def image(self, name: str) -> Path:
        """The file of a picture of docs/."""
        return self._docs / "images" / name

    def problem(self, host: str, error: NotShown) -> str:
        """What a reader sees instead of a page."""
        return drawn.render(
            "problem.html.j2",
            self._look(host),
            "",
            title="This cannot be shown",
            what=error.what,
            next_step=error.next_step,
        )

    def grafana(self, host: str, path: str) -> str:
        """Where Grafana shows the same dashboard."""
        return f"{self._look(host).place.grafana}{path}"

    def _document(self, host: str, page: documents.Document, here: str, remarks: Sequence[str] = ()) -> str:
        look = self._look(host)
        return drawn.render(
            "document.html.j2", look, here, title=page.title, page=page, remarks=remarks, measure=look.place.measure
        )

    def _text(self, name: str) -> str:
        return self._read(self._docs / f"{name}.md")

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            what = f"{path.name} cannot be read: {error}."
            raise NotShown(HTTPStatus.NOT_FOUND, what, f"git checkout {path.name} brings it back.") from error

    def _look(self, host: str) -> drawn.Look:
        sources = self._sources
        place = Place(host, sources.lab, sources.prometheus.url, sources.in_container)
        return drawn.Look(place, sources.lab.servers, PLACES)
