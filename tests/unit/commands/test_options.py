"""A mistyped command line is refused before anything starts, and is told what was likely meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from factories import RUN, story

from wsgilab.analysis.pipeline import analyse
from wsgilab.commands import capacity, measuring, run
from wsgilab.commands.cli import main
from wsgilab.model.request import Request
from wsgilab.results.result import Result

asked_ways: list[object] = []
"""How connections would have been used, for each request."""


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request that would have been carried out."""
    requests: list[Request] = []
    asked_ways.clear()

    def measure(request: Request, _as_json: bool, ways: object) -> int:
        requests.append(request)
        asked_ways.append(ways)
        return 0

    for command in (run, capacity):
        monkeypatch.setattr(command, "measure", measure)
    for name in ("LAB_ENGINE", "LAB_RESULTS", "LAB_START_TIMEOUT_S"):
        monkeypatch.delenv(name, raising=False)
    return requests


def request_of(asked: list[Request], *words: str) -> Request:
    """What `./lab WORDS` asks for."""
    with pytest.raises(SystemExit, match="0"):
        main(words)
    return asked.pop()


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ([], ["No command was given", "run, capacity", "Next: ./lab --help"]),
        (["rnu", "--rate", "40"], ["no command 'rnu'", "did you mean 'run'?", "Next: ./lab run --rate 40"]),
        (["qqqq"], ["no command 'qqqq'", "Next: ./lab --help"]),
        (["REPORT"], ["no command 'REPORT'", "did you mean 'report'?"]),
        (["xyzzy"], ["no command 'xyzzy'", "there are run, capacity"]),
        (
            ["run", "--ruonds", "3"],
            ["no option '--ruonds'", "did you mean '--rounds'?", "Next: ./lab run --rounds 3\n"],
        ),
        (["doctor", "--jsn"], ["no option '--jsn'", "did you mean '--json'?", "Next: ./lab doctor --json\n"]),
        (["run", "--sevrers=dev"], ["did you mean '--servers'?", "Next: ./lab run --servers=dev\n"]),
        (
            ["run", "--quick", "--server", "dev"],
            ["did you mean '--servers'?", "Next: ./lab run --quick --servers dev\n"],
        ),
        (["run", "--ap-dir", "my app"], ["did you mean '--app-dir'?", "Next: ./lab run --app-dir 'my app'\n"]),
        (["run", "--xyzzy"], ["no option '--xyzzy'", "a typo", "Next: ./lab run --help\n"]),
        (["capacity", "--rate", "5"], ["./lab capacity has no option '--rate'", "an option of ./lab run"]),
        (["--debug", "run"], ["--debug stands before the command", "Next: ./lab run --debug"]),
        (["run", "--servers", "dev,", "uwsgi"], ["'uwsgi' is one word too many", "a space within a value"]),
        (["report"], ["required: DIR", "something was left out", "Next: ./lab report --help"]),
        (["run", "--slots", "0"], ["slots must be a whole number from 1 to 256, not '0'"]),
        (["run", "--slots", "8,8"], ["each once"]),
        (["run", "--slots", "default"], ["a number of slots"]),
        (["run", "--rate", "fast"], ["must be a number of requests per second, not 'fast'"]),
        (["run", "--rate", "rps"], ["must be a number of requests per second, not 'rps'"]),
        (["run", "--rate", "1rpm"], ["must be a number of requests per second, not '1rpm'"]),
        (["run", "--duration", "soon"], ["must be a number of seconds, not 'soon'"]),
        (["run", "--duration", "20m"], ["at most 600 seconds"]),
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
        main(words)
    said = capsys.readouterr()
    for part in ("lab: ", "\n  Likely cause: ", "\n  Next: ", *fragments):
        assert part in said.err, said.err
    assert not said.out


def test_the_engine_of_the_environment_is_checked_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: list[Request]
) -> None:
    monkeypatch.setenv("LAB_ENGINE", "locl")
    with pytest.raises(SystemExit, match="2"):
        main(["run"])
    assert "LAB_ENGINE is 'locl'.\n  Likely cause: did you mean 'local'?" in capsys.readouterr().err
    assert request_of(asked, "run", "--engine", "local").engine == "local"
    monkeypatch.setenv("LAB_ENGINE", "")
    assert request_of(asked, "run").engine == "auto"


@pytest.mark.parametrize("option", ["--servers", "--app", "--out", "--app-dir", "--rate", "--rounds", "--seed"])
def test_an_unset_variable_of_a_script_is_no_wish_for_the_default(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", option, ""])
    assert f"Argument {option}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["run", "--script"], ["run", "--env-file"], ["init", "--app-dir", ".", "--from"], ["gate", "--junit"]]
)
def test_nothing_is_no_file(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*words, ""])
    assert "it must name a file" in capsys.readouterr().err


def test_the_values_that_are_taken(asked: list[Request]) -> None:
    words = [
        "--slots",
        "4,8,default",
        "--servers",
        "dev, uwsgi",
        "--rate",
        "5,7.5",
        "--seed",
        "-1",
        "--out",
        ".",
        "--app",
        "a.b:c.d",
    ]
    request = request_of(asked, "run", *words, "--variant", "twin=dev", "--variant", "other=dev,A=1")
    assert request.slots == (4, 8, "default")
    assert (request.servers, request.rates_rps, request.seed) == (("dev", "uwsgi"), (5.0, 7.5), -1)
    assert (request.out, request.app, request.variants) == (".", "a.b:c.d", ("twin=dev", "other=dev,A=1"))


