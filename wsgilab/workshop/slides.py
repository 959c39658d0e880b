"""Slides for a projector, made from the exercises' own texts: one HTML file without a script that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from wsgilab.workshop.catalogue import Exercise

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Slide:
    """One screen of an exercise."""

    exercise: Exercise
    heading: str
    body: Markup
    note: str = ""
    """A line below."""


def render(exercises: Sequence[Exercise]) -> str:
    """The slides of these exercises, as HTML; the same bytes for the same texts."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    slides = [slide for exercise in exercises for slide in slides_of(exercise)]
    return environment.get_template("slides.html.j2").render(exercises=exercises, slides=slides)


def slides_of(exercise: Exercise) -> list[Slide]:
    """The question first, then a slide for each section; hints and the solution stay closed."""
    front = exercise.front
    needs = f"needs {', '.join(front.needs)}" if front.needs else ""
    objectives = "\n".join(f"- {objective}" for objective in front.objectives)
    first = Slide(exercise, front.question, _html(objectives), needs)
    sections = [Slide(exercise, section.heading, _html(section.text)) for section in exercise.sections]
    return [first, *sections]


def _html(text: str) -> Markup:
    """Markdown as HTML. Tags in it are shown, not obeyed."""
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
