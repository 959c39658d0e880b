"""A gate as annotations of GitHub Actions: lines of a log that the page of a run and of a pull request shows.

A line ends where the text ends, and a text may hold anything: so line ends and per cent signs are encoded as the runner
decodes them (https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts).
"""

from __future__ import annotations

from collections.abc import Iterator

from wsgilab.model.gate import FAILURES, Gate
from wsgilab.model.outcomes import Outcome

TITLE = "WSGI Lab"
OF_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
OF_PROPERTIES = OF_DATA | {":": "%3A", ",": "%2C"}


def render(gate: Gate) -> str:
    """One line for each check that did not pass, or one that says that all did."""
    return "".join(f"{line}\n" for line in _lines(gate))


def _lines(gate: Gate) -> Iterator[str]:
    for level, outcomes in (("error", FAILURES), ("warning", (Outcome.NOISY,))):
        for check in gate.of(*outcomes):
            yield _command(level, f"{TITLE}: {check.place}", f"{check.outcome}: {check.sentence}")
    if gate.outcome is Outcome.PASSED:
        yield _command("notice", TITLE, gate.summary)


def _command(level: str, title: str, message: str) -> str:
    return f"::{level} title={_encoded(title, OF_PROPERTIES)}::{_encoded(message, OF_DATA)}"


def _encoded(text: str, code: dict[str, str]) -> str:
    return "".join(code.get(character, character) for character in text)
