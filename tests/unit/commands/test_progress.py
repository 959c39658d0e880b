"""What a person sees while it is measured: a bar with the last figures on a terminal, short lines in a log."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from factories import window
from rich.console import Console

from wsgilab.commands.progress import Progress, about
from wsgilab.errors import MissingError
from wsgilab.model.listener import Outline
from wsgilab.reports import so_far

OUTLINE = Outline("run", ("gunicorn", "dev"), "mix", (100.0,), 2, 2.5, "p99<250ms", 7, 4, 24.0)
SEARCH = replace(OUTLINE, command="capacity", rates_rps=(), rounds=0, duration_s=8.0, windows=None, takes_s=360.0)
WINDOWS = [window(server, round=number) for number in (1, 2) for server in ("gunicorn", "dev")]


def shown(outline: Outline, *, terminal: bool) -> str:
    """Everything that was written while four windows were measured."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120, color_system=None, legacy_windows=False)
    with Progress(console) as progress:
        progress.output(" Container [gunicorn]  Started")
        progress.engine_chosen("local", "asked for")
        progress.planned(outline)
        for order, measured in enumerate(WINDOWS):
            progress.window_started(replace(measured.plan, order=order))
            progress.window_measured(measured)
            if outline.windows and order % 2:
                progress.round_ended(order // 2 + 1, WINDOWS[: order + 1])
    return stream.getvalue()


def test_a_log_has_one_line_for_each_window_and_no_table() -> None:
    lines = shown(OUTLINE, terminal=False).splitlines()
    assert lines[:3] == [
        " Container [gunicorn]  Started",
        "Engine: local (asked for).",
        "2 servers, workload mix at 100 rps, 2 rounds: 4 windows of 2.5 s, about 25 s in all. Seed 7.",
    ]
    assert lines[3] == "[1/4] gunicorn, mix at 100 rps, round 1 (about 25 s left)"
    assert len(lines) == 3 + len(WINDOWS)


def test_a_search_counts_without_an_end_and_names_its_budget() -> None:
    lines = shown(SEARCH, terminal=False).splitlines()
    assert lines[2] == about(SEARCH)
    assert "the highest rate that keeps p99<250ms for 8 s, at most 6 min in all" in lines[2]
    assert lines[3].startswith("[1] gunicorn, mix at 100 rps, try 1 (at most ")


def test_a_terminal_has_the_last_figures_next_to_the_bar_and_the_table_so_far() -> None:
    text = shown(OUTLINE, terminal=True)
    assert f"last: {so_far.sentence(WINDOWS[2])}" in text
    assert "After round 1 of 2" in text
    assert "After round 2 of 2" not in text, "the verdict follows at once"
    assert "100 rps offered" in text


def test_a_window_that_does_not_count_says_so_instead_of_figures() -> None:
    sentence = so_far.sentence(WINDOWS[0])
    assert sentence.startswith("gunicorn p50 2")
    assert sentence.endswith(" rps served")
    assert so_far.sentence(replace(WINDOWS[0], void="k6 was late")) == "gunicorn void"
    assert so_far.sentence(replace(WINDOWS[0], died="killed", load=None, usage=None)) == "gunicorn died"


def test_warnings_have_three_parts(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(Console(file=io.StringIO())) as progress:
        progress.warning(MissingError("No Prometheus.", "not installed", "install it"))
    assert capsys.readouterr().err == "lab: No Prometheus.\n  Likely cause: not installed\n  Next: install it\n"


def test_clicks_in_a_browser_are_no_windows_and_no_load_is_none() -> None:
    outline = replace(OUTLINE, command="vitals", rates_rps=(0.0, 100.0), takes_s=60.0)
    assert about(outline) == (
        "2 servers, workload mix: idle and at 100 rps, 2 rounds of clicks in a browser, about 1 min in all. Seed 7."
    )
    stream = io.StringIO()
    with Progress(Console(file=stream, width=120)) as progress:
        progress.planned(outline)
        progress.window_started(replace(WINDOWS[0].plan, rate_rps=0.0, order=0))
    assert "[1/4] gunicorn, idle, round 1" in stream.getvalue()


def test_a_tuning_that_goes_on_has_what_is_left_of_its_budget() -> None:
    outline = replace(SEARCH, command="tune", takes_s=120.0, earlier=9)
    assert about(outline).endswith("objective p99<250ms: 9 windows from before, at most 2 min more. Seed 7.")


def test_what_comes_after_the_last_window_is_part_of_the_time_that_is_left() -> None:
    outline = replace(OUTLINE, command="vitals", takes_s=85.0, afterwards_s=60.0)
    stream = io.StringIO()
    with Progress(Console(file=stream, width=120)) as progress:
        progress.planned(outline)
        for order in (0, 3):
            progress.window_started(replace(WINDOWS[0].plan, order=order))
    first, last = stream.getvalue().splitlines()[1:]
    assert first.endswith("(about 1 min 25 s left)")
    assert last.endswith("(about 1 min left)")


def test_a_tuning_says_what_it_tries_and_why() -> None:
    stream = io.StringIO()
    with Progress(Console(file=stream, width=120)) as progress:
        progress.planned(replace(SEARCH, command="tune"))
        why = "round 1: who keeps 430 rps, of 8; so far the best is gunicorn-gthread-2x8"
        progress.window_started(replace(WINDOWS[0].plan, order=0, why=why))
    first, second = stream.getvalue().splitlines()
    assert first.startswith("2 settings to choose from, workload mix, objective p99<250ms: at most 6 min")
    assert second.startswith(f"[1] gunicorn at 100 rps: {why} (at most ")
