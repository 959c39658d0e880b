"""Two runs side by side."""

from __future__ import annotations

import io
import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import RUN, manifest, story, window
from rich.console import Console

from wsgilab.analysis import comparison as changes
from wsgilab.analysis import stats
from wsgilab.analysis.pipeline import analyse
from wsgilab.commands import compare as side_by_side
from wsgilab.errors import UsageError
from wsgilab.model.conditions import Conditions
from wsgilab.model.interval import Interval
from wsgilab.model.server import ServerFacts
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window
from wsgilab.reports import comparison as table
from wsgilab.results.folder import RunFolder

MANIFEST: dict[str, Any] = {
    "engine": "local",
    "workload": "mix",
    "duration_s": 2.5,
    "keep_alive": False,
    "host": {"cpu_model": "a CPU", "cpus": 2, "kernel": "6.1"},
    "limits": {"memory": "none", "cpus": [0]},
    "cpu_sets": {"servers": "0", "load": "1"},
    "versions": {"gunicorn": "24.0"},
    "servers": [{"name": "gunicorn", "command": "gunicorn -w 4", "environment": {"LAB_APP": "app:app"}}],
}


def slower(measured: Window, factor: float) -> Window:
    """The same window with every request `factor` times as long."""
    assert measured.load
    ladder = {rung: ms * factor for rung, ms in measured.load.ladder_ms.items()}
    return replace(measured, load=replace(measured.load, ladder_ms=ladder))


def run(seed: int, factor: float = 1.0) -> list[Window]:
    return [slower(window("gunicorn", 100, number, seed), factor) for number in range(1, 6)]


def test_a_run_that_got_slower_is_told_apart_with_its_ratio() -> None:
    found = {change.metric: change for change in changes.compare(run(1), run(2, 1.3))}
    assert found["p99_ms"].result == "higher"
    ratio = found["p99_ms"].ratio
    assert ratio
    assert ratio.low
    assert ratio.low > 1
    assert ratio.value == pytest.approx(1.3, rel=0.05)
    assert {found[name].result for name in ("cpu_ms_per_request", "memory_mb")} == {"no difference shown"}


def test_two_runs_of_the_same_thing_show_no_difference_at_most_one_time_in_twenty() -> None:
    rng = random.Random(5)

    def group() -> list[Interval]:
        return [Interval(24.0 * rng.lognormvariate(0, 0.1)) for _ in range(4)]

    called = sum(stats.lower(stats.unpaired_ratio(group(), group())) != "no difference shown" for _ in range(2000))
    assert called <= 0.06 * 2000


def test_the_order_of_the_runs_turns_the_ratio_round() -> None:
    there = stats.unpaired_ratio([Interval(10.0), Interval(11.0)], [Interval(20.0), Interval(23.0)])
    back = stats.unpaired_ratio([Interval(20.0), Interval(23.0)], [Interval(10.0), Interval(11.0)])
    assert there
    assert back
    assert there.low
    assert back.high
    assert there.value == pytest.approx(1 / back.value, rel=1e-4)
    assert there.low == pytest.approx(1 / back.high, rel=1e-4)


def test_one_window_has_no_interval_and_cut_off_figures_make_bounds() -> None:
    assert stats.unpaired_ratio([Interval(10.0)], [Interval(20.0), Interval(21.0)]) == Interval(2.04939)
    cut = [Interval(10_000.0, censored=True)] * 3
    ratio = stats.unpaired_ratio([Interval(100.0), Interval(101.0), Interval(99.0)], cut)
    assert ratio
    assert (ratio.censored, ratio.high) == (True, None)
    assert ratio.low
    assert ratio.low > 90
    assert stats.unpaired_ratio(cut, cut) is None


def test_void_windows_are_not_counted_and_cells_of_one_run_are_named() -> None:
    before = [replace(each, void="k6 gave no result") for each in run(1)]
    assert changes.compare(before, run(2)) == []
    notes = changes.only_in_one(story(rounds=1), run(2))
    assert len(notes) == 1
    assert notes[0].startswith("Only in the first run: dev at 100 and 250 rps, ")
    assert "gunicorn at 250 rps" in notes[0], "at 100 rps both have it"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": {"cpu_model": "another", "cpus": 2, "kernel": "6.1"}}, "cpu model a CPU and another"),
        ({"limits": {"memory": "512m", "cpus": [0]}}, "limits: memory none and 512m"),
        ({"cpu_sets": {"servers": "0-1", "load": "1"}}, "cpu sets: servers 0 and 0-1"),
        ({"engine": "compose"}, "engine local and compose"),
        ({"workload": "io"}, "workload mix and io"),
        ({"duration_s": 8.0}, "duration 2.5 s and 8 s"),
        ({"keep_alive": True}, "a new connection for each request and reused connections"),
    ],
)
def test_what_makes_runs_incomparable_is_named(changed: dict[str, Any], said: str) -> None:
    before, after = (Conditions.of(manifest(**{**MANIFEST, **different})) for different in ({}, changed))
    assert any(said in each for each in changes.obstacles(before, after))
    assert changes.obstacles(before, before) == []
    assert changes.obstacles(before, Conditions()) == [changes.UNKNOWN_ORIGIN]


