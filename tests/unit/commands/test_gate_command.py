"""`./lab gate`: what it asks for, how it ends, what it writes; without measuring."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from factories import window

from wsgilab import api
from wsgilab.commands import faults, typed
from wsgilab.commands.cli import main
from wsgilab.errors import Interrupted, MissingError
from wsgilab.model.gate import OBJECTIVE, Check, Gate
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Outcome
from wsgilab.model.request import Request
from wsgilab.model.verdict import Verdict
from wsgilab.results.result import Result

VERDICT = Verdict("gate", "local", "mix", 20, "p99<250ms", (), (), (), ())
WINDOW = window("gunicorn")
KEPT = Check("gunicorn", 100.0, OBJECTIVE, Outcome.PASSED, "p99 30 ms (29–31), under 250 ms")
CPU = Check(
    "gunicorn",
    100.0,
    "cpu_ms_per_request",
    Outcome.PASSED,
    "CPU per request 3.00 ms against 3.00 ms",
    *[Interval(3.0, 2.9, 3.1)] * 2,
    Interval(1.0, 0.99, 1.01),
)


def result(outcome: Outcome, **changes: Any) -> Result:
    found = Gate(
        "p99<250ms",
        (KEPT, replace(CPU, outcome=outcome)),
        "That is how it went.",
        "main (1f2e3d4)",
        0.05,
        33 if outcome is Outcome.NOISY else None,
    )
    whole = Result(VERDICT, (WINDOW,), None, gate=found)
    return replace(whole, **changes)


@dataclass
class Measured:
    """What was asked for, and what comes of it."""

    result: Result = field(default_factory=lambda: result(Outcome.PASSED))
    request: Request = field(default_factory=Request)
    against: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """In place of a measurement."""
    said = Measured()

    def gate(request: Request, *, listener: object, stop: object, **against: object) -> Result:
        assert listener
        assert stop
        said.request, said.against = request, against
        return said.result

    monkeypatch.setattr(api, "gate", gate)
    for name in ("LAB_ENGINE", "LAB_RESULTS", "LAB_START_TIMEOUT_S"):
        monkeypatch.delenv(name, raising=False)
    return said


def code_of(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["gate", "--servers", "gunicorn", *map(str, words)])
    return int(ended.value.code or 0)


def test_a_plain_gate_asks_for_its_own_defaults(measured: Measured) -> None:
    assert code_of() == 0
    assert measured.request.command == "gate"
    assert (measured.request.rates_rps, measured.request.windows_each, measured.request.window_s) == ((100.0,), 6, 2.5)
    assert (measured.request.tolerance, measured.request.may_take_s) == (0.05, 270.0)
    assert measured.against == {"baseline": None, "against": None}


def test_options_reach_it(measured: Measured) -> None:
    code_of("--rate", "20,60", "--rounds", 8, "--against", "main", "--slo", "p95<1s")
    assert (measured.request.rates_rps, measured.request.rounds, measured.request.slo) == ((20.0, 60.0), 8, "p95<1s")
    assert measured.against == {"baseline": None, "against": "main"}
    code_of("--tolerance", "2.5 %", "--budget", 60)
    assert (measured.request.tolerance, measured.request.may_take_s) == (0.025, 60.0)
    code_of("--baseline", "old.json")
    assert measured.against["baseline"] == Path("old.json")


def test_an_unset_variable_of_a_pipeline_is_no_wish_for_no_comparison(measured: Measured) -> None:
    code_of("--against", "")
    assert measured.against["against"] == "", "which is then no revision"
    assert code_of("--baseline", "") == 2


def test_rates_of_a_lab_toml_come_before_the_gates_own(measured: Measured, tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text("[traffic]\nrates = [7]\n")
    code_of("--app-dir", tmp_path)
    assert measured.request.rates_rps == (7.0,)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tolerance", "5"], "it must be a percentage"),
        (["--tolerance", "0%"], "above 0%"),
        (["--tolerance", "101%"], "at most 100%"),
        (["--junit", "/nowhere/at/all.xml"], "/nowhere/at/all.xml cannot be written"),
        (["--markdown", "/"], "/ cannot be written"),
        (["--budget", "10"], "above 20"),
        (["--quick"], "an option of ./lab run"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(
    words: list[str], said: str, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(*words) in (2, 3)
    assert said in capsys.readouterr().err
    assert measured.request.command == "run", "nothing was measured"


def test_a_gate_needs_a_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["lab", "gate", "--slo", "p99<1s"])
    with pytest.raises(SystemExit, match="2"):
        main(["gate", "--slo", "p99<1s"])
    assert "Next: ./lab gate --slo 'p99<1s' --servers gunicorn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(Outcome.PASSED, 0), (Outcome.MISSED, 6), (Outcome.WORSE, 6), (Outcome.NOISY, 5), (Outcome.NOT_JUDGED, 0)],
)
def test_the_exit_code_follows_the_outcome(outcome: Outcome, code: int, measured: Measured) -> None:
    measured.result = result(outcome)
    assert code_of() == code


def test_what_is_too_noisy_comes_with_the_command_that_would_tell(
    measured: Measured, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--servers", "gunicorn", "--rounds", "8", "--budget=60", "--out", "results/first", "--slo", "p99<250ms"]
    monkeypatch.setattr("sys.argv", ["lab", "gate", *words])
    measured.result = result(Outcome.NOISY)
    assert code_of() == 5
    assert "Next: ./lab gate --servers gunicorn --slo 'p99<250ms' --rounds 33\n" in capsys.readouterr().err


def test_what_to_do_next_holds_no_secret_and_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--app", "a:b", "--env", "DB=postgresql://u:p@h", "--env=KEY=two words", "--slo", "p99<1s"]
    monkeypatch.setattr("sys.argv", ["lab", "gate", *words])
    expected = """./lab gate --app a:b --env DB="$DB" --env=KEY="$KEY" --slo 'p99<1s' --debug"""
    assert faults.unforeseen(ValueError("x")).next_command == typed.again("--debug") == expected
    done = subprocess.run(
        ["sh", "-c", expected.replace("./lab", "printf '%s|'")],
        env={"DB": "postgresql://u:p@h", "KEY": "two words"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("|") == ["gate", *words, "--debug", ""]


@pytest.mark.parametrize(
    ("trouble", "code"), [(Interrupted(), 130), (MissingError("The disk is full.", "a large run", "df -h"), 3)]
)
def test_a_gate_that_did_not_get_to_its_end_neither_passes_nor_writes_that_it_did(
    trouble: Exception, code: int, measured: Measured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured.result = result(Outcome.PASSED, gate=None, trouble=trouble)
    assert code_of("--junit", tmp_path / "gate.xml", "--github") == code
    assert not (tmp_path / "gate.xml").exists()
    assert "::notice" not in capsys.readouterr().out
    assert code_of("--json") == code
    assert capsys.readouterr().out == "", "which is no gate.json, and no table either"


def test_a_server_that_died_ends_it_as_it_ends_a_run(measured: Measured) -> None:
    measured.result = result(Outcome.MISSED, windows=(replace(WINDOW, died="ended by SIGKILL"),))
    assert code_of() == 4


def test_a_pipeline_gets_what_it_asked_for(
    measured: Measured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured.result = result(Outcome.WORSE)
    files = {"--junit": tmp_path / "gate.xml", "--markdown": tmp_path / "gate.md"}
    assert code_of(*[word for pair in files.items() for word in pair], "--github") == 6
    assert ElementTree.parse(files["--junit"]).getroot().get("failures") == "1"
    assert "❌" in files["--markdown"].read_text()
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith("::error title=WSGI Lab%3A gunicorn at 100 rps::got worse")
    assert "got worse  That is how it went." in out


def test_json_stands_alone_on_standard_output(measured: Measured, capsys: pytest.CaptureFixture[str]) -> None:
    measured.result = result(Outcome.WORSE)
    code_of("--json", "--github")
    heard = capsys.readouterr()
    said = json.loads(heard.out)
    assert (said["outcome"], said["against"], said["tolerance"]) == ("got worse", "main (1f2e3d4)", 0.05)
    assert [check["about"] for check in said["checks"]] == ["slo", "cpu_ms_per_request"]
    assert "::error" in heard.err
