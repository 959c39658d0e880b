"""The lesson as a page, and the documentation as a site."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from factories import RUN, SERVERS, manifest, story
from shown import LAB, runs_of, write_run
from support import ROOT

from benchmarks import lesson_samples
from wsgilab.analysis.pipeline import analyse
from wsgilab.view import documents
from wsgilab.view.lesson import PATTERNS, SHARES, lesson, measured, samples, shares
from wsgilab.view.refusal import NotShown
from wsgilab.view.runs import Found

LESSON = (ROOT / "docs/lesson.md").read_text()
VERDICT = analyse(story(), RUN)
FOUND = Found("20261126T010000Z-run", VERDICT, manifest())
DOCS = ROOT / "docs"


def test_every_claim_of_the_verdict_stands_in_the_lesson_once() -> None:
    assert sorted(samples(LESSON)) == sorted([PATTERNS, SHARES, *(claim.id for claim in VERDICT.claims)])


FIGURE = re.compile(r"\d[\d.]* (?:ms|s|rps)\b(?: \([\d.]+–[\d.]+\))?")


def test_the_samples_and_the_readme_are_of_one_run() -> None:
    """The script writes what the verdict says, and a hand shortens it: a figure that nobody measured would show."""
    found = (ROOT / "README.md").read_text().split("## What it found")[1].split("\n## ")[0]
    readme = found.replace("requests per second", "rps")
    quoted = re.findall(r"^> \*\*Measured\*\*.*\n(?:> .*\n)*", LESSON, re.MULTILINE)
    assert len(quoted) == len(samples(LESSON))
    figures = [figure for text in quoted for figure in FIGURE.findall(text)]
    assert len(figures) > 20
    assert [figure for figure in figures if figure not in readme] == []


def test_the_script_writes_every_sample_from_a_run() -> None:
    for name in samples(LESSON):
        assert lesson_samples.SAMPLE.fullmatch(lesson_samples.sample(name, VERDICT)), name


def test_what_was_measured_takes_the_place_of_each_sample() -> None:
    page = lesson(LESSON, FOUND)
    assert page.title == "The lesson: how a Flask app is served"
    assert "in the sample" not in page.html
    for claim in VERDICT.claims:
        assert f"> {claim.result}</span>" in page.html
    assert page.html.count("Measured on this machine: run") == len(samples(LESSON))


def test_without_a_run_the_samples_stay() -> None:
    assert str(lesson(LESSON, None).html).count("in the sample") == len(samples(LESSON))


def test_a_quotation_of_anybody_else_stays() -> None:
    text = "# A\n\n> **Measured** nothing\n\n> `patterns`\n\n> **Measured** `no-such-claim`, in the sample: x\n"
    assert str(lesson(text, FOUND).html).count("<blockquote>") == 3


def test_shares_are_those_of_the_median() -> None:
    found = {(share.server, share.rate_rps): share for share in shares(VERDICT)}
    assert found["dev-single", 100].in_app < 0.1
    assert found["uwsgi", 100].in_app > 0.9
    assert [share.rate_rps for share in found.values()] == [100.0] * len(SERVERS) + [250.0] * len(SERVERS)
    assert "<td>over 99 %</td>" in str(measured(SHARES, FOUND)), "of a median that was cut off"


def test_what_a_run_says_is_escaped() -> None:
    servers = [replace(server, pattern="<script>") for server in SERVERS]
    page = str(measured(PATTERNS, Found("run", analyse(story(), replace(RUN, servers=servers)), manifest())))
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


# ── the documentation ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", documents.names(DOCS))
def test_every_text_is_a_page_whose_links_lead_somewhere(name: str) -> None:
    page = documents.read(DOCS, name)
    assert page.title
    assert page.html.count("<h1") == 1
    for target in re.findall(r'(?:href|src)="(?!https?:)([^"]+)"', page.html):
        path, _, anchor = target.partition("#")
        text = path.removeprefix("/docs/")
        if path.startswith("/exercises/"):
            assert list((ROOT / "workshop").glob(f"{int(path.rpartition('/')[2]):02}-*")), target
            continue
        if path.startswith("/docs/images/"):
            assert (DOCS / text).is_file(), target
        elif path and text != "readme":
            assert (DOCS / f"{text}.md").is_file(), target
        if anchor and text != "readme":
            shown = documents.read(DOCS, text or name)
            assert f'id="{anchor}"' in shown.html, target


def test_the_answer_key_stays_in_the_file() -> None:
    before, key = (DOCS / "workshop.md").read_text().split("## Answer key\n")
    page = documents.read(DOCS, "workshop")
    assert "one slot is bad at 100 rps" in key
    assert "one slot is bad at 100 rps" not in page.html
    assert "quiz.yaml" not in page.html
    assert "the instructor finds it in the file <code>docs/workshop.md</code>" in page.html
    assert [text for _, text in page.headings] == [*re.findall(r"^## (.+)$", before, re.MULTILINE), "Answer key"]


def test_what_comes_after_an_answer_key_is_shown() -> None:
    text = documents.open_to_all("# A\n\n## Answer key\n\nsecret\n\n## Next\n\nopen\n", "a.md")
    assert "secret" not in text
    assert text.endswith("\n\n## Next\n\nopen\n")


def test_the_readme_is_a_page_too() -> None:
    page = documents.page((ROOT / "README.md").read_text(), documents.from_the_root)
    assert 'href="/docs/tutorial"' in page.html
    assert 'src="/docs/images/side-by-side.png"' in page.html


def test_links_out_of_the_site_stay_words() -> None:
    page = documents.page(
        "# A\n\n[compose.yaml](../compose.yaml) and [a](b.md#c) and [x](javascript:alert(1))", documents.in_docs
    )
    assert "compose.yaml and" in page.html
    assert 'href="/docs/b#c"' in page.html
    tips = documents.page(LESSON, documents.in_docs).html.split("Three tips")[1]
    assert re.findall(r'href="(/exercises/\d+)"', tips) == [f"/exercises/{number}" for number in (3, 4, 12, 2, 9)]
    assert 'href="javascript' not in page.html


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    assert "&lt;script&gt;" in documents.page("# A\n\n<script>alert(1)</script>", documents.in_docs).html


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("What it found", "what-it-found"),
        ("What the lab says when …", "what-the-lab-says-when-"),
        ("`lab.toml`", "labtoml"),
    ],
)
def test_anchors_are_those_of_github(heading: str, anchor: str) -> None:
    assert documents.page(f"# A\n\n## {heading}", documents.in_docs).headings == ((anchor, heading.strip("`")),)


@pytest.mark.parametrize("name", ["../README", "", "nothing", "verdict.schema"])
def test_other_files_are_no_texts(name: str) -> None:
    with pytest.raises(NotShown):
        documents.read(DOCS, name)


def test_the_last_run_fills_in_the_page_that_is_served(tmp_path: Path) -> None:
    write_run(tmp_path / "1-run", story())
    found = runs_of(tmp_path).last()
    assert found
    assert lesson(LESSON, found).html.count('href="/runs/1-run"') == len(samples(LESSON))
    assert LAB.default_servers == [row.server for row in found.verdict.servers]
