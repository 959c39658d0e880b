"""One load by several k6 that share its schedule: started together, held to account, handed over as one."""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Protocol

from wsgilab.analysis.merging import Part, RequestLine, Times, merged, request_lines
from wsgilab.errors import LabError, MissingError, to_paste
from wsgilab.measure.k6_command import Traffic
from wsgilab.measure.load import SETUP_S
from wsgilab.measure.summary import HandedOver, refusal
from wsgilab.model.window import GeneratorShare, LoadResult, WindowPlan

PATIENCE_S = 30.0
"""How long generators may take to come to the start, besides logging users in."""
POLL_S = 0.02
CUT_OFF = 1
"""Good answers that may have a line and not be counted: the end of the grace can come between the two."""
HEADINGS = ("generator", *RequestLine.__dataclass_fields__)
Keep = Callable[[int, RequestLine], None]
"""Takes each request, with the number of the generator that sent it."""


class Hand(Protocol):
    """One of the k6, here or on another machine. Methods as those of LoadRun."""

    name: str
    host: str

    @property
    def cpu_s(self) -> float:
        """CPU time that it has used."""

    @property
    def wait_s(self) -> float:
        """How long it has waited for a CPU."""

    @property
    def ended_at_s(self) -> float:
        """When it ended, by the monotonic clock."""

    @property
    def failed(self) -> bool:
        """Whether nothing will come of it."""

    def poll(self) -> bool:
        """Whether it is over."""

    def ask_to_end(self) -> None:
        """Have it end, and do not wait."""

    def stop(self) -> None:
        """End it."""

    def hand_over(self) -> HandedOver:
        """What it measured. Raises LabError."""

    def console(self) -> AbstractContextManager[Iterable[str]]:
        """The lines of its script."""


