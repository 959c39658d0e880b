"""Where in a TOML file a key stands: tomllib gives values without places; headers and keys show them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

KEY = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
HEADER = re.compile(rf"^\s*(?P<open>\[\[?)\s*(?P<name>{KEY}(?:\s*\.\s*{KEY})*)\s*\]\]?")
ASSIGNMENT = re.compile(rf"^\s*(?P<name>{KEY}(?:\s*\.\s*{KEY})*)\s*=")


def line_of(text: str, where: Sequence[str | int], key: str | None = None) -> int | None:
    """The line of the value at `where` (keys and positions; "*" for a key that is not known), or of `key` inside it.

    The nearest line around it where its own cannot be told, as for a value in an inline table; None for none at all.
    """
    places = list(_places(text))
    wanted = (*where, key) if key is not None else tuple(where)
    while wanted:
        for place, number in places:
            if len(place) == len(wanted) and all(map(_same, place, wanted)):
                return number
        wanted = wanted[:-1]
    return None


def _same(part: str | int, wanted: str | int) -> bool:
    return wanted in ("*", part)


def _places(text: str) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Each header and each key at the start of a line, with all the keys and positions that lead to it."""
    table: tuple[str | int, ...] = ()
    seen: Counter[tuple[str | int, ...]] = Counter()
    arrays: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.match(line):
            names = names_in(header["name"])
            if header["open"] == "[[":
                arrays[names] = seen[names]
                seen[names] += 1
            table = tuple(_positioned(names, arrays))
            yield table, number
        elif assignment := ASSIGNMENT.match(line):
            yield (*table, *names_in(assignment["name"])), number


def names_in(dotted: str) -> tuple[str, ...]:
    """The keys of a dotted one."""
    return tuple(part.strip("\"'") for part in re.findall(KEY, dotted))


def _positioned(names: tuple[str, ...], arrays: dict[tuple[str, ...], int]) -> Iterator[str | int]:
    for end, name in enumerate(names, 1):
        yield name
        if names[:end] in arrays:
            yield arrays[names[:end]]
