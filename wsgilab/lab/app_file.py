"""Reads `lab.toml`, the description of an app and its traffic; errors name the file and the line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from wsgilab.errors import UsageError
from wsgilab.lab import app_needs, toml_words
from wsgilab.lab.toml_lines import line_of
from wsgilab.lab.toml_source import Source
from wsgilab.lab.toml_words import Where
from wsgilab.lab.traffic import PLACEHOLDER
from wsgilab.model import slo
from wsgilab.model.app_file import AppFile, Exchange
from wsgilab.model.vitals import Action

NAME = "lab.toml"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)."""
NO_HEADER_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
SAVED_NAME = re.compile(r"\w+", re.ASCII)
PYTHONS_OWN = re.compile(r"\(\?(?:P[<=>]|[aiLmsux-]+[:)]|#|\()|\\[AZ]")
"""What regular expressions of Python have and k6, whose are those of JavaScript, does not read."""


def read(path: Path) -> AppFile:
    """The description in a file. Raises UsageError, with file and line, where it cannot be used as it stands."""
    source = Source.open(path)
    document = source.document()
    try:
        found = msgspec.convert(document, AppFile)
    except msgspec.ValidationError as error:
        message, _, at_path = str(error).partition(" - at `")
        where = app_needs.with_name(toml_words.parts(at_path.rstrip("`")), document)
        line = line_of(source.text, where, toml_words.key_in(message))
        what, cause = toml_words.in_words(message, where), toml_words.cause(message, where)
        raise source.wrong(line, what, cause) from error
    _check(found, source)
    return found


def actions(path: Path) -> tuple[Action, ...]:
    """What a browser clicks on, as the file at `path` says it. Raises UsageError."""
    clicks = read(path).vitals.clicks
    return tuple(Action(click.name, click.page, click.click, click.content) for click in clicks)


def require_time_to_think(file: AppFile, rate_rps: float, path: Path) -> None:
    """Raise UsageError where so few users cannot make `rate_rps` with the pause that each takes between requests."""
    traffic = file.traffic
    if traffic.users / rate_rps >= traffic.think_time_s:
        return
    source = Source.open(path)
    raise source.wrong(
        line_of(source.text, ("traffic", "think_time_s")),
        f"{traffic.users} users who pause for {traffic.think_time_s:g} s cannot make {rate_rps:g} requests per second",
        f"users = {int(rate_rps * traffic.think_time_s) + 1} would do, or a lower rate",
    )


# ── what types do not say ───────────────────────────────────────────────────────────────────────────────────────────


def _check(file: AppFile, source: Source) -> None:
    """Raise UsageError for what is of the right type and still cannot be."""
    _check_slo(file.traffic.slo, source, ("traffic", "slo"))
    rates = file.traffic.rates or []
    if twice := next((rate for rate in rates if rates.count(rate) > 1), None):
        source.refuse(("traffic", "rates"), f"{twice:g} stands there twice", "each rate is measured once a round")
    for at, what, cause in app_needs.problems(file):
        source.refuse(at, what, cause)
    names: set[str] = set()
    for number, request in enumerate(file.requests):
        where: Where = ("requests", number)
        if request.name in names:
            what = f"a second request is named '{request.name}'"
            source.refuse((*where, "name"), what, "each has figures of its own, by its name")
        names.add(request.name)
        _check_slo(request.slo, source, (*where, "slo"))
        _check_exchange(request, source, where)
    for number, step in enumerate(file.login):
        _check_exchange(step, source, ("login", number))
    _check_clicks(file, source)


def _check_clicks(file: AppFile, source: Source) -> None:
    names: set[str] = set()
    for number, click in enumerate(file.vitals.clicks):
        where: Where = ("vitals", "clicks", number)
        if click.name in names:
            source.refuse((*where, "name"), f"a second click is named '{click.name}'", "each has figures of its own")
        names.add(click.name)
        if found := PLACEHOLDER.search(click.page):
            source.refuse(
                (*where, "page"),
                f"nothing fills {found[0]} in '{click.page}'",
                "placeholders are for [[requests]], which have data",
            )


def _check_slo(text: str | None, source: Source, where: Where) -> None:
    try:
        found = slo.parse(text) if text is not None else None
    except UsageError as error:
        source.refuse(where, error.what.rstrip("."), error.cause)
    if found and found.by_request:
        what = f"it speaks of the requests named '{next(iter(found.by_request))}'"
        source.refuse(where, what, "slo = … in the table of those requests says what they must keep")


def _check_exchange(exchange: Exchange, source: Source, where: Where) -> None:
    bodies = list(_bodies(exchange))
    if len(bodies) > 1:
        what = f"a request has one body, and this one has {' and '.join(bodies)}"
        source.refuse((*where, bodies[1]), what, "keep one of them")
    if bodies and exchange.method in ("GET", "HEAD"):
        what = f"a {exchange.method} carries no {bodies[0]}"
        source.refuse((*where, bodies[0]), what, 'method = "POST" is missing')
    for name, value in exchange.headers.items():
        if not HEADER_NAME.fullmatch(name) or NO_HEADER_VALUE.search(value):
            what = f"no request can have the header {name!r} with this value"
            source.refuse((*where, "headers"), what, "a space in a name, or a line end in a value")
    for name, pattern in exchange.save.items():
        _check_saved(name, pattern, source, (*where, "save"))


def _check_saved(name: str, pattern: str, source: Source, where: Where) -> None:
    if not SAVED_NAME.fullmatch(name):
        cause = "the name in braces has letters from a to z, digits and underscores"
        source.refuse(where, f"'{name}' cannot name a placeholder", cause)
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        what = f"save.{name} is not a regular expression: {error}"
        source.refuse(where, what, "a bracket, or a backslash in a \"…\" string: use '…'")
    if found := PYTHONS_OWN.search(pattern):
        cause = "it is k6 that looks for it, with the regular expressions of JavaScript"
        source.refuse(where, f"save.{name} has '{found[0]}', which k6 does not know", cause)
    if groups != 1:
        what = f"save.{name} has {groups} groups, and needs one: the part to keep"
        source.refuse(where, what, 'put that part in brackets: \'value="([^"]+)"\'')


def _bodies(exchange: Exchange) -> Iterator[str]:
    if exchange.json is not msgspec.UNSET:
        yield "json"
    for key in ("form", "body", "body_file"):
        if getattr(exchange, key) is not None:
            yield key
