"""A cut link is told from a server that does not answer."""

from __future__ import annotations

from wsgilab.measure.way import Listener, Way


def test_a_way_is_open_as_long_as_the_runner_takes_connections() -> None:
    with Listener("127.0.0.1") as listener:
        way = Way(listener.at)
        assert not any(way.is_cut() for _ in range(200)), "more than wait in any queue"
    assert [way.is_cut(), way.is_cut()] == [False, True], "one that fails may be chance"
    assert "refused" in way.trouble


def test_a_way_that_is_open_again_was_not_cut() -> None:
    with Listener("127.0.0.1") as listener:
        way = Way(listener.at)
        way._failed = 1
        assert not way.is_cut()
        assert way._failed == 0
