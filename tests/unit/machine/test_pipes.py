"""Programs that are fed or drained."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wsgilab.errors import Interrupted
from wsgilab.machine import pipes
from wsgilab.machine.processes import NOT_STARTED
from wsgilab.machine.waiting import Stop

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


def test_what_one_program_writes_is_read_by_the_other(tmp_path: Path) -> None:
    writes = python(f"import sys; sys.stdout.buffer.write(b'x' * {MANY})")
    reads = f"import sys; open({str(tmp_path / 'read')!r}, 'w').write(str(len(sys.stdin.buffer.read())))"
    assert pipes.pour(writes, python(reads), Stop()).ok
    assert (tmp_path / "read").read_text() == str(MANY)


@pytest.mark.parametrize(
    ("giver", "taker", "said"),
    [
        ("import sys; print('half'); sys.exit('no such image')", "import sys; sys.stdin.read()", "no such image"),
        (f"import sys; sys.stdout.buffer.write(b'x' * {MANY})", "import sys; sys.exit('no room')", "no room"),
    ],
)
def test_whichever_of_two_fails_says_why(giver: str, taker: str, said: str) -> None:
    done = pipes.pour(python(giver), python(taker), Stop())
    assert not done.ok
    assert said in done.last_line


def test_two_programs_are_ended_when_that_is_asked_for(tmp_path: Path) -> None:
    stop = Stop()
    stop.request()
    with pytest.raises(Interrupted):
        pipes.pour(python("import time; time.sleep(60)"), python("import sys; sys.stdin.read()"), stop)
    assert pipes.pour([str(tmp_path / "nothing")], python("pass"), Stop()).code == NOT_STARTED
