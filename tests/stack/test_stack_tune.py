"""A tuning whose settings are containers, one at a time, behind an nginx of their own."""

from __future__ import annotations

import json

from compose_stack import Stack
from support import windows_of


def test_settings_are_containers_that_take_turns_and_leave_nothing(stack: Stack) -> None:
    before = set(stack.containers())
    done = stack.lab("tune", "--server", "uwsgi", "--duration", "2", "--budget", "24")
    assert done.returncode in (0, 5), done.stdout + done.stderr  # 5: a machine so busy that no window counts
    folder = stack.newest_run()
    windows = windows_of(folder)
    assert [window["plan"]["server"] for window in windows][:2] == ["uwsgi-1x1", "uwsgi-1x1"]
    assert not any(window["died"] for window in windows), "each found its own server"
    assert len(json.loads((folder / "tuning.json").read_text())["attempts"]) == len(windows) > 2
    assert set(stack.containers()) <= before
