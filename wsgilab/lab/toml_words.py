"""What is wrong with a lab.toml, in words: msgspec's messages as a person would say them, and the likely cause."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from wsgilab.errors import did_you_mean
from wsgilab.model.app_file import AppFile

Where = Sequence[str | int]
"""Keys and positions from the top of the file: ("requests", 0, "path"); "*" for a key of any name."""
REFERENCE = "docs/reference.md lists the keys of lab.toml"
FORMS = {
    "path": "a path begins with a slash, and has no space and no control character",
    "name": "a name has letters, digits, spaces and . _ -, 40 at most, and begins with a letter or a digit",
}
"""Of texts that have one, by their keys; those of other keys are paths."""
NEEDED = {"login": "every step needs a path", "vitals": "every click needs a name, a page, click and content"}


def texts_in(node: Any) -> Iterator[str]:
    """Every text in a value, but for the keys of tables."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for inner in node.values():
            yield from texts_in(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from texts_in(inner)


def line_in(message: str) -> int | None:
    """The line that a message of tomllib names."""
    found = re.search(r"\(at line (\d+)", message)
    return int(found[1]) if found else None


def parts(at_path: str) -> list[str | int]:
    """`$.requests[0].path` as keys and positions. A key of a table of any names is not in the path: it ends there."""
    parts: list[str | int] = []
    for key, position in re.findall(r"\.([\w-]+)|\[([^\]]*)\]", at_path):
        if position == "...":
            parts.append("*")
        else:
            parts.append(key or int(position))
    return parts


def key_in(message: str) -> str | None:
    """The key that a message of msgspec is about, where it names one."""
    named = re.match(r"Object contains unknown field `(.*)`", message)
    return named[1] if named else None


def written(where: Where) -> str:
    """`requests[1].path`, counted from 1 as people do."""
    text = ""
    for part in where:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def in_words(message: str, where: Where) -> str:
    """What msgspec says, as a person would."""
    at = f"{written(where)}: " if where else ""
    if key := key_in(message):
        return f"{at}there is no key '{key}'"
    message = re.sub(r"Object missing required field `(.*)`", r"the key '\1' is missing", message)
    message = re.sub(r"Expected `([^`]*)` matching regex.*", r"this text is not of the form that is wanted", message)
    message = re.sub(
        r"Expected `([^`]*)`, got `([^`]*)`", lambda m: f"it must be {_kind(m[1])}, not {_kind(m[2])}", message
    )
    message = re.sub(r"Expected `(?:float|int)` (.*)", r"the number must be \1", message)
    message = re.sub(r"Expected `(\w+)` of length (.*)", r"its length must be \2", message)
    return f"{at}{message[:1].lower()}{message[1:]}"


KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a table",
    "array": "a list",
}


def _kind(types: str) -> str:
    return " or ".join(KINDS.get(name.strip(), name.strip()) for name in types.split("|") if name.strip() != "null")


def cause(message: str, where: Where) -> str:
    """The likely cause of what msgspec says is wrong at that place."""
    if key := key_in(message):
        return did_you_mean(key, _keys_at(where), REFERENCE)
    if "matching regex" in message:
        return FORMS.get(str(where[-1]) if where else "", FORMS["path"])
    if "missing" in message:
        return NEEDED.get(str(where[0]) if where else "", "every request needs a name and a path")
    return f"a value of another kind; {REFERENCE}"


def _keys_at(where: Where) -> Iterable[str]:
    """The keys that the type at `where` has."""
    kind: Any = msgspec.inspect.type_info(AppFile)
    for part in where:
        kind = _inside(kind, part)
    kind = _struct_in(kind)
    return [field.encode_name for field in kind.fields] if isinstance(kind, msgspec.inspect.StructType) else []


def _inside(kind: Any, part: str | int) -> Any:
    kind = _struct_in(kind)
    if isinstance(kind, msgspec.inspect.StructType):
        return next((field.type for field in kind.fields if field.encode_name == part), None)
    if isinstance(kind, msgspec.inspect.ListType):
        return kind.item_type
    return kind.value_type if isinstance(kind, msgspec.inspect.DictType) else None


def _struct_in(kind: Any) -> Any:
    """The one container among the types of a union."""
    if isinstance(kind, msgspec.inspect.UnionType):
        containers = (msgspec.inspect.StructType, msgspec.inspect.ListType, msgspec.inspect.DictType)
        return next((option for option in kind.types if isinstance(option, containers)), None)
    return kind
