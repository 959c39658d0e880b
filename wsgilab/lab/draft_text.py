"""A draft as the text of a lab.toml, for somebody to look over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain, count

from wsgilab.lab.drafts import BODIES, Draft, Kind
from wsgilab.lab.redraft import Kept
from wsgilab.model.app_file import MOST_WEIGHT

NOTHING = Kept()


def written(draft: Draft, app: str, kept: Kept = NOTHING) -> str:
    """The text of lab.toml, with what is kept of an older one. Every command of the lab reads it as it is."""
    lines = [f"# Drafted from {draft.source}. docs/reference.md lists every key.", ""]
    lines += [f"# Left out or to be done: {note}." for note in draft.notes]
    health = [f"health = {_quoted(draft.health)}"] if draft.health and "app.health" not in kept.names else []
    lines += ["[app]", f"app = {_quoted(app)}", *health, *kept.app, "", "[traffic]", *_rates(draft, kept)]
    lines += [*kept.traffic, "", *kept.tables, ""] if kept.tables else [*kept.traffic, ""]
    lines += _login(draft.login) if draft.login and "login" not in kept.names else []
    scale = min(1.0, MOST_WEIGHT / max(kind.count for kind in draft.kinds))
    tables = (_kind_lines(name, kind, scale) for name, kind in _named(draft.kinds))
    return "\n".join(chain(lines, *tables)).rstrip() + "\n"


def _rates(draft: Draft, kept: Kept) -> Iterator[str]:
    rates = ", ".join(f"{rate:g}" for rate in draft.rates)
    if rates:
        yield f"rates = [{rates}]  # requests per second: the log's mean and its busiest second"
    elif "traffic.rates" not in kept.names:
        yield "# rates = [20, 60]"
    if "traffic.slo" not in kept.names:
        yield '# slo = "p99<250ms and failed<1%"'


def _login(path: str) -> list[str]:
    """Steps to fill in, as comments: which fields the form has, no route says."""
    return [
        "# What needs a session: each user takes these steps once, before the load begins. Fill in, and uncomment.",
        "# [[login]]",
        f"# path = {_quoted(path)}",
        '# save = {csrf = \'name="csrf_token" value="([^"]+)"\'}',
        "#",
        "# [[login]]",
        '# method = "POST"',
        f"# path = {_quoted(path)}",
        '# form = {user = "…", password = "…", csrf_token = "{csrf}"}',
        "",
    ]


def _kind_lines(name: str, kind: Kind, scale: float) -> Iterator[str]:
    for line in _table(name, kind, scale):
        yield f"# {line}" if kind.aside else line
    yield ""


def _table(name: str, kind: Kind, scale: float) -> Iterator[str]:
    yield "[[requests]]"
    yield f"name = {_quoted(name)}"
    yield f"weight = {kind.count * scale:.7g}"
    if kind.method != "GET":
        yield f"method = {_quoted(kind.method)}"
    yield f"path = {_quoted(kind.path)}"
    if kind.rows:
        rows = ", ".join(
            "{" + ", ".join(f"{key} = {_quoted(value)}" for key, value in row.items()) + "}" for row in kind.rows
        )
        yield f"data = [{rows}]"
    elif placeholders := re.findall(r"\{(\w+)\}", kind.path):
        example = ", ".join(f'{key} = "1"' for key in placeholders)
        yield f"data = [{{{example}}}]  # values that exist in your app, or the name of a CSV file with these columns"
    if kind.form:
        yield "form = {" + ", ".join(f'{_key(key)} = ""' for key in kind.form) + "}  # fill in"
    elif kind.keys:
        yield "json = {" + ", ".join(f'{_key(key)} = ""' for key in kind.keys) + "}  # fill in"
    elif kind.method in BODIES[:3]:
        yield '# json = {item = 1}, form = {item = "1"}, body = "…" or body_file = "photo.jpg": what this request sends'
    status = kind.statuses.most_common(1)[0][0] if kind.statuses else ""
    if status and status[0] != "2":
        yield f"expect = {{status = {status}}}"


def _named(kinds: Sequence[Kind]) -> Iterator[tuple[str, Kind]]:
    """Each kind with a name of its own: `GET items id`."""
    taken: set[str] = set()
    for kind in kinds:
        words = re.sub(r"[^A-Za-z0-9_.-]+", " ", f"{kind.method} {kind.path.partition('?')[0]}").strip()
        name = (words if words != kind.method else f"{kind.method} home")[:34].strip()
        number = next(number for number in count(1) if _numbered(name, number) not in taken)
        taken.add(_numbered(name, number))
        yield _numbered(name, number), kind


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name} {number}"


def _quoted(text: str) -> str:
    """A TOML basic string; JSON writes the same one."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(text: str) -> str:
    return text if re.fullmatch(r"[\w-]+", text, re.ASCII) else _quoted(text)
