"""The pages to read: home, lesson, documentation, reports. Each is made anew when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from wsgilab.errors import LabError, to_paste
from wsgilab.lab.servers import Lab
from wsgilab.machine import http
from wsgilab.view import documents, workshop_pages
from wsgilab.view import home as drawn
from wsgilab.view.addresses import Place
from wsgilab.view.lesson import lesson
from wsgilab.view.live import Live
from wsgilab.view.prometheus import Prometheus
from wsgilab.view.refusal import NotShown
from wsgilab.view.runs import Runs
from wsgilab.view.stages import stages
from wsgilab.workshop import catalogue, progress, quiz
from wsgilab.workshop.catalogue import Exercise
from wsgilab.workshop.progress import Progress

PAST_RUNS = 12
GRAFANA_INSIDE, GRAFANA_PATIENCE_S = "http://grafana:3000/api/health", 2.0


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
        runs = self._sources.runs
        return drawn.home(self._place(host), self._live.now(), runs.last(), runs.newest(PAST_RUNS), self._steps())

    def now(self, host: str) -> str:
        """The part of it that lives."""
        return str(drawn.right_now(self._place(host), self._live.now()))

    def lesson(self, host: str) -> str:
        """The lesson, with what the last run says."""
        found = self._sources.runs.last()
        page = lesson(self._text("lesson"), found, stages(self._sources.prometheus, found.manifest) if found else ())
        return self._document(host, page, "/lesson", () if found else ("nothing has been measured here yet",))

    def exercises(self) -> str:
        """The list of exercises."""
        return workshop_pages.exercises(self._catalogue(), self._progress())

    def exercise(self, number: int) -> str:
        """One of them. Raises NotShown where there is none of that number."""
        found = {one.number: one for one in self._catalogue()}
        if number not in found:
            what = f"There is no exercise {number}."
            raise NotShown(HTTPStatus.NOT_FOUND, what, "./lab exercise")
        shown, following = found[number], found.get(number + 1)
        return workshop_pages.exercise(shown, self._progress().step(shown.name), following)

    def quiz(self) -> str:
        """The quiz."""
        with _not_shown():
            questions = quiz.load(self._sources.lab.root / "workshop/quiz.yaml")
        return workshop_pages.quiz(questions, self._progress().quiz, self._catalogue())

    def docs(self) -> str:
        """The list of texts."""
        texts = [(f"/docs/{name}", documents.read(self._docs, name)) for name in documents.names(self._docs)]
        return drawn.render("docs.html.j2", "/docs", title="Docs", texts=texts)

    def text(self, host: str, name: str) -> str:
        """One text of docs/, or the README. Raises NotShown."""
        if name == "readme":
            readme = self._read(self._sources.lab.root / "README.md")
            return self._document(host, documents.page(readme, documents.from_the_root), "/docs")
        return self._document(host, documents.read(self._docs, name), "/docs")

    def image(self, name: str) -> Path:
        """The file of a picture of docs/."""
        return self._docs / "images" / name

    def problem(self, error: NotShown) -> str:
        """What a reader sees instead of a page."""
        return drawn.render(
            "problem.html.j2",
            "",
            title="This cannot be shown",
            what=error.what,
            next_command=error.next_command,
        )

    def grafana(self, host: str, path: str) -> str:
        """Where Grafana shows the same dashboard. Raises NotShown where it is away: a browser would only say that."""
        try:
            http.ask(GRAFANA_INSIDE, timeout_s=GRAFANA_PATIENCE_S)
        except http.NoAnswer as error:
            what = f"Grafana, which draws the dashboards here, does not answer: {error}."
            next_command = "docker compose up --detach grafana"
            raise NotShown(HTTPStatus.BAD_GATEWAY, what, next_command) from error
        return f"{self._place(host).grafana}{path}"

    def _steps(self) -> list[drawn.Done]:
        """Each exercise with how far the reader is; none where that cannot be read, which their own page explains."""
        try:
            known = self._progress()
            return [(one, known.step(one.name)) for one in self._catalogue()]
        except NotShown:
            return []

    def _catalogue(self) -> tuple[Exercise, ...]:
        with _not_shown():
            return catalogue.load(self._sources.lab.root / "workshop")

    def _progress(self) -> Progress:
        with _not_shown():
            return progress.read(self._sources.runs.folder)

    def _document(self, host: str, page: documents.Document, here: str, remarks: Sequence[str] = ()) -> str:
        measure = self._place(host).measure
        return drawn.render("document.html.j2", here, title=page.title, page=page, remarks=remarks, measure=measure)

    def _text(self, name: str) -> str:
        return self._read(self._docs / f"{name}.md")

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            what = f"{path.name} cannot be read: {error}."
            root = self._sources.lab.root
            raise NotShown(HTTPStatus.NOT_FOUND, what, f"git checkout {to_paste(path.relative_to(root))}") from error

    def _place(self, host: str) -> Place:
        sources = self._sources
        return Place(host, sources.lab, sources.prometheus.url, sources.in_container)


@contextmanager
def _not_shown() -> Iterator[None]:
    """Turn what is wrong with a file into what a page says of it."""
    try:
        yield
    except LabError as error:
        raise NotShown(HTTPStatus.INTERNAL_SERVER_ERROR, error.what, error.next_command) from error
