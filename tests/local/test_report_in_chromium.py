"""report.html in a real browser: on a phone, a tablet and a desktop, light and dark."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from browser import measured, require_chromium
from clicked import FILM, MANIFEST, blocks
from factories import RUN, SERVERS, manifest, samples, story
from simulated_apps import NAMED, question_for
from support import ROOT
from tuned_folder import manifest_of, tuning_of, windows_of

from wsgilab.analysis.capacity import Goal
from wsgilab.analysis.pipeline import analyse
from wsgilab.model.manifest import ServerEntry
from wsgilab.model.server import ServerFacts
from wsgilab.model.window import Window
from wsgilab.reports import html, ready_files, tuning_html, vitals
from wsgilab.results.judged import judge
from wsgilab.results.vitals import judge_vitals

PHONE, TABLET, DESKTOP = 390, 768, 1280
LETTERS_PX = 9.5
"""The smallest that are read without effort on a phone."""
CONTRAST = 4.5
"""Of text: WCAG 2.2, success criterion 1.4.3, level AA."""
LONG = "a-variant-with-a-name-as-long-as-allowed"
EXAMINE = (ROOT / "tests/examine_report.js").read_text(encoding="utf-8")


def watched(window: Window) -> Window:
    """The window, as if its exporter had been read while it ran."""
    assert window.load
    assert window.usage
    readings = samples(window.usage.in_flight_mean or 0.0, 1.0)
    served = window.plan.rate_rps * 0.8
    counted = tuple(replace(each, requests=served * (each.at - readings[0].at)) for each in readings)
    load = replace(window.load, started_at=readings[1].at)
    return replace(window, load=load, usage=replace(window.usage, samples=counted))


def page(windows: list[Window], servers: list[ServerFacts] = SERVERS, **more: Any) -> str:
    problems = more.pop("problems", ())
    said = manifest(host={"cpu_model": "a processor " * 9}, servers=[{"name": LONG, "command": ["x" * 200]}])
    return html.render(analyse(list(map(watched, windows)), replace(RUN, servers=servers, **more), problems), said)


def usual() -> str:
    windows = story()
    windows[7] = replace(windows[7], void="k6 fell behind its schedule by 2000 ms (bound 100 ms)")
    return page(windows, problems=["windows.jsonl line 7 is damaged: skipped"])


def crowded() -> str:
    """Eleven servers, one with the longest name that a variant may have, at six rates; two windows each."""
    names = {"dev": LONG, "dev-single": "gunicorn-gthread"}
    some = story(rounds=2, rates=(20.0, 40.0, 60.0, 80.0, 100.0, 1200.0))
    more = [
        replace(each, plan=replace(each.plan, server=names.get(each.plan.server, f"{each.plan.server}-{copy}")))
        for copy in ("two", "three")
        for each in some
        if copy == "two" or each.plan.server == "uwsgi"
    ]
    return page([*some, *more], workload="/a/path/of/an/app/that/is/rather/long?and=has&many=parameters&in=it")


def search() -> str:
    rates = (50.0, 100.0, 200.0, 141.0, 168.0, 153.0, 156.0, 159.0)
    windows = [each for each in story(rounds=2, rates=rates) if each.plan.server in ("gunicorn", "uwsgi")]
    return page(windows, command="capacity", goal=Goal(coarse_s=6.0, fine_s=6.0))


def tuning() -> str:
    """The landscape, with what died in it and what has no room, and every table of a tuning."""
    app, question = next(app for app in NAMED if app.name == "grows"), question_for("gunicorn", 2)
    found, said = tuning_of(app, question), manifest_of(question)
    verdict = judge(windows_of(app, question), said, [])
    return tuning_html.render(found, verdict, said, ready_files.of_tuning(found, "shop:app"))


def clicks() -> str:
    """Buttons that are poor, clicks that failed, a block that does not count, and a filmstrip."""
    found = [
        replace(block, clicks=tuple(replace(click, inp_ms=600.0, content_ms=None) for click in block.clicks))
        if (block.plan.server, block.plan.rate_rps) == ("dev", 100.0)
        else block
        for block in blocks()
    ]
    found.append(replace(found[0], void="the browser was short of CPU: other programs had 73 % of its CPUs"))
    said = replace(MANIFEST, servers=(*MANIFEST.servers, ServerEntry(LONG)))
    verdict = judge_vitals(found, said, ["blocks.jsonl line 7 is damaged: skipped"])
    return vitals.html(verdict, said, [FILM, replace(FILM, server=LONG)])


PAGES = {"usual": usual, "crowded": crowded, "search": search, "tuning": tuning, "clicks": clicks}
CHARTS = {"usual": 1 + 2 + 2 + 10, "crowded": 1 + 4 + 2 + 44, "search": 1 + 1 + 2, "tuning": 1 + 1, "clicks": 0}


@pytest.fixture(scope="module", params=[(name, width) for name in PAGES for width in (PHONE, TABLET, DESKTOP)], ids=str)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the browser says about a page at a width, dark on the phone and light elsewhere."""
    name, width = request.param
    folder = tmp_path_factory.mktemp("report")
    dark = width != TABLET
    seen = measured(require_chromium(), PAGES[name](), folder, width=width, dark=dark, script=EXAMINE)
    assert seen["dark"] == dark
    return {"page": name, "asked": width, **seen}


def test_the_page_does_not_scroll_sideways(found: dict[str, Any]) -> None:
    assert found["outside"] == []
    assert found["width"] <= found["asked"]


def test_every_chart_has_marks_and_says_in_words_what_it_shows(found: dict[str, Any]) -> None:
    titles = [chart["title"] for chart in found["charts"]]
    assert [chart["title"] for chart in found["charts"] if not chart["marks"] or not chart["words"]] == []
    hero = "What each setting can do" if found["page"] == "tuning" else "p99 response time against offered rate"
    assert titles.count(hero) == min(1, CHARTS[found["page"]]), "one of the wide and the narrow one"
    assert len(titles) == CHARTS[found["page"]]


def test_the_letters_of_charts_can_be_read(found: dict[str, Any]) -> None:
    small = {chart["title"]: chart["letters_px"] for chart in found["charts"] if chart["letters_px"] < LETTERS_PX}
    assert small == {}


def test_no_letters_of_a_chart_are_cut_off_or_on_top_of_others(found: dict[str, Any]) -> None:
    faults = {chart["title"]: chart["cut"] + chart["touching"] for chart in found["charts"]}
    assert {title: each for title, each in faults.items() if each} == {}


def test_text_stands_out_from_what_is_behind_it(found: dict[str, Any]) -> None:
    assert len(found["contrasts"]) > 100
    assert [each for each in found["contrasts"] if each[0] < CONTRAST] == []


def test_headings_follow_each_other_without_a_gap(found: dict[str, Any]) -> None:
    levels = found["levels"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_have_captions_and_scopes(found: dict[str, Any]) -> None:
    assert found["tables"]
    assert [table for table in found["tables"] if not table["caption"].strip() or table["loose"]] == []


def test_what_has_the_focus_shows_it(found: dict[str, Any]) -> None:
    assert found["focus"]
    assert set(found["focus"]) == {"solid"}
