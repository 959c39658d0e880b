"""What a terminal would obey is shown instead."""

from __future__ import annotations

import pytest
from factories import story, window

from wsgilab.model.controls import all_visible, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x1b\\", "\\x1b]0;owned\\x1b\\"),
        ("a\rb\x07\x08", "a\\x0db\\x07\\x08"),
        ("\x9b31m", "\\x9b31m"),
        ("one\u202etwo\u2066", "one\\u202etwo\\u2066"),
        ("caf\udce9", "caf\\udce9"),
        ("two\nlines\tand a tab, é, 東京, שלום, 👍", "two\nlines\tand a tab, é, 東京, שלום, 👍"),
    ],
)
def test_control_characters_are_shown_and_writing_of_any_language_stays(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_record_without_any_is_the_same_and_one_with_some_is_changed_wherever_they_are() -> None:
    windows = story(1)
    assert all_visible(windows) == windows
    evil = window("uwsgi")
    assert evil.load
    evil.load.statuses["\x1b"] = 1  # type: ignore[index]
    found = all_visible(evil)
    assert found.load
    assert "\\x1b" in found.load.statuses
