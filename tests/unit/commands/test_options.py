"""A mistyped command line is refused before anything starts, and is told what was likely meant."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from wsgilab.commands.options import build_parser, parse


def parsed(*words: str) -> argparse.Namespace:
    return parse(build_parser(), words)


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ([], ["No command was given", "run, capacity", "Next: ./lab --help"]),
        (["rnu"], ["no command 'rnu'", "did you mean 'run'?"]),
        (["REPORT"], ["no command 'REPORT'", "did you mean 'report'?"]),
        (["xyzzy"], ["no command 'xyzzy'", "there are run, capacity"]),
        (["run", "--ruonds", "3"], ["no option '--ruonds'", "did you mean '--rounds'?", "Next: ./lab run --help"]),
        (["doctor", "--jsn"], ["no option '--jsn'", "did you mean '--json'?", "Next: ./lab doctor --help"]),
        (["run", "--sevrers=dev"], ["no option '--sevrers'", "did you mean '--servers'?"]),
        (["run", "--xyzzy"], ["no option '--xyzzy'", "a typo"]),
        (["capacity", "--rate", "5"], ["./lab capacity has no option '--rate'", "an option of ./lab run"]),
        (["--debug", "run"], ["--debug stands before the command", "Next: ./lab run --debug"]),
        (["run", "--servers", "dev,", "uwsgi"], ["'uwsgi' is one word too many", "a space within a value"]),
        (["report"], ["required: DIR", "something was left out", "Next: ./lab report --help"]),
        (["run", "--rate", "fast"], ["must be a number of requests per second, not 'fast'"]),
        (["run", "--duration", "soon"], ["must be a number of seconds, not 'soon'"]),
        (["run", "--rounds", "9" * 5000], [f"from 1 to 1000, not '{'9' * 40}'"]),
        (["run", "--seed", "x"], ["a seed must be a whole number, not 'x'"]),
        (["run", "--app", "shop"], ["an app is MODULE:ATTRIBUTE", "not 'shop'"]),
        (["run", "--app", ":app"], ["an app is MODULE:ATTRIBUTE"]),
        (["view", "--prometheus", "localhost:9090"], ["an address such as http://", "not 'localhost:9090'"]),
    ],
)
def test_what_is_refused_says_what_was_likely_meant(
    words: list[str], fragments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed(*words)
    said = capsys.readouterr()
    for part in ("lab: ", "\n  Likely cause: ", "\n  Next: ", *fragments):
        assert part in said.err, said.err
    assert not said.out


def test_the_engine_of_the_environment_is_checked_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_ENGINE", "locl")
    with pytest.raises(SystemExit, match="2"):
        parsed("run")
    assert "LAB_ENGINE is 'locl'.\n  Likely cause: did you mean 'local'?" in capsys.readouterr().err
    assert parsed("run", "--engine", "local").engine == "local"
    monkeypatch.setenv("LAB_ENGINE", "")
    assert parsed("run").engine == "auto"


@pytest.mark.parametrize("option", ["--servers", "--app", "--out", "--app-dir", "--rate", "--rounds", "--seed"])
def test_an_unset_variable_of_a_script_is_no_wish_for_the_default(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed("run", option, "")
    assert f"Argument {option}: " in capsys.readouterr().err


def test_the_values_that_are_taken() -> None:
    asked = parsed(
        "run", "--servers", "dev, uwsgi", "--rate", "5,7.5", "--seed", "-1", "--out", ".", "--app", "a.b:c.d"
    )
    assert (asked.servers, asked.rate, asked.seed) == (["dev", "uwsgi"], (5.0, 7.5), -1)
    assert (asked.out, asked.app) == (Path("."), "a.b:c.d")
    assert parsed("view", "--prometheus", "https://example.org/prom").prometheus == "https://example.org/prom"
