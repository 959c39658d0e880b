"""What workers are made of: what they keep in memory, their threads, how long they take to start, their memory."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from itertools import combinations

from wsgilab.analysis.checkup import texts
from wsgilab.analysis.checkup.answers import body_of
from wsgilab.analysis.checkup.sides import by_question
from wsgilab.model.checkup import Answers, Checkup
from wsgilab.model.finding import MISSING, ODD, OK, Finding
from wsgilab.model.words import number, seconds

SLOW_START_S = 5.0
"""From here on a start is worth a word; `measure` then looks a second time, alone."""
NEARLY_FULL = 0.8


def states(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Answers that depend on which worker gives them."""
    for question, asked in by_question(checkups):
        found = [(checkup.server, said) for checkup, answers in asked if (said := _two_minds(checkup, answers))]
        if found:
            yield Finding(
                "State in memory",
                ODD,
                f"{question.name}: {found[0][1]}",
                "keep it in a database or a cache (Redis) that all workers share; or serve by one process with threads",
                tuple(server for server, _ in found),
                "what a user sees depends on chance, and is gone when a worker is replaced",
            )


def threads(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Threads that the app starts as it is imported, which a fork does not copy."""
    lost, fragile, names = [], [], dict[str, None]()
    for checkup in checkups:
        seen = checkup.statements
        missing = {
            name
            for statement in seen
            for name in statement.imported.threads
            if statement.worker != statement.imported.process and name not in statement.threads
        }
        unsafe = {
            name
            for statement in seen
            for name in statement.threads
            if statement.imported.threads_after_fork is not None
            and name in statement.imported.threads
            and name not in statement.imported.threads_after_fork
        }
        names |= dict.fromkeys(sorted(missing | unsafe))
        if missing:
            lost.append(checkup.server)
        elif unsafe:
            fragile.append(checkup.server)
    which = ", ".join(f"'{name}'" for name in names)
    start = "start it in each worker: gunicorn's post_fork, uWSGI's @postfork, or the first request"
    if lost:
        said = f"the app starts {which} as it is imported, and no worker has it: a fork copies one thread only"
        yield Finding("Threads", MISSING, said, start, tuple(lost), "what that thread does is never done")
    if fragile:
        yield Finding(
            "Threads",
            ODD,
            f"the app starts {which} as it is imported: once in each worker process here, and in none where the app is "
            "imported before the fork (tried: the thread is not in a fork)",
            start,
            tuple(fragile),
            "it is lost with gunicorn --preload or uWSGI without lazy-apps, and uWSGI without enable-threads never "
            "runs it; with several workers, what it does is done several times",
        )


def starts(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """Servers under which the app does not start, or takes long."""
    failed: dict[tuple[str, str, str], list[str]] = {}
    for checkup in checkups:
        if checkup.trouble:
            failed.setdefault(checkup.trouble, []).append(checkup.server)
    for (what, cause, fix), servers in failed.items():
        yield Finding("Start", MISSING, what, fix, tuple(servers), f"likely cause: {cause}")
    started = [(checkup.server, _start_s(checkup)) for checkup in checkups if not checkup.trouble]
    slow = [(server, took_s) for server, took_s in started if took_s > SLOW_START_S]
    if slow:
        said = ", ".join(f"{server} {seconds(took_s)} s" for server, took_s in slow)
        yield Finding(
            "Start-up",
            ODD,
            f"servers take long to answer for the first time: {said}",
            "import and connect later, at the first request that needs it; gunicorn --preload imports it once",
            tuple(server for server, _ in slow),
            "each deployment and each replaced worker takes so long; gunicorn kills one that takes 30 s (--timeout)",
        )


def memory(checkups: Sequence[Checkup]) -> Iterator[Finding]:
    """How much each worker takes, and whether all fit into a server's limit."""
    known = [(checkup, worker_mb) for checkup in checkups if (worker_mb := _worker_mb(checkup)) is not None]
    if not known:
        return
    said = ", ".join(f"{checkup.server} {number(worker_mb)} MB" for checkup, worker_mb in known)
    yield Finding("Memory", OK, f"of one worker, after a few requests: {said}")
    for checkup, _ in known:
        if checkup.memory_mb and checkup.memory_limit_mb and checkup.memory_mb > NEARLY_FULL * checkup.memory_limit_mb:
            limit = number(checkup.memory_limit_mb)
            yield Finding(
                "Memory",
                ODD,
                f"{number(checkup.memory_mb)} MB in all after a few requests, and a container gets {limit} MB",
                "SERVER_MEMORY=1g ./lab run",
                (checkup.server,),
                "under load the kernel may kill workers; fewer workers need less",
            )


def _two_minds(checkup: Checkup, answers: Answers) -> str | None:
    """How two workers contradict each other: each repeats another answer, or counts as if there was no other worker.

    None where none do.
    """
    by_worker: dict[int, list[str]] = {}
    settled = answers.plain[answers.unsettled :]
    heard = [(statement, answer) for answer in settled if (statement := answer.statement) and answer.status]
    for statement, answer in sorted(heard, key=lambda pair: pair[0].began_at):
        by_worker.setdefault(statement.worker, []).append(body_of(checkup, answer))
    steady = [bodies for bodies in by_worker.values() if len(bodies) >= 2]
    for one, other in combinations(steady, 2):
        if len(set(one)) == len(set(other)) == 1 and one[0] != other[0]:
            here, there = _quoted(one[0], other[0])
            return f"each worker process has an answer of its own: {here} in one, {there} in another"
        if one[0] != one[1] and one[:2] == other[:2]:
            first, second = _quoted(one[0], one[1])
            return f"each worker process keeps its own count: {first}, then {second} in one, and again in another"
    return None


def _quoted(one: str, other: str) -> tuple[str, str]:
    here, there = texts.first_difference(texts.template([one]), texts.template([other]))
    return f"'{here}'", f"'{there}'"


def _start_s(checkup: Checkup) -> float:
    """Until the server answered, where that is known; else what importing the app took in its quickest worker."""
    imports = [statement.imported.took_s for statement in checkup.statements]
    return checkup.start_s or min(imports, default=0.0)


def _worker_mb(checkup: Checkup) -> float | None:
    sizes = [statement.memory_mb for statement in checkup.statements if statement.memory_mb is not None]
    return statistics.median(sizes) if sizes else None
