"""Saved runs, spoiled one value at a time: what can be used is, what cannot is named, and nothing trips over it."""

from __future__ import annotations

import errno
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import verdict_json
from factories import samples, window
from rich.console import Console

from wsgilab import api
from wsgilab.analysis import stats
from wsgilab.commands.cli import main
from wsgilab.errors import EXIT_MISSING, UsageError
from wsgilab.model.interval import Interval
from wsgilab.reports import html, markdown, terminal
from wsgilab.results.folder import RunFolder

MANIFEST: dict[str, Any] = {
    "schema": 1,
    "command": "run",
    "engine": "local",
    "workload": "mix",
    "started_at": "2026-03-01T12:00:05+00:00",
    "rates_rps": [100.0],
    "rounds": 1,
    "duration_s": 6.0,
    "slo": "p99<250ms",
    "host": {"cpus": 2, "kernel": "6.1"},
    "versions": {"flask": "3.1.2"},
    "cpu_sets": {"servers": "0", "load": "1"},
    "search": {"start_rps": 50.0, "fine_s": 8.0},
    "servers": [
        {
            "name": "gunicorn",
            "pattern": "Gunicorn",
            "concurrency": "4",
            "slots": 4,
            "via": None,
            "command": ["gunicorn"],
        },
    ],
}
ODD = [None, "x", -1, 0, 1e308, [], {}, True, float("nan"), [1], {"a": "b"}, 10**400]
"""What may stand where something else was meant."""
NESTED = json.loads("[" * 900 + "]" * 900)
Path_ = tuple[str | int, ...]


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every place in a JSON value, of lists the first item, of ladders the first rungs."""
    yield path
    if isinstance(value, dict):
        for key in list(value)[: 2 if path[-1:] == ("ladder_ms",) else None]:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def spoiled(value: Any, path: Path_, odd: Any) -> Any:
    if not path:
        return odd
    found = json.loads(json.dumps(value))
    inside = found
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = odd
    return found


def rendered(folder: Path, lines: list[Any], manifest: Any) -> dict[str, Any]:
    """The verdict on a run whose files hold this, after every report was made of it."""
    folder.mkdir(exist_ok=True)
    (folder / "windows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    run = RunFolder.open(folder)
    (windows, problems), (usable, more) = run.read(), run.read_manifest()
    verdict = api.judge(windows, usable, [*problems, *more])
    kept = verdict.to_json()
    plain = json.loads(json.dumps(kept, allow_nan=False))
    assert plain == kept
    assert verdict_json.faults(plain) == []
    html.render(verdict, usable)
    markdown.render(verdict, usable)
    terminal.render(verdict, Console(file=io.StringIO(), width=100))
    return kept


WHOLE = json.loads(json.dumps(window("gunicorn").to_json()))
WHOLE["usage"]["samples"] = [json.loads(json.dumps(vars(each))) for each in samples(1.0, 0.5, 3)]


def lines_named(problems: list[str]) -> int:
    """How many lines of windows.jsonl these sentences speak of."""
    stretches = re.findall(r"windows\.jsonl lines? (\d+)(?: to (\d+))?", "\n".join(problems))
    return sum(int(last or first) - int(first) + 1 for first, last in stretches)


@pytest.mark.parametrize("place", list(places(WHOLE)), ids=lambda path: ".".join(map(str, path)) or "all")
def test_a_window_with_any_odd_value_is_used_or_named(tmp_path: Path, place: Path_) -> None:
    verdict = rendered(tmp_path / "run", [WHOLE, *(spoiled(WHOLE, place, odd) for odd in ODD)], MANIFEST)
    assert len(verdict["windows"]) + lines_named(verdict["problems"]) == 1 + len(ODD)


@pytest.mark.parametrize("place", list(places(MANIFEST)), ids=lambda path: ".".join(map(str, path)) or "all")
def test_a_manifest_with_any_odd_value_leaves_the_windows_to_be_judged(tmp_path: Path, place: Path_) -> None:
    command = "capacity" if "search" in place else "run"
    for odd in ODD:
        verdict = rendered(tmp_path / "run", [WHOLE], spoiled({**MANIFEST, "command": command}, place, odd))
        assert len(verdict["windows"]) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rounds": "many"}, "rounds is damaged, and not used"),
        ({"slo": "p99 is fine"}, "its SLO cannot be read, and the usual one is used"),
        ({"servers": [{"name": 3}]}, "server 1 is damaged, and not used"),
        ({"search": {"start_rps": None}}, "search is damaged, and not used"),
        ({"rates_rps": [100.0, "fast"]}, "rates_rps is damaged, and not used"),
        ({"finished_at": None}, "the run did not end: it was killed, or is still under way"),
        ({"finished_at": 7}, "finished_at is damaged, and not used"),
        ({"limits": {"cpus": [[0]]}}, "limits is damaged, and not used"),
        ({"servers": [{"name": "x"}, {"name": "x"}]}, "server 2 is damaged, and not used"),
        ({"limits": {"x": NESTED}}, "limits is damaged, and not used"),
        ({"cpu_sets": {"servers": 7}}, "cpu_sets is damaged, and not used"),
        ({"schema": 2}, "written by another version of the lab (schema 2): not used"),
    ],
)
def test_what_of_a_manifest_is_not_used_is_named(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    verdict = rendered(tmp_path / "run", [WHOLE], {**MANIFEST, **changed})
    assert [each for each in verdict["problems"] if each.startswith(f"manifest.json: {said}")]


def test_what_an_interrupted_run_lacks_is_counted_by_what_it_was_to_measure(tmp_path: Path) -> None:
    planned = {**MANIFEST, "rounds": 3, "rates_rps": [100.0, 250.0]}
    problems = rendered(tmp_path / "run", [WHOLE], planned)["problems"]
    assert problems == ["the run is incomplete: 1 of 6 windows were measured"]
    assert rendered(tmp_path / "run", [], planned)["problems"] == ["no window was measured"]


def test_somebody_elses_run_is_shown_though_nothing_can_be_written_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "windows.jsonl").write_text(json.dumps(WHOLE) + "\n")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(SystemExit, match=str(EXIT_MISSING)):
        main(["report", str(tmp_path)])
    shown = capsys.readouterr()
    assert "Use gunicorn." in shown.out
    assert "Kept in" not in shown.out
    assert "a folder is in the way of a file" in shown.err
    assert "move it away" in shown.err


def test_a_whole_manifest_has_no_faults(tmp_path: Path) -> None:
    assert rendered(tmp_path / "run", [WHOLE], MANIFEST)["problems"] == []


def test_empty_lines_are_told_in_one_sentence_however_many_they_are(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.append(window("gunicorn"))
    with (folder.path / "windows.jsonl").open("ab") as file:
        file.write(b"\n" * 200_000)
    windows, problems = folder.read()
    assert len(windows) == 1
    assert problems == ["windows.jsonl lines 2 to 200001 are damaged: skipped"]


def test_of_damage_all_over_the_first_is_named_and_the_rest_counted(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    line = json.dumps(WHOLE) + "\n"
    (folder.path / "windows.jsonl").write_text((line + "{}\n") * 50)
    windows, problems = folder.read()
    assert len(windows) == 50
    assert len(problems) == 21
    assert problems[0] == "windows.jsonl line 2 is damaged: skipped"
    assert problems[-1] == "windows.jsonl: 30 more lines cannot be used: skipped"


def test_figures_hundreds_of_powers_of_ten_apart_are_told_in_numbers(tmp_path: Path) -> None:
    lines = []
    for number, (server, cpu) in enumerate((s, c) for c in (1e-320, 1e15, 1e-15) for s in ("gunicorn", "uwsgi")):
        cost = cpu if server == "gunicorn" else 1.0 / max(cpu, 1e-15)
        line = spoiled(spoiled(WHOLE, ("plan", "server"), server), ("plan", "round"), 1 + number // 2)
        lines.append(spoiled(line, ("usage", "cpu_ms_per_request"), cost))
    assert len(rendered(tmp_path / "run", lines, MANIFEST)["windows"]) == 6
    stats.unpaired_ratio([Interval(1e-300), Interval(1e300)], [Interval(1e-300), Interval(1e299)])


def test_thousands_of_servers_are_not_compared_each_with_each(tmp_path: Path) -> None:
    lines = [spoiled(WHOLE, ("plan", "server"), f"server-{number}") for number in range(300)]
    verdict = rendered(tmp_path / "run", lines, MANIFEST)
    assert verdict["comparisons"] == []
    assert "301 servers are too many to be compared each with each: none is" in verdict["problems"]


@pytest.mark.parametrize("what", ["folder", "pipe", "link to nowhere", "link to itself"])
@pytest.mark.parametrize("name", ["manifest.json", "windows.jsonl"])
def test_what_stands_in_place_of_a_file_is_said(tmp_path: Path, name: str, what: str) -> None:
    folder = RunFolder.create(tmp_path / "run")
    folder.append(window("gunicorn"))
    path = folder.path / name
    path.unlink(missing_ok=True)
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere" if what == "link to nowhere" else name)
    if name == "windows.jsonl":
        with pytest.raises(UsageError):
            RunFolder.open(folder.path).read()
        return
    manifest, problems = RunFolder.open(folder.path).read_manifest()
    assert manifest.says_nothing
    assert len(problems) == 1
    assert "what was measured is known, how is not" in problems[0]


def test_a_file_of_somebody_else_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, who may read everything, too."""
    folder = RunFolder.create(tmp_path / "run")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(UsageError, match=r"Cannot read .*windows\.jsonl: Permission denied") as caught:
        folder.read()
    assert "belongs to another user" in caught.value.cause
    monkeypatch.setattr(Path, "read_bytes", refuse)
    (folder.path / "manifest.json").touch()
    assert "cannot be read (Permission denied)" in folder.read_manifest()[1][0]


def test_a_path_that_is_too_long_is_no_fault_of_the_lab() -> None:
    with pytest.raises(UsageError, match="File name too long"):
        RunFolder.open(Path("x" * 5000))
