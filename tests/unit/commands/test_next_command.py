"""What to do next is a line for the command that failed, with all that was asked of it."""

from __future__ import annotations

import pytest

from wsgilab.commands import typed
from wsgilab.commands.cli import main
from wsgilab.commands.console import say
from wsgilab.commands.environment import START_TIMEOUT
from wsgilab.errors import ServerError, Verbatim
from wsgilab.model.request import COMMANDS, Request

SELECTION = {"tune": ["--server", "gunicorn"], "doctor": ["--app", "shop:app"]}
"""How a command says what it is for, where it is not by --servers."""
FLAGS = dict.fromkeys(("--engine", "--servers", "--app-dir", "--env"), False) | {"--quick": True, "--film": True}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_any_command_may_run_into_names_the_one_that_did(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, *SELECTION.get(command, ["--servers", "gunicorn"]), "--env", "KEY=secret", "--engine", "local"]
    monkeypatch.setattr("sys.argv", ["lab", *words])
    monkeypatch.setenv(START_TIMEOUT, "soon")
    with pytest.raises(SystemExit, match="2"):
        main()
    asked = " ".join(words).replace("KEY=secret", 'KEY="$KEY"')
    assert capsys.readouterr().err.endswith(f"Next: {START_TIMEOUT}={Request.start_timeout_s:g} ./lab {asked}\n")


@pytest.mark.parametrize(
    ("words", "line", "told"),
    [
        ("vitals --engine compose --rate 0", "./lab run --engine local", "./lab vitals --rate 0 --engine local"),
        ("capacity --servers=a,b", "PORT=8 ./lab run", "PORT=8 ./lab capacity --servers=a,b"),
        ("tune --server uwsgi", "./lab run --generators 2 --film 3", "./lab tune --server uwsgi"),
        (
            "gate --servers a,b --app-dir shop",
            "./lab run --app-dir '/my shop' --servers a --quick",
            "./lab gate --app-dir '/my shop' --servers a --quick",
        ),
        ("run --rigorous --servers a", "./lab run --servers a --quick", "./lab run --rigorous --servers a"),
        ("vitals --quick", "./lab run --quick", "./lab vitals --quick"),
        ("vitals --servers a", "./lab run --help", "./lab vitals --help"),
        ("tune --server all", "rm -r .venv; ./lab run", "rm -r .venv; ./lab tune --server all"),
        ("vitals --servers a", "docker compose build", "docker compose build"),
        ("gate --servers a", Verbatim("./lab run --rounds 20"), "./lab run --rounds 20"),
    ],
)
def test_it_is_the_command_that_was_typed_with_what_has_to_change(
    words: str, line: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["lab", *words.split()])
    once = typed.in_place_of_run(line, FLAGS)
    assert once == told
    assert typed.in_place_of_run(once, FLAGS) == told, "it may be told more than once on its way"


def test_who_typed_nothing_reads_run(capsys: pytest.CaptureFixture[str]) -> None:
    say(ServerError("gunicorn did not start.", "the app", "./lab run --servers gunicorn --quick"))
    assert "Next: ./lab run --servers gunicorn --quick\n" in capsys.readouterr().err
