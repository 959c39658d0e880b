"""The home page and its live part, from what is known to HTML. Pure, but for reading the templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from wsgilab.model import words
from wsgilab.model.manifest import ServerEntry
from wsgilab.model.outcomes import Rating
from wsgilab.model.server import Server
from wsgilab.reports.colours import looks
from wsgilab.reports.html import lesson_table
from wsgilab.reports.svg import swatch
from wsgilab.view.addresses import Place
from wsgilab.view.live import Flow, Now
from wsgilab.view.picture import picture
from wsgilab.view.runs import Found, Past
from wsgilab.workshop.catalogue import Exercise
from wsgilab.workshop.progress import Step

TEMPLATES = Path(__file__).parent / "templates"
PAGES = (
    ("/", "Home"),
    ("/lesson", "Lesson"),
    ("/exercises", "Exercises"),
    ("/quiz", "Quiz"),
    ("/d/side-by-side", "Dashboards"),
    ("/docs", "Docs"),
)
"""(address, name) of what the navigation leads to."""

Done = tuple[Exercise, Step]


def render(name: str, here: str, **values: object) -> str:
    """A page from its template. `here`: the address that the navigation marks."""
    return environment().get_template(name).render(places=PAGES, here=here, **values)


def home(place: Place, now: Now, last: Found | None, past: Sequence[Past], steps: Sequence[Done]) -> str:
    """The home page. `steps`: each exercise, and how far the reader is with it."""
    return render(
        "home.html.j2",
        "/",
        title="Home",
        patterns=sum(server.default for server in place.lab.servers.values()),
        now=right_now(place, now),
        last=last,
        decided=last is not None and any(row.rating == Rating.GOOD for row in last.verdict.servers),
        table=lesson_table(last.verdict, last.manifest) if last else "",
        past=past,
        under_way=now.progress.name if now.progress else "",
        links=list(place.links()),
        exercises=steps,
        passed=sum(step.passed_at is not None for _, step in steps),
        measure=place.measure,
    )


def right_now(place: Place, now: Now) -> Markup:
    """The part of the page that lives: what each server is doing."""
    drawn = looks([flow.server for flow in now.flows], entries(place.lab.servers))
    rows = []
    for flow in now.flows:
        server = place.lab.servers.get(flow.server)
        rows.append(
            {
                "name": flow.server,
                "pattern": server.pattern if server else "a variant",
                "url": place.of(server) if server else "",
                "load": flow.load,
                "state": "at-work" if flow.at_work else "resting",
                "swatch": swatch(drawn[flow.server]),
                "picture": picture(flow, drawn[flow.server].colour, server.via if server else None),
                "said": said(flow),
            }
        )
    page = environment().get_template("now.html.j2")
    return Markup(page.render(rows=rows, progress=now.progress, status=status(now), remark=remark(now)))


def status(now: Now) -> str:
    """What is going on, in a sentence."""
    run, busy = now.progress, [flow.server for flow in now.flows if flow.at_work]
    if run and run.server and run.rate_rps is not None and run.round:
        load = words.rps(run.rate_rps) if run.rate_rps else "no load but a browser's clicks"
        return f"A run is under way: {run.server} gets {load}, round {run.round}."
    if run:
        return f"A run is under way{f': {words.listed(busy)} under load' if busy else ''}."
    if busy:
        return f"{words.listed(busy)} {'is' if len(busy) == 1 else 'are'} under load."
    return "Nothing is being measured."


def remark(now: Now) -> str:
    """Why the picture shows less than it could; empty where it shows all."""
    if now.missing:
        return f"Queues and slots are not known. {words.sentence(now.missing)} This page goes on asking."
    if now.progress and all(flow.busy is None for flow in now.flows):
        return "Nobody records this run, so queues and slots are not known: ./lab run --prometheus does."
    return ""


def said(flow: Flow) -> str:
    """One server's state in words: all that its picture shows."""
    slots = "no limit to requests at once" if flow.slots is None else words.counted(flow.slots, "slot")
    if not flow.at_work:
        return slots
    parts = []
    if flow.arriving_rps is not None:
        parts.append(f"{flow.arriving_rps:.0f} rps arrive")
    if flow.waiting is not None:
        parts.append(f"{flow.waiting:.0f} in the queue")
    if flow.busy is None:
        parts.append(slots)
    else:
        parts.append(f"{flow.busy:.0f} in the app" if flow.slots is None else f"{flow.busy:.0f} of {slots} busy")
    if flow.answered_rps is not None:
        parts.append(f"{flow.answered_rps:.0f} rps answered")
    if flow.failing_rps is not None and flow.failing_rps >= 0.05:
        parts.append(f"{flow.failing_rps:.0f} rps fail")
    if flow.p99_s is not None:
        parts.append(f"p99 {words.round_duration(float(f'{flow.p99_s * 1000:.2g}'))}")
    return " · ".join(parts)


def entries(servers: Mapping[str, Server]) -> list[ServerEntry]:
    """The servers of compose.yaml, with their colours and markers."""
    return [ServerEntry(server.name, colour=server.colour, marker=server.marker) for server in servers.values()]


@cache
def environment() -> Environment:
    """The templates of all pages."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"words": words, "minute": minute, "took": took, "when": when}
    return made


def minute(moment: datetime) -> str:
    """`2026-11-26 02:13 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment.utcoffset() is not None else ""


def when(found: Found) -> str:
    """When a run began, as its manifest says it."""
    text = str(found.manifest.started_at or "")
    return f"{text[:16].replace('T', ' ')} UTC" if text.endswith("+00:00") else text


def took(run: Past) -> str:
    """How long a run took; it may have been killed, and never told."""
    if run.finished_at is None:
        return "did not end"
    seconds = max(0.0, (run.finished_at - run.started_at).total_seconds())
    return f"{seconds / 60:.0f} min" if seconds >= 100 else f"{seconds:.0f} s"
