"""An exercise as Markdown, with as much of it open as somebody has opened. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wsgilab.model.words import listed
from wsgilab.workshop.catalogue import EXPLAIN, INDENT, OBSERVE, RUN, TAKE_HOME, Exercise
from wsgilab.workshop.progress import Step

EXPECT = "What to expect"
LINK = re.compile(r"\[([^\]]+)\]\(\.\./\.\./([^)#]+)[^)]*\)")
"""To a file of the lab: a terminal would show its words alone."""


@dataclass(frozen=True)
class Addresses:
    """Where the dashboards are, without a path."""

    view: str
    grafana: str


@dataclass(frozen=True)
class Part:
    """A section as somebody finds it."""

    heading: str
    text: str
    is_open: bool


def parts(shown: Exercise, step: Step) -> tuple[Part, ...]:
    """Every section in the order in which they are read: who knows what comes out can no longer predict it."""
    expected = (EXPECT, f"{shown.front.expect.direction} {shown.front.expect.range}")
    found: list[tuple[str, str]] = []
    for section in shown.sections:
        found += [expected] if section.heading == EXPLAIN else []
        found += [(section.heading, section.text)]
    return tuple(Part(heading, text, _is_open(heading, step)) for heading, text in found)


def exercise(shown: Exercise, step: Step, at: Addresses) -> str:
    """All of it that is open, and what opens the rest."""
    front = shown.front
    needs = f" · needs {', '.join(front.needs)}" if front.needs else ""
    watch = f"Watch it: {at.view}{front.dashboard} (`./lab view`), or {at.grafana}{front.dashboard} (Grafana)"
    found = parts(shown, step)
    told = [
        f"# {shown.title}",
        f"**{front.question}**",
        f"{front.minutes} minutes{needs} · {step.state} · this folder: `workshop/{shown.name}`",
        "You will be able to",
        "\n".join(f"- {objective}" for objective in front.objectives),
        *([_code("First:", front.setup)] if front.setup else []),
        *_open_ones(found, watch),
        *(f"## Hint {number}\n\n{hint}" for number, hint in enumerate(shown.hints[: step.hints], 1)),
        *_what_opens_the_rest(shown, [part.heading for part in found if not part.is_open]),
    ]
    return "\n\n".join(told)


def opened(shown: Exercise, before: Step, after: Step) -> str:
    """What was closed before, and is open now; nothing where nothing is."""
    pairs = zip(parts(shown, before), parts(shown, after), strict=True)
    return "\n\n".join(_section(new) for old, new in pairs if new.is_open and not old.is_open)


def solution(shown: Exercise) -> str:
    """The solution's text, with its commands."""
    return f"# {shown.title}: the solution\n\n{shown.solution}"


def _is_open(heading: str, step: Step) -> bool:
    if heading in (EXPECT, EXPLAIN, TAKE_HOME):
        return step.passed_at is not None
    return heading != OBSERVE or step.checked_at is not None or step.passed_at is not None


def _open_ones(found: Sequence[Part], watch: str) -> Iterator[str]:
    for part in found:
        if part.is_open:
            yield _section(part)
        if part.heading == RUN:
            yield watch


def _what_opens_the_rest(shown: Exercise, closed: Sequence[str]) -> Iterator[str]:
    if closed:
        first = f"opens *{OBSERVE}* and, " if OBSERVE in closed else "opens, "
        rest = listed([f"*{heading}*" for heading in closed if heading != OBSERVE])
        yield (
            f"When you have measured: `./lab exercise {shown.number} --check` {first}once the evidence is there, "
            f"{rest}. Who cannot measure finds everything in `workshop/{shown.name}/README.md`."
        )


def _section(part: Part) -> str:
    return f"## {part.heading}\n\n{LINK.sub(_with_its_file, part.text)}"


def _with_its_file(link: re.Match[str]) -> str:
    return f"{link[1]} (`{link[2]}`)"


def _code(about: str, commands: Sequence[str]) -> str:
    return "\n".join([about, "", *(f"{INDENT}{command}" for command in commands)])
