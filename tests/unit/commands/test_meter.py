"""How far something has come: a line at once, then one now and then; a bar on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from wsgilab.commands import meter
from wsgilab.commands.meter import metered


def test_in_a_log_it_begins_with_a_line_and_says_more_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(meter.time, "monotonic", lambda: now)
    with metered("packing", 30_000_000) as moved:
        assert capsys.readouterr().err == "lab: packing …\n"
        moved(10_000_000)
        assert capsys.readouterr().err == ""
        now += meter.EVERY_S
        moved(10_000_000)
        moved(1_000_000)
        assert capsys.readouterr().err == "lab: packing: 20 of 30 MB\n"


@pytest.mark.parametrize(("total", "told"), [(30_000_000, "10 of 30 MB"), (None, "10 MB")])
def test_on_a_terminal_it_is_a_bar_that_goes_away(
    total: int | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=100, color_system=None, legacy_windows=False)
    monkeypatch.setattr(meter, "console", lambda _stream: terminal)
    with metered("packing", total) as moved:
        moved(10_000_000)
    assert "packing" in screen.getvalue()
    assert told in screen.getvalue()
