"""The one helper that runs programs, and that it is the only one."""

from __future__ import annotations

import ast
import logging
import sys
from functools import partial
from pathlib import Path

import pytest
from support import ROOT, wait_for

from wsgilab.machine import processes

THEIR_HOME = {
    "subprocess": {"machine/processes.py", "machine/pipes.py", "bootstrap.py"},
    "urllib.request": set[str](),
    "http.client": {"machine/http.py", "machine/exchanges.py", "machine/cluster_api.py"},
}
"""Modules that run programs or speak HTTP. bootstrap.py runs before anything else is there."""


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return plain | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize("module", THEIR_HOME)
def test_only_the_helper_imports_it(module: str) -> None:
    package = ROOT / "wsgilab"
    users = {str(path.relative_to(package)) for path in package.rglob("*.py") if module in imported(path)}
    assert users == THEIR_HOME[module]


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_a_command_tells_its_code_and_what_it_printed() -> None:
    outcome = processes.ask(python("import sys; print('out'); print('bad', file=sys.stderr); sys.exit(3)"))
    assert (outcome.code, outcome.ok, outcome.out, outcome.err) == (3, False, "out\n", "bad\n")
    with pytest.raises(processes.CommandFailed, match="bad"):
        outcome.required()


def test_output_that_is_no_text_is_given_all_the_same() -> None:
    assert processes.ask(python("import os; os.write(1, b'\\xff!')")).required().out == "\ufffd!"


def test_a_command_that_cannot_be_started_or_takes_too_long_is_an_outcome(tmp_path: Path) -> None:
    assert processes.ask([tmp_path / "nothing"]).code == processes.NOT_STARTED
    late = processes.ask(python("input(); import time; time.sleep(60)"), timeout_s=0.2)
    assert late.code != 0, "its standard input is empty"
    late = processes.ask(python("import time; time.sleep(60)"), timeout_s=0.2)
    assert (late.code, late.last_line) == (processes.TIMED_OUT, "no answer within 0.2 s")


def test_each_command_is_logged_as_it_would_be_typed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wsgilab.machine.processes")
    processes.ask(["printf", "two words"])
    (line,) = caplog.messages
    assert line.startswith("printf 'two words': exit code 0 after ")


def test_a_group_is_ended_with_all_that_stayed_in_it(tmp_path: Path) -> None:
    deaf = "import os, signal as s; s.signal(s.SIGTERM, s.SIG_IGN); os.fork(); print(1, flush=True); s.pause()"
    log = tmp_path / "log"
    process = processes.start(["sh", "-c", f'"$0" -c "{deaf}"; true', sys.executable], log, folder=tmp_path)
    wait_for(lambda: log.read_text().count("1") == 2, "both to have become deaf")
    processes.end([process], patience_s=0.2)
    assert processes.how_it_ended(process) in ("ended by SIGTERM", "ended by SIGKILL")
    assert not processes._group_lives(process.pid), "but for a zombie whose init does not collect it"


def test_a_program_that_leaves_another_behind_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one left behind holds the output open, and ignores SIGTERM."""
    monkeypatch.setattr(processes, "end", partial(processes.end, patience_s=0.2))
    program = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "time.sleep(1000) if child == 0 else print(child, flush=True)\n"
    )
    done = processes.ask_and_end(python(program), tmp_path, {}, timeout_s=60)
    assert done.ok
    child = Path(f"/proc/{int(done.out)}/stat")
    wait_for(lambda: not child.exists() or " Z " in child.read_text(), "the end of what was left behind")
    slow = processes.ask_and_end(python("import time; time.sleep(1000)"), tmp_path, {}, timeout_s=0.2)
    assert (slow.code, slow.last_line) == (processes.TIMED_OUT, "no answer within 0.2 s")
