"""A test that fails says what its servers and commands said: in CI there is nobody to look for their logs."""

from __future__ import annotations

import os
import time
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import pytest
from reasons import Reasons
from support import Running, to_its_end, wait_for


def report(message: str, outcome: str = "failed") -> Any:
    found = SimpleNamespace(reprcrash=SimpleNamespace(message=message))
    return SimpleNamespace(failed=outcome == "failed", longrepr=found if outcome == "failed" else None)


def test_a_fixture_that_fails_says_why_at_once_and_only_once() -> None:
    said: list[str] = []
    reasons = Reasons(cast(pytest.TerminalReporter, SimpleNamespace(write_line=said.append)))
    for each in (report("", "passed"), report("gunicorn did not start"), report("gunicorn did not start")):
        reasons.pytest_runtest_logreport(each)
    assert said == ["gunicorn did not start"]
    reasons.pytest_runtest_logreport(SimpleNamespace(failed=True, longrepr="no reason in parts"))  # type: ignore[arg-type]
    assert said[1:] == ["no reason in parts"]


def test_a_command_that_does_not_end_shows_what_it_said() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"not done after 0\.5 s: sh -c (.|\n)*its words\n"):
        to_its_end(["sh", "-c", "echo its words; exec sleep 60"], dict(os.environ), patience_s=0.5)


def test_what_was_said_in_vain_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what had been said when the waiting began."""
    running = Running(["sh", "-c", "echo its words; exec sleep 60"], dict(os.environ))
    looks = count()
    clock = SimpleNamespace(sleep=time.sleep, monotonic=lambda: 61 * next(looks) * ("its words" in running.output))
    monkeypatch.setattr("support.time", clock)
    try:
        with pytest.raises(AssertionError, match=r"waited 60 s for 'ready' in:\nits words\n"):
            running.says("ready")
    finally:
        running.kill()


def test_waiting_in_vain_names_what_was_waited_for() -> None:
    with pytest.raises(AssertionError, match="waited 0 s for spring"):
        wait_for(lambda: False, "spring", patience_s=0)
