"""An exercise as Markdown, with as much of it open as somebody has opened. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wsgilab.workshop.catalogue import INDENT, Exercise
from wsgilab.workshop.progress import Step


@dataclass(frozen=True)
class Addresses:
    """Where the dashboards are, without a path."""

    view: str
    grafana: str


def exercise(shown: Exercise, step: Step, at: Addresses) -> str:
    """All of it, but hints that are closed and the solution."""
    front = shown.front
    needs = f" · needs {', '.join(front.needs)}" if front.needs else ""
    parts = [
        f"# {shown.title}",
        f"**{front.question}**",
        f"{front.minutes} minutes{needs} · {step.state} · this folder: `workshop/{shown.name}`",
        "You will be able to",
        "\n".join(f"- {objective}" for objective in front.objectives),
        *([_code("First:", front.setup)] if front.setup else []),
        *_sections(shown),
        f"## What to expect\n\n{front.expect.direction} {front.expect.range}",
        f"Watch it: {at.view}{front.dashboard} (`./lab view`), or {at.grafana}{front.dashboard} (Grafana)",
    ]
    parts += [f"## Hint {number}\n\n{hint}" for number, hint in enumerate(shown.hints[: step.hints], 1)]
    return "\n\n".join(parts)


def solution(shown: Exercise) -> str:
    """The solution's text, with its commands."""
    return f"# {shown.title}: the solution\n\n{shown.solution}"


def _sections(shown: Exercise) -> Iterator[str]:
    for section in shown.sections:
        yield f"## {section.heading}\n\n{section.text}"


def _code(about: str, commands: Sequence[str]) -> str:
    return "\n".join([about, "", *(f"{INDENT}{command}" for command in commands)])
