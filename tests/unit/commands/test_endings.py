"""How a run ends: its exit code, and three parts on standard error where something went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from factories import RUN, plan, window

from wsgilab.analysis.pipeline import analyse
from wsgilab.commands.measuring import exit_code
from wsgilab.errors import Interrupted, LabError, MissingError
from wsgilab.model.window import Window
from wsgilab.results.result import Result

GOOD, DEAD = window("uwsgi"), Window(plan("gunicorn"), None, None, died="ended by SIGKILL in the window")
VOID = replace(GOOD, void="k6 was late")
FULL = MissingError("Cannot write.", "the disk is full", "df -h")


@pytest.mark.parametrize(
    ("windows", "trouble", "code", "said"),
    [
        ([GOOD, VOID], None, 0, ""),
        ([GOOD, DEAD, DEAD], None, 4, "lab: gunicorn died: ended by SIGKILL in the window. The other servers"),
        ([DEAD], None, 4, "lab: gunicorn died: ended by SIGKILL in the window.\n"),
        ([VOID, VOID], None, 5, "lab: No window was valid; the report names the reason for each."),
        ([GOOD, DEAD], FULL, 3, "lab: Cannot write."),
        ([GOOD], Interrupted(), 130, "lab: interrupted; what was measured until then is kept"),
    ],
)
def test_the_exit_code_and_what_is_said(
    windows: Sequence[Window],
    trouble: LabError | Interrupted | None,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdict = analyse(windows, RUN)
    assert exit_code(Result(verdict, tuple(windows), Path("results/my run"), trouble=trouble)) == code
    heard = capsys.readouterr().err
    assert ("Next: ./lab report 'results/my run'\n" in heard) == (code == 4)
    assert heard.startswith(said)
    assert heard.count("\n  Likely cause: ") == heard.count("\n  Next: ") == (code in (3, 4, 5))
