"""The load of a window as one k6 on another machine drives it: what LoadRun is for one on this machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import IO

import msgspec

from wsgilab.errors import LabError, MissingError
from wsgilab.machine.dialogue import Dialogue
from wsgilab.measure.k6_command import Segment
from wsgilab.measure.start_line import Arrivals
from wsgilab.measure.summary import HandedOver
from wsgilab.model import far
from wsgilab.model.clock import NO_CLOCK, PINGS, better
from wsgilab.model.far import Failed, Hello, Order, Used

HELLO_S = 20.0
"""How long a container may take to be there; the first of an image takes longest."""
SILENCE_S = 5.0
"""The far side tells twice a second what its k6 has used."""
STOP_S = 3.0
SPEAK_EVERY_S = 0.5
POLL_S = 0.02


class FarLoad:
    """One of several k6, on another machine. Leaving its block ends it there."""

    def __init__(self, command: Sequence[str], order: Order, arrived: Callable[[int], None], fix: str) -> None:
        """`command` starts the far side; `arrived` is called with the number of the generator when it stands at the
        start; `fix`: what to do where nothing comes of it."""
        self._command = command
        self._fix = fix
        self.order = order
        self.name = Segment(order.number, order.of, host=order.host).name
        self.host = order.host
        self._arrived = arrived
        self._heard_at = self._spoke_at = self.ended_at_s = time.monotonic()
        self._hello: Hello | None = None
        self._clock = NO_CLOCK
        self._pings = 0
        self._used = Used(0.0, 0.0)
        self._done: HandedOver | None = None
        self._over = False
        self._lost: LabError | None = None
        self._lines: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", prefix="wsgilab-")  # noqa: SIM115 - until the end
        self._dialogue = Dialogue(command, self._hear)

    @property
    def cpu_s(self) -> float:
        """As of its last word."""
        return self._used.cpu_s

    @property
    def wait_s(self) -> float:
        """As of its last word."""
        return self._used.wait_s

    @property
    def failed(self) -> bool:
        """Whether nothing will come of it, as of the last `poll`."""
        return self._lost is not None

    def poll(self) -> bool:
        """Tell whether it is over: all was handed over, or it is lost. Has the other side know that we are here."""
        if self._over or self._lost:
            return True
        now = time.monotonic()
        patience_s = SILENCE_S if self._hello else HELLO_S
        if self._dialogue.ended and not self._over:
            self._lost = self._no_result("its container ended")
        elif now - self._heard_at > patience_s:
            self._lost = self._no_result(f"nothing was heard of it for {patience_s:.0f} s")
        elif now - self._spoke_at > SPEAK_EVERY_S:
            self._spoke_at = now
            self.say(far.STILL_HERE)
        return self._over or self._lost is not None

    def say(self, kind: str, content: object = None) -> None:
        """Tell the other side something."""
        self._dialogue.say(far.line(kind, content))

    def ask_to_end(self) -> None:
        """Say nothing more to it, by which it ends, and do not wait."""
        if not self._over:
            self._lost = self._lost or self._no_result("it was stopped before its window ended")
            self._dialogue.fall_silent(STOP_S)

    def stop(self) -> None:
        """End it, if it still runs."""
        self.ask_to_end()
        self._dialogue.end(STOP_S)

    def hand_over(self) -> HandedOver:
        """What it measured, its times by the clock of this machine. Raises LabError where it handed nothing over."""
        while not self.poll():
            time.sleep(POLL_S)
        if self._lost:
            raise self._lost
        assert self._done
        ahead_s, result = self._clock.ahead_s, self._done.result
        started_at = result.started_at - ahead_s if result.started_at else 0.0
        schedule_at = self._done.schedule_at - ahead_s if self._done.schedule_at else 0.0
        return replace(self._done, schedule_at=schedule_at, result=replace(result, started_at=started_at))

    @contextmanager
    def console(self) -> Iterator[Iterable[str]]:
        """The lines that its script wrote, one after the other."""
        self._lines.seek(0)
        yield self._lines

    def __enter__(self) -> FarLoad:
        """Start it. Raises MissingError where there is no docker command."""
        self._heard_at = self._spoke_at = self.ended_at_s = time.monotonic()
        try:
            self._dialogue.start()
        except OSError as error:
            cause = "other machines are reached by the docker command of this one"
            raise MissingError(f"{self._command[0]} could not be started: {error}", cause, self._fix) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._lines.close()

    def _hear(self, said: str) -> None:
        """A line of the other side, at the moment it comes."""
        now = time.time()
        self._heard_at = time.monotonic()
        if self._done and said != OVER:
            with suppress(ValueError):  # closed, as nobody wants it any more
                self._lines.write(said + "\n")
            return
        kind, content = far.split(said)
        try:
            self._understand(kind, content, now)
        except (ValueError, KeyError, TypeError) as error:
            self._lost = self._no_result(f"it said '{said:.60}' ({error})")

    def _understand(self, kind: str, content: str, now: float) -> None:
        if kind == far.HELLO:
            self._hello = msgspec.json.decode(content, type=Hello)
            self._ping()
        elif kind == far.PONG:
            sent, answered = msgspec.json.decode(content, type=tuple[float, float])
            self._clock = better(self._clock, sent, answered, now)
            self._ping()
        elif kind in (far.ARRIVED, far.USED):
            self._used = msgspec.json.decode(content, type=Used)
            if kind == far.ARRIVED:
                self._arrived(self.order.number)
        elif kind == far.DONE:
            self._done = msgspec.json.decode(content, type=HandedOver)
            self._used = Used(self._done.result.k6_cpu_s, self._done.result.k6_wait_s)
            self.ended_at_s = time.monotonic()
        elif kind == far.FAILED:
            self._lost = msgspec.json.decode(content, type=Failed).error(self._fix)
        elif kind == far.OVER:
            self._over = self._done is not None
        else:
            raise ValueError(kind)

    def _ping(self) -> None:
        """Ask once more what time it is there; then say what is to be done."""
        self._pings += 1
        if self._pings <= PINGS:
            self.say(far.PING, time.time())
        else:
            self.say(far.ORDER, self.order)

    def _no_result(self, problem: str) -> LabError:
        said = self._dialogue.last_words
        cause = f"it said: {said}" if said else "its machine, the Docker engine there, or the link to it"
        return LabError(f"{self.name} gave no result: {problem}", cause, self._fix)


OVER = far.line(far.OVER)


class FarStart(Arrivals):
    """Where generators of several machines wait for each other: for the runner's word, which goes to all at once."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.loads: list[FarLoad] = []

    def arrived(self, number: int) -> None:
        """One more is there. With the last one all are told to start."""
        with self._changed:
            self._there.add(number)
            if len(self._there) < self._count:
                return
        for one in self.loads:
            one.say(far.GO)

    def close(self) -> None:
        """Nothing listens."""
