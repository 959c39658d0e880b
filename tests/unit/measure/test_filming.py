"""Which picture was on the screen at a moment after a click."""

from __future__ import annotations

from wsgilab.measure.filming import chosen


def test_what_is_on_the_screen_is_the_last_picture_that_was_painted_before() -> None:
    shots = [(9.0, "page"), (10.05, "loading"), (10.06, "loading…"), (10.3, "content"), (19.0, "later")]
    frames, shown = chosen(shots, clicked_at=10.0)
    assert frames == ("page", "loading…", "content")
    assert shown == (0, 1, 1, 2, 2, 2)


def test_before_the_first_picture_there_is_none() -> None:
    assert chosen([(10.2, "page")], clicked_at=10.0) == (("page",), (None, None, 0, 0, 0, 0))
    assert chosen([], clicked_at=10.0) == ((), (None,) * 6)