def test_what_was_set_differently_is_listed() -> None:
    other = json.loads(json.dumps(MANIFEST))
    other["versions"]["gunicorn"] = "25.0"
    other["servers"][0] |= {"command": "gunicorn -w 8", "environment": {"LAB_APP": "shop:app"}}
    assert changes.settings(manifest(**MANIFEST), manifest(**other)) == [
        "gunicorn: 24.0 → 25.0",
        "gunicorn: -w 4 → -w 8",
        "gunicorn: LAB_APP app:app → shop:app",
    ]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("uwsgi --socket /dev/shm/wsgilab-a1b2/sockets/x", "uwsgi --socket /dev/shm/wsgilab-c3d4/sockets/x", []),
        ("granian --workers 2 app:app", "granian app:app", ["granian: --workers 2, gone"]),
        ("granian app:app", ["granian", "--http", "2", "app:app"], ["granian: --http 2, new"]),
        ("granian", None, ["granian: granian, gone"]),
    ],
)
def test_of_two_commands_the_words_that_differ_are_said(first: Any, second: Any, said: list[str]) -> None:
    runs = [manifest(servers=[{"name": "granian", "command": command}]) for command in (first, second)]
    assert changes.settings(*runs) == said


def shown(found: list[changes.Change], *notes: str) -> str:
    console = Console(file=io.StringIO(), width=100)
    table.render(found, notes, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_changed_is_said_before_the_tables() -> None:
    first = shown(changes.compare(run(1), run(2, 1.3))).split("offered")[0]
    assert re.search(r"gunicorn at 100 rps: p99 is higher, 1\.\d+ \(1\.\d+–1\.\d+\) times the first", first)
    assert "memory is" not in first
    assert shown(changes.compare(run(1), run(1))).startswith(f"No change is shown in {len(changes.COMPARED)} figures.")
    assert shown([]).startswith("The runs share no server at any rate.")


def test_of_one_window_each_nothing_can_be_shown_and_no_interval_is_spoken_of() -> None:
    said = shown(changes.compare(run(1)[:1], run(2, 1.3)[:1]))
    assert said.startswith(f"No change can be shown in {len(changes.COMPARED)} figures: none has an interval")
    assert "Welch" not in said
    assert "Welch" in shown(changes.compare(run(1), run(2)))


def test_the_command_refuses_and_then_compares_anyway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed, cpu in (("a", 1, "one"), ("b", 2, "two")):
        folder = RunFolder.create(tmp_path / name)
        folder.write_manifest(manifest(**{**MANIFEST, "host": {"cpu_model": cpu}}))
        for each in run(seed):
            folder.append(each)
    with pytest.raises(UsageError, match="cpu model one and two") as caught:
        side_by_side.compare(tmp_path / "a", tmp_path / "b", anyway=False, as_json=False)
    assert "--anyway" in caught.value.next_command
    assert side_by_side.compare(tmp_path / "a", tmp_path / "b", anyway=True, as_json=False) == 0
    printed = capsys.readouterr().out
    assert "no difference shown" in printed
    assert "Not the same in both: host: cpu model one and two" in printed
    assert max(len(line) for line in printed.splitlines()) <= 100
    assert side_by_side.compare(tmp_path / "a", tmp_path / "a", anyway=False, as_json=True) == 0
    assert {each["result"] for each in json.loads(capsys.readouterr().out)["changes"]} == {"no difference shown"}


def test_what_cannot_be_used_of_either_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        folder = RunFolder.create(tmp_path / name)
        (folder.path / "manifest.json").write_text(json.dumps({**MANIFEST, "rounds": "three"}))
        for each in run(1):
            folder.append(each)
    with (tmp_path / "b" / "windows.jsonl").open("a") as file:
        file.write("{}\n")
    assert side_by_side.compare(tmp_path / "a", tmp_path / "b", anyway=False, as_json=True) == 0
    said = capsys.readouterr().err
    for name in ("a", "b"):
        assert f"lab: {tmp_path / name}: manifest.json: rounds is damaged, and not used" in said
    assert f"lab: {tmp_path / 'b'}: windows.jsonl line 6 is damaged: skipped" in said


def capacities(**rates: tuple[float, float, float]) -> Verdict:
    """A search that found these: (highest that always kept the SLO, capacity, lowest that missed it)."""
    servers = [ServerFacts(name, name, "4", 4, None) for name in rates]
    nothing = analyse([], replace(RUN, servers=servers, command="capacity", rounds=0))
    rows = (
        replace(row, capacity_rps=Interval(rate[1], rate[0], rate[2]))
        for row, rate in zip(nothing.servers, rates.values(), strict=True)
    )
    return replace(nothing, servers=tuple(rows))


def test_capacities_differ_only_where_their_brackets_do() -> None:
    before = capacities(gunicorn=(150, 153, 156), dev=(300, 310, 316))
    after = capacities(gunicorn=(145, 151, 154), dev=(200, 205, 209), uwsgi=(1, 2, 3))
    found = {change.server: change for change in changes.compare_searches(before, after)}
    assert {name: change.result for name, change in found.items()} == {
        "gunicorn": "no difference shown",
        "dev": "lower",
    }
    for name, low, high in (("dev", 200 / 316, 209 / 300), ("gunicorn", 145 / 156, 154 / 150)):
        ratio = found[name].ratio
        assert ratio
        assert ratio.low == pytest.approx(low, rel=1e-4)
        assert ratio.high == pytest.approx(high, rel=1e-4)


def test_capacities_that_k6_ended_both_times_have_no_ratio() -> None:
    """Each is at least so much: nothing says how they relate."""
    found = capacities(gunicorn=(1000, 1100, 1200))
    (row,) = found.servers
    at_least = replace(found, servers=(replace(row, capacity_rps=Interval(1100.0, 1000.0, None, censored=True)),))
    (change,) = changes.compare_searches(at_least, at_least)
    assert (change.ratio, change.result) == (None, "no difference shown")
