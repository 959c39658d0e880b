"""The pages of `./lab view` in a real browser: from a phone to a projector, with scripts and without."""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import measured, require_chromium, visit
from factories import story
from hostile import Hostile, hostile, ok
from shown import LAB, sources_of, write_run
from support import ROOT

from wsgilab.reports import html as reports
from wsgilab.view import events
from wsgilab.view.server import Site
from wsgilab.workshop import progress, quiz
from wsgilab.workshop.progress import Progress

CONTRAST = 4.5
"""Of text: WCAG 2.2, success criterion 1.4.3, level AA."""
WIDTHS = {"phone": 390, "tablet": 768, "desktop": 1280, "projector": 1920}
EXAMINE = (ROOT / "tests/examine_report.js").read_text(encoding="utf-8")
PAGES = ("/", "/lesson", "/exercises", "/exercises/4", "/quiz", "/docs/how-to")
SHOWN = [("/", width) for width in WIDTHS] + [(path, width) for path in PAGES[1:] for width in ("phone", "desktop")]
WITHOUT_CAPTIONS = ("/docs/how-to",)
"""Markdown has none; the heading above a table says what it is."""


def recorded(busy: str, queue: int = 40) -> bytes:
    """Prometheus's answer while one server is under load."""
    series = [("server:load_state", name, 2 if name == busy else 0) for name in LAB.default_servers]
    series += [("server:offered:rate", busy, 250), ("server:goodput:rate", busy, 160), ("server:dropped:rate", busy, 7)]
    series += [("server:listen_queue", busy, queue), ("server:requests_in_flight", busy, 4)]
    result = [
        {"metric": {"__name__": name, "server": server}, "value": [time.time(), str(value)]}
        for name, server, value in series
    ]
    return ok(json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode())


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Hostile]:
    with hostile(lambda exchange: exchange.send(recorded("gunicorn"))) as server:
        yield server


@pytest.fixture(scope="module")
def site(prometheus: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    results = tmp_path_factory.mktemp("home")
    write_run(results / "20261126T010000Z-run", story())
    with Site(0, sources_of(results, prometheus.url)) as it:
        yield it


def page(site: Site, path: str) -> str:
    """The page as it comes, with its styles in it: it must stand in a frame here, which the site does not allow."""
    connection = http.client.HTTPConnection("127.0.0.1", int(site.url.rpartition(":")[2].strip("/")), timeout=30)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    css = (reports.HERE / "report.css").read_text() + (ROOT / "wsgilab/view/static/home.css").read_text()
    return text.replace('<link rel="stylesheet" href="/static/report.css">', f"<style>{css}</style>")


@pytest.fixture(scope="module", params=SHOWN, ids=" ".join)
def found(request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the browser says about a page at a width, dark on the phone and the projector, light elsewhere."""
    path, width = request.param
    dark = width in ("phone", "projector")
    folder = tmp_path_factory.mktemp("page")
    shown = measured(require_chromium(), page(site, path), folder, width=WIDTHS[width], dark=dark, script=EXAMINE)
    assert shown["dark"] == dark
    return {"path": path, "asked": WIDTHS[width], **shown}


def test_a_page_does_not_scroll_sideways(found: dict[str, Any]) -> None:
    assert found["outside"] == []
    assert found["width"] <= found["asked"]


def test_its_text_stands_out_from_what_is_behind_it(found: dict[str, Any]) -> None:
    assert [each for each in found["contrasts"] if each[0] < CONTRAST] == []


def test_its_headings_follow_each_other_without_a_gap(found: dict[str, Any]) -> None:
    levels = found["levels"]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_its_tables_have_captions_and_scopes(found: dict[str, Any]) -> None:
    for table in found["tables"]:
        assert not table["loose"]
        assert table["caption"].strip() or found["path"] in WITHOUT_CAPTIONS


def test_what_has_the_focus_shows_that_it_has(found: dict[str, Any]) -> None:
    assert set(found["focus"]) <= {"solid"}


def row(shown: str, server: str) -> str:
    """The part of the page about one server."""
    return next(part for part in shown.split('<li class="flow-row')[1:] if f">{server}<" in part)


def test_a_reader_without_scripts_sees_the_present_and_the_last_run(site: Site, tmp_path: Path) -> None:
    script = "page => page.body.innerText"
    shown = measured(
        require_chromium(), page(site, "/"), tmp_path, width=WIDTHS["desktop"], dark=False, script=script, alive=False
    )
    assert "gunicorn is under load" in shown
    assert "250 rps arrive · 40 in the queue · 4 of 4 slots busy" in shown
    assert re.search(r"p99 [\d.]+ ms \([\d.]+–[\d.]+\)", shown), "of the last run, with its interval"
    assert "load it again for a new one" in shown


def test_a_reader_with_scripts_sees_it_change(
    site: Site, prometheus: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock of this browser stands still while an answer is under way: events for ever would stop it for ever.
    monkeypatch.setattr(events, "LONGEST_S", 1.5)
    chromium, asked = require_chromium(), len(prometheus.asked)

    def moves_on(exchange: Any) -> None:
        # The page itself, as it is loaded, and then its events.
        exchange.send(recorded("gunicorn" if len(prometheus.asked) <= asked + 1 else "uwsgi", queue=2))

    prometheus.answer = moves_on
    pictures = os.environ.get("LAB_TEST_PICTURES")
    shown = visit(chromium, site.url, tmp_path / "profile")
    assert 'data-live="yes"' in shown
    assert "at-work" in row(shown, "uwsgi").split("</li>")[0]
    assert "2 in the queue" in row(shown, "uwsgi")
    assert row(shown, "gunicorn").count("at-work") == 0
    if pictures:
        visit(chromium, site.url, tmp_path / "profile", size="1280,1600", picture=Path(pictures) / "home.png")


def test_the_quiz_counts_what_was_answered_in_the_terminal(tmp_path: Path) -> None:
    first, second, *others = quiz.load()
    wrong = next(letter for letter, choice in second.lettered if not choice.right)
    progress.write(tmp_path, Progress(quiz={first.name: first.right, second.name: wrong}))
    with Site(0, sources_of(tmp_path, "http://127.0.0.1:1")) as quizzing:
        shown = visit(require_chromium(), f"{quizzing.url}quiz", tmp_path / "profile")
    assert f'<p id="score" role="status">1 of 2 right, {len(others)} to go.</p>' in shown
    assert re.search(r'<button id="again" type="button">', shown), "it can be begun anew"
