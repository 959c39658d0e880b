"""What an option's value may be: types for Click that refuse the rest before anything starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from wsgilab.errors import did_you_mean
from wsgilab.lab.variants import NOT_FOR_APPS
from wsgilab.model.request import ATTACHED, DEFAULTS, ENGINES, MAX_RATE_RPS, MAX_SLOTS

MUST_BE = f"it must be one of {', '.join(ENGINES)}"
WAYS = {"reused": (True,), "new": (False,), "both": (False, True)}


class Value(click.ParamType[Any]):
    """A type whose `parse` raises ValueError with a sentence about a text that is none of it."""

    def __init__(self, name: str, parse: Callable[[str], object], known: Sequence[str] = (), kind: str = "") -> None:
        self.name = name
        self._parse = parse
        self._known = known
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What the text stands for; a default stays as it is."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            return self.fail(str(error), param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - Click's name
        param: click.Parameter,  # noqa: ARG002 - Click's name
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """The values that begin like this, where they are known; for a folder, the shell looks itself."""
        if self._kind:
            return [CompletionItem(incomplete, type=self._kind)]
        return [CompletionItem(value) for value in self._known if value.startswith(incomplete)]


def number(name: str, low: float, high: float, unit: str = "") -> Value:
    """A number above `low` and at most `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            of = f" of{unit}" if unit else ""
            raise ValueError(f"{name} must be a number{of}, not '{text}'") from None
        if not low < value <= high:
            raise ValueError(f"{name} must be above {low:g} and at most {high:g}{unit}, not {text}")
        return value

    return Value("number", parse)


SECONDS = {"s": 1, "m": 60, "min": 60}


def seconds(name: str, low: float, high: float) -> Value:
    """A time above `low` and at most `high`, in seconds; `3s`, `2m` and `2min` are read as people and k6 write them."""
    plain = number(name, low, high, " seconds")

    def parse(text: str) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|min)", text, re.ASCII)
        return plain._parse(str(float(found[1]) * SECONDS[found[2]]) if found else text)  # type: ignore[return-value]

    return Value("seconds", parse)


def whole(name: str, high: int) -> Value:
    """A whole number from 1 to `high`."""

    def parse(text: str) -> int:
        # Python refuses to read thousands of digits.
        if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= high:
            raise ValueError(f"{name} must be a whole number from 1 to {high}, not '{text:.40}'")
        return int(text)

    return Value("whole number", parse)


RATE_UNIT = re.compile(r"(?<=\d)\s*(?:rps|/s)\s*$", re.ASCII)
"""As people write it after a rate: `100rps`, `100 rps`, `100/s`."""


def _rates(text: str) -> tuple[float, ...]:
    rate = number("a rate", 0, MAX_RATE_RPS, " requests per second")
    rates = tuple(rate._parse(RATE_UNIT.sub("", part)) for part in text.split(","))
    if len(set(rates)) < len(rates):
        raise ValueError(f"each rate is measured once a round, but '{text}' names one twice")
    return rates  # type: ignore[return-value]


def _loads(text: str) -> tuple[float, ...]:
    parts = text.split(",")
    loads = tuple(0.0 if part.strip() in ("0", "idle") else _rates(part)[0] for part in parts)
    if len(set(loads)) < len(loads):
        raise ValueError(f"each load is made once a round, but '{text}' names one twice")
    return loads


def _slots(text: str) -> tuple[int | str, ...]:
    count = whole("slots", MAX_SLOTS)
    found = tuple(part if part == DEFAULTS else count._parse(part) for part in text.split(","))
    if set(found) == {DEFAULTS} or len(set(found)) < len(found):
        raise ValueError(f"it must be a number of slots, or several, each once, or with '{DEFAULTS}': 8 or 4,8,default")
    return found  # type: ignore[return-value]


def _connections(text: str) -> tuple[bool, ...]:
    if text not in WAYS:
        raise ValueError(f"'{text:.40}': {did_you_mean(text, WAYS, 'it must be one of ' + ', '.join(WAYS))}")
    return WAYS[text]


def _names(text: str) -> tuple[str, ...]:
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not found:
        raise ValueError("it must name a server, or several: dev,uwsgi")
    return found


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"a seed must be a whole number, not '{text:.40}'") from None


def _folder(text: str) -> Path:
    if not text:
        raise ValueError("it must name a folder; '.' is the one you are in")
    return Path(text)


def _file(text: str) -> Path:
    if not text:
        raise ValueError("it must name a file")
    return Path(text)


def _percentage(text: str) -> float:
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)\s*%", text)
    if not found or not 0 < float(found[1]) <= 100:
        raise ValueError(f"it must be a percentage, above 0% and at most 100%, such as 5%, not '{text:.40}'")
    return float(found[1]) / 100


def _memory(text: str) -> float:
    found = re.fullmatch(r"(\d{1,9})([kmg])b?", text.strip().lower())
    if not found or not int(found[1]):
        raise ValueError(f"it must be a size of memory such as 512m or 2g, not '{text:.40}'")
    return int(found[1]) * {"k": 1024, "m": 1024**2, "g": 1024**3}[found[2]] / 1e6


def _app(text: str) -> str:
    module, _, attribute = text.partition(":")
    if not module or not attribute:
        raise ValueError(f"an app is MODULE:ATTRIBUTE, such as app:app, not '{text}'")
    return text


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ValueError("a variable is NAME=VALUE")  # without what was typed: it may be a secret
    if NOT_FOR_APPS.match(name):
        raise ValueError(f"{name} cannot be a variable for the app: the lab itself has it")
    return name, value


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", text):
        raise ValueError(f"it must be an address such as http://127.0.0.1:9090, not '{text}'")
    return text


def _render(text: str) -> str:
    if text != "render":
        raise ValueError(f"'{text}' is not something that it can do; 'render' is")
    return text


def _engine(text: str) -> str:
    if text not in ENGINES:
        raise ValueError(f"'{text}': {did_you_mean(text, ENGINES, MUST_BE)}")
    return text


RATES = Value("rates", _rates)
"""`100,250`, each once."""
LOADS = Value("rates", _loads)
"""`0,100`, each once; 0 is no load."""
SLOTS = Value("slots", _slots)
"""`8`, or `4,8,default`."""
CONNECTIONS = Value("connections", _connections, known=tuple(WAYS))
"""Whether they are used again, for each measurement to be made."""
NAMES = Value("names", _names)
"""`dev,uwsgi`, at least one. An unset variable of a script is none, and no wish for the default."""
SEED = Value("seed", _seed)
"""Any whole number."""
FOLDER = Value("folder", _folder, kind="dir")
"""Refuses nothing at all, which an unset variable of a script is: Path would make it the current folder."""
FILE = Value("file", _file, kind="file")
"""A file, or a folder, that is read or written."""
PERCENTAGE = Value("percentage", _percentage)
"""`5%`, as a share."""
APP = Value("app", _app)
"""`module:attribute`."""
MEMORY = Value("memory", _memory)
"""`512m`, in MB."""
RENDER = Value("action", _render, known=("render",))
"""What `./lab kubernetes` can do."""
VARIABLE = Value("variable", _variable)
"""`NAME=VALUE`, as a pair."""
WEB_ADDRESS = Value("address", _web_address)
"""The address of a Prometheus or a Grafana."""
ENGINE = Value("engine", _engine, known=[name for name in ENGINES if name not in ATTACHED])
"""Where servers run."""
