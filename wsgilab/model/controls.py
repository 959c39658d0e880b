"""Characters that a terminal or a page obeys instead of showing, made visible. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")

OBEYED = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1, but tab and newline: titles, colours, links, the clipboard
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of writing round
    "\u2028\u2029"  # line ends to some
    "\ud800-\udfff"  # halves of pairs, as bytes of a command line become that are no UTF-8: nothing can write them
    "]"
)


def visible(text: str) -> str:
    """The text with `\\x1b` and the like for what would be obeyed; the same object where there is nothing to change."""
    return OBEYED.sub(lambda found: _escaped(ord(found[0])), text) if OBEYED.search(text) else text


def all_visible(value: T) -> T:
    """A record, or any value made of records, mappings, tuples and lists, with every text in it visible."""
    return each_text(value, visible)


def each_text(value: T, change: Callable[[str], str]) -> T:
    """The same value with every text in it changed, keys of mappings included."""
    return _changed(value, change)  # type: ignore[no-any-return]


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        changed = change(value)
        return value if changed == value else changed  # a word of an enumeration stays one
    if isinstance(value, Mapping):
        return {_changed(key, change): _changed(item, change) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_changed(item, change) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        own = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        return replace(value, **_changed(own, change))
    return value


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
