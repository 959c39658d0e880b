"""Programs that are fed or drained."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgilab.machine import pipes
from wsgilab.machine.processes import NOT_STARTED

MANY = 3_000_000


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_what_a_program_writes_is_handed_on() -> None:
    taken: list[bytes] = []
    done = pipes.drain(python(f"import sys; sys.stdout.buffer.write(b'x' * {MANY}); sys.exit('bad')"), taken.append)
    assert b"".join(taken) == b"x" * MANY
    assert (done.code, done.last_line) == (1, "bad")


def test_a_program_is_fed_to_the_end() -> None:
    chunks = (b"y" * 100_000 for _ in range(MANY // 100_000))
    assert pipes.feed(python("import sys; print(len(sys.stdin.buffer.read()))"), chunks).last_line == str(MANY)


def test_one_that_has_had_enough_says_why() -> None:
    done = pipes.feed(python("import sys; sys.exit('no room')"), (b"y" * 100_000 for _ in range(100)))
    assert (done.code, done.last_line) == (1, "no room")


def test_one_that_cannot_be_started_is_an_outcome(tmp_path: Path) -> None:
    assert pipes.feed([str(tmp_path / "nothing")], []).code == NOT_STARTED
    assert pipes.drain([str(tmp_path / "nothing")], print).code == NOT_STARTED


def test_where_the_source_fails_the_program_does_not_take_a_part_for_the_whole(tmp_path: Path) -> None:
    def source() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("damaged")

    whole = f"import sys, pathlib; sys.stdin.read(); pathlib.Path({str(tmp_path / 'loaded')!r}).touch()"
    with pytest.raises(ValueError, match="damaged"):
        pipes.feed(python(whole), source())
    assert not (tmp_path / "loaded").exists()