class Start(Protocol):
    """Where they wait for each other. Methods as those of StartLine."""

    @property
    def started(self) -> bool:
        """Whether all were there and have been told to start."""

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of those that have not come yet."""

    def close(self) -> None:
        """Keep nobody waiting any more."""


@dataclass(frozen=True)
class Terms:
    """What holds for the load of a window, whoever drives it."""

    patience_s: float
    """How long the generators may take to come to the start."""
    kept_in: Path | None
    """The file for its requests; None where nobody wants them."""
    cpus: Mapping[str, int] = field(default_factory=dict)
    """How many CPUs the generators of each host have."""


def terms(plan: WindowPlan, traffic: Traffic, folder: Path | None, cpus: Mapping[str, int]) -> Terms:
    """Those of one window; `folder` is for the requests of all windows."""
    patience_s = PATIENCE_S + (SETUP_S if traffic.described or traffic.script else 0.0)
    file = folder / f"{plan.order:05}-{plan.server}-{plan.rate_rps:g}rps.csv.gz" if folder else None
    return Terms(patience_s, file, cpus)


class SharedLoad:
    """The load of a window, by several k6: under way, or over. Leaving its block stops them all."""

    def __init__(self, hands: Sequence[Hand], start: Start, terms: Terms, entered: ExitStack) -> None:
        """`entered`: what ends with it."""
        self.hands = hands
        """The k6, by the numbers of the generators."""
        self._start = start
        self._terms = terms
        self._called_off_at_s = time.monotonic() + terms.patience_s
        self._entered = entered
        self._began: Sequence[_Meter] = ()
        self._lost: LabError | None = None

    @property
    def started(self) -> bool:
        """Whether all have been told to start."""
        return self._start.started

    @property
    def cpu_s(self) -> float:
        """CPU time that all of them have used, as of the last `poll`."""
        return sum(hand.cpu_s for hand in self.hands)

    @property
    def wait_s(self) -> float:
        """How long all of them have waited for a CPU while ready to run, as of the last `poll`."""
        return sum(hand.wait_s for hand in self.hands)

    def poll(self) -> bool:
        """Tell whether all have ended. Where one is lost, the others are stopped: their requests are no schedule."""
        if self._lost:
            return True
        ended = [hand.poll() for hand in self.hands]
        if self._start.started and not self._began:
            self._began = [_Meter(hand.cpu_s, hand.wait_s, time.monotonic()) for hand in self.hands]
            self._start.close()  # nothing of it is left while servers are measured
        self._lost = self._loss()
        if self._lost:
            self._stop()
        return all(ended) or self._lost is not None

    def result(self) -> LoadResult:
        """Wait for all of them to end, and give what they measured as one.

        Raises LabError with the name of a generator that failed, was killed, did not come to the start, or did not hand
        over every request.
        """
        seen, shares = self._handed_over()
        parts = [Part(share, one.result, one.scheduled_in_all) for share, one in zip(shares, seen, strict=True)]
        together = merged(parts, self._times(seen))
        with ExitStack() as consoles:
            lines = chain.from_iterable([consoles.enter_context(hand.console()) for hand in self.hands])
            return replace(together, **refusal(lines, together.surprises))

    def results(self) -> list[LoadResult]:
        """The same of each by itself, where each had a server of its own; `generators` are all of them in each."""
        seen, shares = self._handed_over()
        found = []
        for hand, one, share in zip(self.hands, seen, shares, strict=True):
            with hand.console() as lines:
                said = refusal(lines, one.result.surprises)
            found.append(replace(one.result, wall_s=share.wall_s, generators=tuple(shares), **said))
        return found

    def _handed_over(self) -> tuple[list[HandedOver], list[GeneratorShare]]:
        while not self.poll():
            time.sleep(POLL_S)
        if self._lost:
            raise self._lost
        seen = [hand.hand_over() for hand in self.hands]
        them = zip(self.hands, seen, self._began, strict=True)
        return seen, [self._share(hand, one, began) for hand, one, began in them]

    def __enter__(self) -> SharedLoad:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._entered.__exit__(kind, error, trace)

    def _stop(self) -> None:
        """End all of them, at the same time."""
        for hand in self.hands:
            hand.ask_to_end()
        for hand in self.hands:
            hand.stop()

    def _loss(self) -> LabError | None:
        """The generator without which nothing can be said, as an error; None while none is lost."""
        for hand in self.hands:
            if hand.failed:
                return self._why(hand)
        if not self._start.started and time.monotonic() > self._called_off_at_s:
            names = ", ".join(self.hands[number - 1].name for number in self._start.missing)
            cause = "too little CPU or memory for so many; fewer of them may do"
            return LabError(f"{names} did not come to the start in time", cause, "./lab doctor")
        return None

    def _why(self, hand: Hand) -> LabError:
        try:
            hand.hand_over()
        except LabError as error:
            since_s = time.monotonic() - self._began[0].at_s if self._began else None
            when = "before the start" if since_s is None else f"{since_s:.1f} s after the start"
            return LabError(f"{error.what}, {when}", error.cause, error.next_command)
        raise AssertionError(f"{hand.name} had failed and handed something over")

    def _share(self, hand: Hand, seen: HandedOver, began: _Meter) -> GeneratorShare:
        """What a generator did since the start. Before that, as many as there are had their virtual users to make."""
        result = seen.result
        # Where the system does not tell what a process has used so far, all that it used is held against its whole run.
        used_s, at_s = (began.cpu_s, began.at_s) if began.cpu_s else (0.0, hand.ended_at_s - result.wall_s)
        return GeneratorShare(
            name=hand.name,
            host=hand.host,
            cpus=self._terms.cpus.get(hand.host, 1),
            scheduled=seen.scheduled,
            sent=result.sent,
            dropped=seen.dropped,
            schedule_at=seen.schedule_at,
            wall_s=hand.ended_at_s - at_s,
            k6_cpu_s=result.k6_cpu_s - used_s,
            k6_wait_s=result.k6_wait_s - began.wait_s,
            lag_ms=result.lag_ms,
        )

    def _times(self, seen: Sequence[HandedOver]) -> Times:
        """Every good answer of all generators. Raises LabError where a line of some request is missing."""
        times = Times()
        with _keeping(self._terms.kept_in) as keep:
            for number, (hand, one) in enumerate(zip(self.hands, seen, strict=True), 1):
                before = len(times.all)
                with hand.console() as console:
                    for line in request_lines(console):
                        keep(number, line)
                        if line.outcome == "ok":
                            times.add(line.took_ms, line.request)
                told = len(times.all) - before
                if abs(told - one.result.ok) > CUT_OFF:
                    what = f"{hand.name} told of {told} good answers one by one, and counted {one.result.ok}"
                    raise LabError(what, "the disk is full, or it was stopped as it wrote", "df -h /tmp")
        return times


@dataclass(frozen=True)
class _Meter:
    """What a k6 had used by a moment."""

    cpu_s: float
    wait_s: float
    at_s: float
    """By the monotonic clock."""


@contextmanager
def _keeping(file: Path | None) -> Iterator[Keep]:
    """What takes requests into a file, compressed as they come; what forgets them, without one."""
    if file is None:
        yield lambda _number, _line: None
        return
    try:
        file.parent.mkdir(exist_ok=True)
        with gzip.open(file, "xt", encoding="utf-8", newline="") as text:
            rows = csv.writer(text)
            rows.writerow(HEADINGS)
            yield lambda number, line: rows.writerow((number, *_values(line)))
    except OSError as error:
        cause = "a full disk, or a folder that is not yours; without --save-requests nothing is written there"
        what = f"Cannot write requests to {file}: {error.strerror}."
        raise MissingError(what, cause, to_paste("df", "-h", file.parent)) from error


def _values(line: RequestLine) -> tuple[object, ...]:
    return (line.tick, line.sent_at_ms, line.status, line.took_ms, line.outcome, line.request)
