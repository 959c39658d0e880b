"""When answers come: streams that are held back, uploads answered unread, requests that do not overlap."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from itertools import combinations

from wsgilab.analysis.checkup.sides import by_question
from wsgilab.model.checkup import Answer, Answers, Checkup
from wsgilab.model.finding import ODD, Finding
from wsgilab.model.words import listed, number, seconds

LEAST_STREAM_S = 0.2
"""From the first byte of an answer to the last: a shorter time may be the network's."""
LEAST_SHARE = 0.3
HELD_SHARE = 0.25
"""What is left of a stream's time where it is held back, at most."""
TOLERANCE_S = 0.005
COMPUTING = 0.5
"""The share of its time that a request computes, asked alone; on a busy machine the rest is waiting for the CPU."""
UNBUFFER = (
    "the header X-Accel-Buffering: no on this answer, or uwsgi_buffering off (proxy_buffering off) for it in nginx"
)


def streams(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Answers that come piece by piece under one server and all at once under another."""
    for question, asked in by_question(checkups):
        flowing = {checkup.server: answers for checkup, answers in asked if _flows(answers)}
        if not flowing:
            continue
        server, example = next(iter(flowing.items()))
        held = [(checkup, answers) for checkup, answers in asked if _is_held(answers, example)]
        if held:
            first, last = _first_s(example), _total_s(example)
            here = _first_s(held[0][1])
            yield Finding(
                "Stream",
                ODD,
                f"{question.name}: the first byte of the answer comes after {number(here)} s, and under {server} after "
                f"{number(first)} s of {number(last)} s",
                UNBUFFER if any(checkup.via for checkup, _ in held) else "this server's own setting for buffers",
                tuple(checkup.server for checkup, _ in held),
                "whoever waits for the beginning (server-sent events, progress, a large download) waits for the end",
            )


def uploads(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Requests that are answered although half of what they carry has not been sent yet."""
    for question, asked in by_question(checkups):
        early = [checkup for checkup, answers in asked if any(answer.early for answer in answers.plain)]
        if not early:
            continue
        waiting = [checkup.server for checkup, _ in asked if checkup not in early]
        elsewhere = f"; {listed(waiting)} waited for all of it" if waiting else ""
        yield Finding(
            "Upload",
            ODD,
            f"{question.name}: answered before it is read{elsewhere}",
            "read it before you answer (request.get_data(), request.files), or put a server behind nginx, which "
            "reads it first",
            tuple(checkup.server for checkup in early),
            "a client that still sends may get a closed connection instead of the answer",
        )


def overlaps(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Slow requests that one worker takes one after the other, though its server would call the app for both."""
    for question, asked in by_question(checkups):
        tried = [(checkup, answers) for checkup, answers in asked if answers.together]
        serial = [(checkup, answers) for checkup, answers in tried if _takes_turns(answers.together)]
        if not serial:
            continue
        greenlets = [checkup.server for checkup, _ in serial if "gevent" in checkup.command]
        alone = [statement for _, answers in serial for answer in answers.plain if (statement := answer.statement)]
        took_s = min(statement.answered_at - statement.began_at for statement in alone)
        computes = statistics.median(statement.cpu_s for statement in alone) > COMPUTING * took_s
        why, fix = _why(bool(greenlets) and len(greenlets) == len(serial), computes)
        yield Finding(
            "Concurrency",
            ODD,
            f"{question.name}: two at the same time did not overlap in a worker ({seconds(took_s)} s each, one "
            f"after the other): {why}",
            fix,
            tuple(checkup.server for checkup, _ in serial),
            "each worker serves one such request at a time, however many slots are declared",
        )


def _why(only_greenlets: bool, computes: bool) -> tuple[str, str]:
    """(the cause, the cure)."""
    if computes and only_greenlets:
        return (
            "they compute, and the greenlets of a worker share one thread",
            "more worker processes; greenlets only help with waiting",
        )
    if computes:
        return (
            "they compute, one at a time: under a lock, or in C code that keeps the interpreter lock (GIL)",
            "more worker processes, or less work under that lock",
        )
    if only_greenlets:
        return (
            "they block in a way that gevent does not know",
            "a driver in pure Python (PyMySQL), or one made for gevent (psycogreen for psycopg2); no import of the app "
            "before the patch (--preload); or threads: gunicorn -k gthread",
        )
    return "they wait for each other", "a lock, or a connection that is shared: one for each thread, or a pool"


def _flows(answers: Answers) -> bool:
    """Whether every answer came over some time."""
    return all(
        answer.status is not None
        and answer.last_at - answer.first_at >= LEAST_STREAM_S
        and answer.last_at - answer.first_at >= LEAST_SHARE * (answer.last_at - answer.sent_at)
        for answer in answers.plain[:2]
    )


def _is_held(answers: Answers, flowing: Answers) -> bool:
    """Whether every answer came all at once, and not because it took no time."""
    usual_s = min(answer.last_at - answer.first_at for answer in flowing.plain[:2])
    return all(
        answer.status is not None
        and answer.last_at - answer.first_at <= HELD_SHARE * usual_s
        and answer.first_at - answer.sent_at >= usual_s
        for answer in answers.plain[:2]
    )


def _first_s(answers: Answers) -> float:
    return min(answer.first_at - answer.sent_at for answer in answers.plain[:2])


def _total_s(answers: Answers) -> float:
    return min(answer.last_at - answer.sent_at for answer in answers.plain[:2])


def _takes_turns(together: Sequence[Answer]) -> bool:
    """Whether requests met in a worker and none overlapped another there.

    They met where the second was sent while the first was inside the app.
    """
    met = overlapped = False
    seen = [(answer.sent_at, statement) for answer in together if (statement := answer.statement)]
    for (_, one), (sent_at, other) in combinations(sorted(seen, key=lambda pair: pair[1].began_at), 2):
        if one.worker != other.worker:
            continue
        overlapped = overlapped or other.began_at < one.answered_at - TOLERANCE_S
        met = met or sent_at < one.answered_at - TOLERANCE_S
    return met and not overlapped
