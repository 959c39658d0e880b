"""Characters that a terminal or a page obeys instead of showing, made visible. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    return _all_visible(value)  # type: ignore[no-any-return]


def _all_visible(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {_all_visible(key): _all_visible(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(_all_visible, value))
    if is_dataclass(value) and not isinstance(value, type):
        own = {part.name: getattr(value, part.name) for part in fields(value) if part.init}
        return replace(value, **_all_visible(own))
    return value


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
