"""What the environment asks for: the one place that reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wsgilab.errors import UsageError
from wsgilab.lab import ROOT, app_finder, hosts_file, own_app
from wsgilab.lab.servers import Lab, load_lab, variables_of
from wsgilab.measure import access
from wsgilab.model import hosts
from wsgilab.model.hosts import Host, Hosts
from wsgilab.model.request import MAX_START_TIMEOUT_S, Request

START_TIMEOUT = "LAB_START_TIMEOUT_S"
REQUEST = "LAB_REQUEST"
FIELDS = {
    "results": "LAB_RESULTS",
    "spare_results": "LAB_SPARE_RESULTS",
    "lock": "LAB_LOCK",
    "testrun": "LAB_TESTRUN",
}
"""Field of a request → the variable that fills it."""


def request(command: str, asked: Mapping[str, Any], otherwise: Mapping[str, Any] = MappingProxyType({})) -> Request:
    """The request of a command line: the options that were given, then what the environment says, then defaults.

    `otherwise`: the command's own defaults, where they are not those of a Request. Raises UsageError where what was
    asked for cannot be meant.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    paths = {name: str(value) for name, value in given.items() if isinstance(value, Path)}
    given["hosts"] = tuple(map(str, hosts_of(given.pop("hosts_file", None), given.get("hosts", ()))))
    paths.pop("hosts_file", None)
    fields: dict[str, Any] = {**otherwise, **_places(), **own_app.fields(command, {**given, **paths})}
    settings = {**fields.pop("settings", {}), **_settings()}
    if not (fields.get("app") or "LAB_APP" in settings) and fields.get("app_dir"):
        fields["app"] = app_finder.find(Path(fields["app_dir"]))
    return Request(command=command, settings=settings, start_timeout_s=_start_timeout_s(), **fields)


def hosts_of(file: Path | None, texts: Sequence[str]) -> tuple[Host, ...]:
    """The machines that a file and options name, together. Raises UsageError for one that cannot be meant."""
    return (*(hosts_file.read(file) if file else ()), *map(hosts.parse, texts))


def together(asked: dict[str, Any]) -> Hosts | None:
    """The machines that options name, taken out of them; None where they name none. Raises UsageError."""
    found = hosts_of(asked.pop("hosts_file"), asked.pop("hosts"))
    allow_public = asked.pop("allow_public_address")
    return hosts.together(found, allow_public) if found else None


def request_of_another_process() -> Request:
    """The request that LAB_REQUEST holds as JSON, for the places of this process. Raises UsageError."""
    text = os.environ.get(REQUEST)
    if not text:
        raise UsageError(
            f"There is no request in {REQUEST}.",
            "this is what ./lab runs in the runner's container; it is not meant to be typed",
            "./lab run --engine compose",
        )
    return Request.from_json(text).but(**_places())


def lab() -> Lab:
    """compose.yaml and .env, with what the environment overrules. Raises UsageError where they cannot be understood."""
    return load_lab(ROOT, _settings())


def results() -> Path:
    """Where runs are saved."""
    return Path(os.environ.get("LAB_RESULTS") or ROOT / "results")


def prometheus_url() -> str | None:
    """The Prometheus that the environment names."""
    return access.url_of(os.environ)


def is_the_home_page() -> bool:
    """Whether this is the service `home` of compose.yaml: its network is its own, and Grafana is next to it."""
    return os.environ.get("LAB_VIEW_IN_CONTAINER") == "1"


def as_seen_from_the_host(path: Path) -> Path:
    """In a container, results are somewhere else than the person who looks for them would find them."""
    inside, outside = os.environ.get("LAB_RESULTS"), os.environ.get("LAB_RESULTS_OUTSIDE")
    if inside and outside and path.is_relative_to(inside):
        return Path(outside) / path.relative_to(inside)
    return path


def next_steps() -> str:
    """What to do after a measurement, in the words of compose.yaml, which knows the ports; empty outside of it."""
    return os.environ.get("LAB_NEXT_STEPS", "").strip()


def by_sudo() -> str:
    """Who has become root by sudo; empty where nobody has."""
    return os.environ.get("SUDO_USER", "")


def columns() -> str:
    """How wide the page is, as far as COLUMNS says."""
    return os.environ.get("COLUMNS", "")


def _settings() -> dict[str, str]:
    """The variables of compose.yaml that the environment has, and no others: a request may be shown."""
    return {name: os.environ[name] for name in sorted(variables_of(ROOT)) if name in os.environ}


def _places() -> dict[str, str]:
    places = {field: os.environ.get(name) for field, name in FIELDS.items()} | {"prometheus_url": prometheus_url()}
    return {field: place for field, place in places.items() if place}


def _start_timeout_s() -> float:
    """How long a server may take to get healthy; an app that loads for longer wants more. Raises UsageError."""
    default = Request.start_timeout_s
    text = os.environ.get(START_TIMEOUT) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 0 < seconds <= MAX_START_TIMEOUT_S:
        return seconds
    raise UsageError(
        f"{START_TIMEOUT} is '{text}'.",
        f"it must be a number of seconds, above 0 and at most {MAX_START_TIMEOUT_S:g}",
        f"{START_TIMEOUT}={default:g} ./lab run",
    )
