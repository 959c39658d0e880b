"""What an option's value may be: argparse types that refuse the rest before anything starts."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

MAX_RATE_RPS, MAX_ROUNDS, MAX_DURATION_S = 20_000.0, 1_000, 600.0


def number(name: str, low: float, high: float, unit: str = "") -> Callable[[str], float]:
    """An argparse type for a number above `low` and at most `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            of = f" of{unit}" if unit else ""
            raise argparse.ArgumentTypeError(f"{name} must be a number{of}, not '{text}'") from None
        if not low < value <= high:
            raise argparse.ArgumentTypeError(f"{name} must be above {low:g} and at most {high:g}{unit}, not {text}")
        return value

    return parse


def whole(name: str, high: int) -> Callable[[str], int]:
    """An argparse type for a whole number from 1 to `high`."""

    def parse(text: str) -> int:
        # Python refuses to read thousands of digits.
        if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{name} must be a whole number from 1 to {high}, not '{text:.40}'")
        return int(text)

    return parse


def rates(text: str) -> tuple[float, ...]:
    """`100,250`, each once."""
    rate = number("a rate", 0, MAX_RATE_RPS, " requests per second")
    rates = tuple(rate(part) for part in text.split(","))
    if len(set(rates)) < len(rates):
        raise argparse.ArgumentTypeError(f"each rate is measured once a round, but '{text}' names one twice")
    return rates


def names(text: str) -> list[str]:
    """`dev,uwsgi`, at least one. An unset variable of a script is none, and no wish for the default."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise argparse.ArgumentTypeError("it must name a server, or several: dev,uwsgi")
    return found


def seed(text: str) -> int:
    """Any whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a seed must be a whole number, not '{text:.40}'") from None


def folder(text: str) -> Path:
    """Refuses nothing at all, which an unset variable of a script is: Path would make it the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("it must name a folder; '.' is the one you are in")
    return Path(text)


def app(text: str) -> str:
    """`module:attribute`."""
    module, _, attribute = text.partition(":")
    if not module or not attribute:
        raise argparse.ArgumentTypeError(f"an app is MODULE:ATTRIBUTE, such as app:app, not '{text}'")
    return text


def web_address(text: str) -> str:
    """The address of a Prometheus or a Grafana."""
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", text):
        raise argparse.ArgumentTypeError(f"it must be an address such as http://127.0.0.1:9090, not '{text}'")
    return text
