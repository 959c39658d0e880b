"""What an app does differently under different servers, and what would go wrong under load. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from wsgilab.analysis.checkup import answers, flow, proxies, workers
from wsgilab.model.checkup import Checkup
from wsgilab.model.finding import OK, Finding
from wsgilab.model.words import listed

MOST_NAMES = 3
LOOKED_AT: tuple[Callable[[Sequence[Checkup]], Iterable[Finding]], ...] = (
    workers.starts,
    answers.statuses,
    answers.bodies,
    answers.headers,
    proxies.addresses,
    proxies.schemes,
    flow.uploads,
    flow.streams,
    flow.overlaps,
    workers.states,
    workers.threads,
    workers.memory,
)


def findings(checkups: Sequence[Checkup]) -> tuple[Finding, ...]:
    """All that there is to say; first what was asked."""
    names = [answers.question.name for checkup in checkups for answers in checkup.answers]
    return (*_asked(checkups), *(finding for look in LOOKED_AT for finding in _merged(list(look(checkups)), names)))


def _merged(found: Sequence[Finding], names: Sequence[str]) -> Iterable[Finding]:
    """One finding in place of several that say the same of several requests."""
    requests: dict[Finding, list[str]] = {}
    for finding in found:
        name, _, rest = finding.said.partition(": ")
        is_of_one = name in names
        requests.setdefault(replace(finding, said=rest) if is_of_one else finding, []).extend(
            [name] if is_of_one else []
        )
    for finding, about_them in requests.items():
        yield replace(finding, said=f"{_few(about_them)}: {finding.said}") if about_them else finding


def _few(names: Sequence[str]) -> str:
    """`home, cart, search and 4 more`."""
    more = len(names) - MOST_NAMES
    return f"{', '.join(names[:MOST_NAMES])} and {more} more" if more > 0 else listed(names)


def _asked(checkups: Sequence[Checkup]) -> Iterable[Finding]:
    asked = [checkup for checkup in checkups if checkup.answers]
    if asked:
        questions = asked[0].answers
        count = f"{len(questions)} kinds of request" if len(questions) > 1 else "1 kind of request"
        of = "the app's GET routes" if questions[0].question.drafted else "lab.toml"
        servers = listed([checkup.server for checkup in asked])
        yield Finding("Asked", OK, f"{count} ({of}) under {servers}, without load")
