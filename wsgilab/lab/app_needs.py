"""What lab.toml says of services and of what an app writes: what types do not say, and as a request has it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from wsgilab.errors import did_you_mean
from wsgilab.lab.toml_words import Where, texts_in
from wsgilab.lab.variants import NOT_FOR_APPS, THE_LABS_OWN, VARIABLE_NAME
from wsgilab.model.app_file import AppFile, HealthSection, ServiceSection
from wsgilab.model.needs import PLACEHOLDER, PLACES, PORT, Health, Needs, Service, State

NAME = "lab.toml"

SERVICE_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
IN_BRACES = re.compile(r"(?<!\$)\{(\w+)\}")
A_NAME = "a name has letters, digits and underscores, and no digit at its beginning"

Problem = tuple[Where, str, str]
"""Where it stands, what is wrong with it, and the likely cause."""


def problems(file: AppFile) -> Iterator[Problem]:
    """What is of the right type and still cannot be."""
    yield from _unheard_of(file)
    for variable in file.app.env:
        if not VARIABLE_NAME.fullmatch(variable):
            yield ("app", "env"), f"'{variable}' cannot name a variable", A_NAME
        elif NOT_FOR_APPS.match(variable):
            yield ("app", "env"), f"'{variable}' cannot be a variable for the app", "the lab itself has it"
    exported = Counter(variable for service in file.services.values() for variable in service.export)
    for name, service in file.services.items():
        where = ("services", name)
        if not SERVICE_NAME.fullmatch(name):
            yield where, f"'{name}' cannot name a service", "a name has lower-case letters, digits and dashes"
        yield from _of_service(service, where)
        for variable in service.export:
            if not VARIABLE_NAME.fullmatch(variable):
                yield (*where, "export"), f"'{variable}' cannot name a variable", A_NAME
            elif THE_LABS_OWN.match(variable):
                yield (*where, "export"), f"'{variable}' cannot be a variable for the app", "the lab itself has it"
            elif variable in file.app.env:
                yield (*where, "export"), f"{variable} is in env, too", "an app has one value of each variable"
            elif exported[variable] > 1:
                yield (*where, "export"), f"two services export {variable}", "an app has one value of each variable"
    for path in file.app.writes:
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            cause = "each server has a copy of the app's folder, and of nothing around it; a variable may lead there"
            yield ("app", "writes"), f"'{path}' is not in the app's folder", cause


def _unheard_of(file: AppFile) -> Iterator[Problem]:
    """Texts that no variable and no command can have: what is behind a NUL nobody would hear of."""
    sections: list[tuple[Where, Any]] = [(("app",), file.app)]
    sections += [(("services", name), section) for name, section in file.services.items()]
    for where, section in sections:
        for key, value in msgspec.to_builtins(section).items():
            if any("\0" in text for text in texts_in(value)):
                yield (*where, key), "it has a NUL character", "made by a program, or by an escape such as \\u0000"


def with_name(where: list[str | int], document: Mapping[str, Any]) -> list[str | int]:
    """The place of what is wrong with a service, with the service's name: msgspec does not say which one it is."""
    if where[:2] != ["services", "*"]:
        return where
    names = (name for name, table in document["services"].items() if not _is_section(table))
    return ["services", next(names, "*"), *where[2:]]


def _is_section(table: object) -> bool:
    try:
        msgspec.convert(table, ServiceSection)
    except msgspec.ValidationError:
        return False
    return True


def needs_of(file: AppFile, path: Path | None) -> Needs:
    """What a request carries of it. `path`: of the file, for Compose files stand next to it."""
    state = State(tuple(file.app.writes), file.app.setup, file.app.reset)
    return Needs(tuple(_services(file, path or Path(NAME))), None if state == State() else state)


def _services(file: AppFile, path: Path) -> Iterator[Service]:
    yield from (
        Service(
            name=name,
            command=said.command,
            compose=str((path.parent / said.compose).resolve()) if said.compose else None,
            service=said.service,
            port=said.port,
            health=Health(said.health.http, said.health.command, said.health.timeout_s),
            export=dict(said.export),
            described_in=str(path),
        )
        for name, said in file.services.items()
    )


def _of_service(service: ServiceSection, where: Where) -> Iterator[Problem]:
    if not service.command and not service.compose:
        cause = "a service is started by a command (local), by a Compose file (in containers), or by either"
        yield where, "it needs a command or a Compose file", cause
    if service.service and not service.compose:
        yield (*where, "service"), "no Compose file is named that it could be in", 'compose = "compose.yaml" is missing'
    ways = _ways(service.health)
    if len(ways) > 1:
        yield (*where, "health"), f"one thing says that it is there, and here are {' and '.join(ways)}", "keep one"
    asks_port = ways in ([], ["tcp"])
    if service.command and asks_port and not service.port and PORT not in PLACEHOLDER.findall(service.command):
        cause = 'health = {command = "…"} may ask it; or its command takes {port}, a port that is free'
        yield where, "nothing says when it is ready: its command has no {port}", cause
    for key, text in _texts(service):
        for name in IN_BRACES.findall(text):
            hint = did_you_mean(name, PLACES, "", cutoff=0.7)
            if name not in PLACES and (hint or key == "export"):
                cause = hint or f"there are {', '.join(f'{{{place}}}' for place in PLACES)}"
                yield (*where, key), f"nothing fills {{{name}}} in '{text}'", cause


def _ways(health: HealthSection) -> list[str]:
    return [way for way in ("tcp", "http", "command") if getattr(health, way)]


def _texts(service: ServiceSection) -> Iterator[tuple[str, str]]:
    """(key, text) of all that may hold placeholders."""
    yield from [("command", service.command)] if service.command else []
    yield from [("health", text) for text in (service.health.http, service.health.command) if text]
    yield from [("export", text) for text in service.export.values()]
