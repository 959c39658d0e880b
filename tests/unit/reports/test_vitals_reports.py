"""What a browser felt as people read it: every figure with its interval, floors and failures in words."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from clicked import FILM, MANIFEST, NAMES, blocks
from rich.console import Console

from wsgilab.api import clicks
from wsgilab.errors import UsageError
from wsgilab.model.vitals import Block, Click
from wsgilab.reports import vitals
from wsgilab.results.folder import BLOCKS, RunFolder
from wsgilab.results.vitals import FILMS_JSON, VITALS_JSON, holds_blocks, judge_vitals, read_blocks, write_vitals


def printed(found: list[Block]) -> str:
    stream = io.StringIO()
    vitals.render(judge_vitals(found, MANIFEST, []), Console(file=stream, width=100))
    return stream.getvalue()


def test_the_terminal_shows_every_button_and_says_that_few_clicks_are_a_first_look() -> None:
    text = printed(blocks())
    for word in (
        *NAMES,
        "≤ 16 ms",
        "TTFB",
        "first look",
        "idle",
        "with 100 rps of background load",
        "Differences shown",
    ):
        assert word in " ".join(text.split()), word
    assert max(map(len, text.splitlines())) <= 100


def test_a_click_that_failed_is_told_in_the_table() -> None:
    found = blocks()
    failed = Click("blocking", None, None, None, "", interactions=1)
    found[0] = Block(found[0].plan, (*found[0].clicks, failed), found[0].pages)
    assert "1 of 5 failed" in " ".join(printed(found).split())


def test_a_difference_from_one_that_never_came_has_a_bound() -> None:
    found = [
        replace(block, clicks=tuple(replace(click, content_ms=None) for click in block.clicks))
        if block.plan.server == "dev"
        else block
        for block in blocks()
    ]
    assert "lower than dev, by a factor of at least" in " ".join(printed(found).split())


def test_markdown_and_html_show_text_of_others_as_text() -> None:
    verdict = judge_vitals(blocks(), MANIFEST, [])
    page, text = vitals.html(verdict, MANIFEST, [FILM]), vitals.markdown(verdict, MANIFEST)
    assert "<b>twin" not in page
    assert "<b>twin" not in text
    assert page.count("data:image/jpeg") == 2, "each picture once"
    assert (page.count('class="picture"'), page.count('class="picture same"')) == (2, 4), "at each moment"
    for told in (page, text):
        assert "Window, s" not in told
        assert "SLO" not in told
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_saved_run_is_judged_again_and_damage_is_named(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", BLOCKS)
    folder.write_manifest(MANIFEST)
    for block in blocks():
        folder.append_line(block.to_json())
    write_vitals(folder, judge_vitals(blocks(), MANIFEST, []), [FILM])
    assert holds_blocks(folder.path)
    before = (folder.path / VITALS_JSON).read_bytes()
    result = clicks.report_vitals(folder.path)
    assert list(result.blocks) == blocks()
    assert result.films == (FILM,)
    assert result.verdict.problems == ("manifest.json: the run did not end: it was killed, or is still under way",)
    assert before != (folder.path / VITALS_JSON).read_bytes(), "that is a problem worth a word"
    with (folder.path / BLOCKS).open("ab") as file:
        file.write(b'{"plan": {')
    (folder.path / FILMS_JSON).write_text("[")
    found, problems = read_blocks(folder.path)
    assert (len(found), len(problems)) == (8, 1)
    assert any("pictures" in problem for problem in clicks.report_vitals(folder.path).verdict.problems)


def test_a_run_writes_over_no_other(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "run", BLOCKS)
    with pytest.raises(UsageError):
        RunFolder.create(tmp_path / "run")
