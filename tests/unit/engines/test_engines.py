"""What the engines take from the environment."""

from __future__ import annotations

import pytest

from wsgilab.engines import start_timeout_s
from wsgilab.errors import UsageError
from wsgilab.machine.ports import another


@pytest.mark.parametrize(("text", "seconds"), [(None, 30.0), ("", 30.0), ("2", 2.0), ("0.5", 0.5)])
def test_the_patience_with_a_server_that_starts(
    text: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAB_START_TIMEOUT_S", raising=False)
    if text is not None:
        monkeypatch.setenv("LAB_START_TIMEOUT_S", text)
    assert start_timeout_s() == seconds


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1e309", "3601"])
def test_a_patience_that_cannot_be_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_START_TIMEOUT_S", text)
    with pytest.raises(UsageError, match=f"LAB_START_TIMEOUT_S is '{text}'"):
        start_timeout_s()


@pytest.mark.parametrize(("taken", "suggested"), [(8003, 9003), (65000, 64000)])
def test_the_port_that_is_suggested_instead_is_one(taken: int, suggested: int) -> None:
    assert another(taken) == suggested
