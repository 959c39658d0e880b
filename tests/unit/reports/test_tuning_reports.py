"""A tuning on a screen, as Markdown and as a page: the same answer, with what it rests on."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import pytest
from factories import RUN
from rich.console import Console
from simulated_apps import NAMED, App, question_for
from tuned_folder import manifest_of, tuning_of, windows_of

from wsgilab.analysis.pipeline import analyse
from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.model.tuning import Question
from wsgilab.model.verdict import Verdict
from wsgilab.reports import tuning_html, tuning_markdown, tuning_screen
from wsgilab.reports.ready_files import of_tuning

BY_NAME = {app.name: app for app in NAMED}
HOPELESS = App("hopeless", cpu_ms=5, wait_ms=400)


def judged(app: App, question: Question) -> tuple[Tuning, Verdict]:
    windows = windows_of(app, question)
    return tuning_of(app, question), analyse(windows, replace(RUN, servers=(), command="tune", rounds=0))


def on_screen(app: App, question: Question, width: int = 100) -> str:
    out = StringIO()
    tuning_screen.render(*judged(app, question), Console(file=out, width=width))
    return out.getvalue()


def in_markdown(app: App, question: Question) -> str:
    tuning, verdict = judged(app, question)
    return tuning_markdown.render(tuning, verdict, manifest_of(question), of_tuning(tuning, "shop:app"))


def as_page(app: App, question: Question) -> str:
    tuning, verdict = judged(app, question)
    return tuning_html.render(tuning, verdict, manifest_of(question), of_tuning(tuning, "shop:app"))


class Text(HTMLParser):
    """What a page says, without its styles."""

    def __init__(self) -> None:
        super().__init__()
        self.said, self.hidden = list[str](), False

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - as HTMLParser calls it
        self.hidden = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.said.append(data)


def text_of(page: str) -> str:
    reader = Text()
    reader.feed(page)
    return " ".join(" ".join(reader.said).split())


RENDERED = {
    "screen": lambda app, question: " ".join(on_screen(app, question, 1000).split()),
    "markdown": lambda app, question: re.sub(r"\\(.)", r"\1", in_markdown(app, question)).replace("&lt;", "<"),
    "page": lambda app, question: text_of(as_page(app, question)),
}


@pytest.mark.parametrize("kind", RENDERED)
@pytest.mark.parametrize("family", ["gunicorn", "uwsgi"])
def test_every_report_has_every_sentence_of_the_advice(kind: str, family: str) -> None:
    question = question_for(family)
    text = RENDERED[kind](BY_NAME["mix"], question)
    for sentence in tuning_of(BY_NAME["mix"], question).sentences:
        assert sentence[1:] in text, sentence


@pytest.mark.parametrize("kind", RENDERED)
def test_every_report_has_what_is_recommended_next_to_what_people_would_have_set(kind: str) -> None:
    text = RENDERED[kind](BY_NAME["io"], question_for("gunicorn"))
    for role in ("recommended", "today's default", "2n + 1"):
        assert role in text


@pytest.mark.parametrize("kind", RENDERED)
def test_predictions_stand_under_a_title_that_says_so(kind: str) -> None:
    text = RENDERED[kind](BY_NAME["mix"], question_for("gunicorn"))
    title = "Nobody has measured this" if kind == "page" else "Predicted, not measured"
    assert 0 < text.index(title) < text.index("Prediction: ")


@pytest.mark.parametrize("kind", RENDERED)
def test_settings_that_died_are_told_with_why(kind: str) -> None:
    text = RENDERED[kind](BY_NAME["no greenlets"], question_for("gunicorn"))
    assert "Avoid 1 gevent worker: the server was killed by the kernel (out of memory) while under load, at" in text


@pytest.mark.parametrize("kind", RENDERED)
def test_where_nothing_keeps_the_objective_every_report_says_so_and_recommends_nothing(kind: str) -> None:
    text = RENDERED[kind](HOPELESS, question_for("gunicorn"))
    assert "No setting kept p99<250ms" in text
    assert "recommended" not in text
    assert "gunicorn.conf.py" not in text


def test_the_cheapest_setting_for_a_rate_is_reported_without_a_capacity() -> None:
    question = replace(question_for("gunicorn"), rate_rps=60.0)
    for render in RENDERED.values():
        text = render(BY_NAME["io"], question)
        assert "30 % more than 60 rps" in text
        assert "The cheapest setting that keeps p99<250ms at 60 rps" in text or render is RENDERED["screen"]


@pytest.mark.parametrize("kind", RENDERED)
def test_windows_that_failed_as_measurements_are_told_with_how(kind: str) -> None:
    text = RENDERED[kind](BY_NAME["mix"], question_for("gunicorn", 8))
    assert "do not count, as the machine was busy" in text
    assert "k6 was short of CPU" in text


def test_the_screen_is_no_wider_than_it_may_be() -> None:
    lines = on_screen(BY_NAME["two workers only"], question_for("gunicorn")).splitlines()
    assert max(map(len, lines)) <= 100


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = as_page(BY_NAME["mix"], question_for("gunicorn"))
    assert not re.search(r"<script|<link|<img|<iframe|src=|href=|url\(|@import", page)


def test_the_page_has_every_window_with_its_reason() -> None:
    question = question_for("gunicorn")
    tuning, text = tuning_of(BY_NAME["mix"], question), text_of(as_page(BY_NAME["mix"], question))
    for attempt in tuning.history:
        assert attempt.trial.why in text


def test_text_from_elsewhere_is_shown_and_not_obeyed() -> None:
    question = question_for("gunicorn")
    tuning, verdict = judged(BY_NAME["mix"], question)
    hostile = replace(verdict, workload="<script>alert(1)</script>", problems=("<b>![x](http://example.com)</b>",))
    page = tuning_html.render(tuning, hostile, manifest_of(question), {})
    assert "<script" not in page
    assert "<b>!" not in page
    text = tuning_markdown.render(tuning, hostile, manifest_of(question), {})
    assert "![x](" not in text


def test_the_same_tuning_gives_the_same_bytes() -> None:
    question = question_for("uwsgi")
    assert as_page(BY_NAME["pool"], question) == as_page(BY_NAME["pool"], question)
    assert in_markdown(BY_NAME["pool"], question) == in_markdown(BY_NAME["pool"], question)