def test_a_plain_command_line_asks_for_the_defaults(asked: list[Request]) -> None:
    assert request_of(asked, "run").but(settings={}, prometheus_url=None, lock=None) == Request()
    searched = request_of(asked, "capacity").but(settings={}, prometheus_url=None, lock=None)
    assert searched == Request(command="capacity")


@pytest.mark.parametrize("text", ["100rps,250rps", "100 rps, 250 rps", "100/s,250", "1e2,250"])
def test_a_rate_is_read_with_or_without_its_unit(asked: list[Request], text: str) -> None:
    assert request_of(asked, "run", "--rate", text).rates_rps == (100.0, 250.0)


@pytest.mark.parametrize(("text", "duration_s"), [("3", 3), ("3s", 3), ("1.5s", 1.5), ("2m", 120), ("2min", 120)])
def test_a_time_is_read_with_or_without_its_unit(asked: list[Request], text: str, duration_s: float) -> None:
    assert request_of(asked, "run", "--duration", text).duration_s == duration_s


def test_presets_give_way_to_what_is_named(asked: list[Request]) -> None:
    quick = request_of(asked, "run", "--quick", "--rounds", "2")
    assert (quick.rounds, quick.duration_s) == (2, 1.5)
    assert request_of(asked, "run", "--rigorous").rounds == 10
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--quick", "--rigorous"])


def test_the_environment_fills_the_request_with_what_compose_knows_and_nothing_else(
    asked: list[Request], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "GUNICORN_WORKERS": "8",
        "AWS_SECRET_ACCESS_KEY": "not for a request that may be shown",
        "LAB_RESULTS": str(tmp_path),
        "LAB_START_TIMEOUT_S": "2",
    }.items():
        monkeypatch.setenv(name, value)
    request = request_of(asked, "run")
    assert request.settings["GUNICORN_WORKERS"] == "8"
    assert "AWS_SECRET_ACCESS_KEY" not in request.settings
    assert (request.results, request.start_timeout_s) == (str(tmp_path), 2.0)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e309", "3601"])
def test_a_patience_that_cannot_be_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_START_TIMEOUT_S", text)
    with pytest.raises(SystemExit, match="2"):
        main(["run"])
    assert f"LAB_START_TIMEOUT_S is '{text}'" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("", 30.0), ("2", 2.0), ("0.5", 0.5)])
def test_the_patience_with_a_server_that_starts(
    text: str, seconds: float, monkeypatch: pytest.MonkeyPatch, asked: list[Request]
) -> None:
    monkeypatch.setenv("LAB_START_TIMEOUT_S", text)
    assert request_of(asked, "run").start_timeout_s == seconds


@pytest.mark.parametrize(
    ("words", "ways"),
    [
        ([], None),
        (["--keep-alive"], (True,)),
        (["--keep-alive", "--seed", "1"], (True,)),
        (["--keep-alive", "reused"], (True,)),
        (["--keep-alive=new"], (False,)),
        (["--keep-alive", "both"], (False, True)),
    ],
)
def test_the_ways_to_use_connections(words: list[str], ways: object, asked: list[Request]) -> None:
    for command in ("run", "capacity"):
        request_of(asked, command, *words)
        assert asked_ways.pop() == ways


def test_a_way_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--keep-alive", "boht"])
    assert "'boht': did you mean 'both'?" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["gate", "--servers", "gunicorn", "--keep-alive", "both"])
    assert "A gate measures new connections or reused ones, not both." in capsys.readouterr().err


def test_both_ways_are_measured_one_after_the_other_each_with_a_folder_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    carried_out: list[Request] = []

    def carry_out(request: Request, *_: object) -> Result:
        carried_out.append(request)
        windows = tuple(story(rounds=1))
        return Result(analyse(windows, RUN), windows, None)

    monkeypatch.setattr("wsgilab.api.carry_out", carry_out)
    assert measuring.measure(Request(out="there"), True, (False, True)) == 0
    assert [(request.keep_alive, request.out) for request in carried_out] == [
        (False, str(Path("there/new"))),
        (True, str(Path("there/reused"))),
    ]
    said = json.loads(capsys.readouterr().out)
    assert [said[name]["schema"] for name in ("new", "reused")] == [1, 1]
    carried_out.clear()
    assert measuring.measure(Request(out="there", keep_alive=True), True) == 0
    assert [(request.keep_alive, request.out) for request in carried_out] == [(True, "there")]


def test_how_many_generators_share_the_load(asked: list[Request]) -> None:
    assert (request_of(asked, "run").generators, request_of(asked, "run").save_requests) == (1, False)
    request = request_of(asked, "capacity", "--generators", "3", "--save-requests")
    assert (request.generators, request.save_requests) == (3, True)


@pytest.mark.parametrize("count", ["0", "65", "two"])
def test_a_number_of_generators_that_cannot_be_meant_is_refused(count: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--generators", count])
