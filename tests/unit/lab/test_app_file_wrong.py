"""Every key of lab.toml with every kind of wrong value: the schema decides what is wrong, the reader says it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

from wsgilab.errors import UsageError
from wsgilab.lab.app_file import NAME, read
from wsgilab.model.app_file import schema

SCHEMA = schema()
SECTIONS = {
    "AppSection": ("[app]", {}),
    "Traffic": ("[traffic]", {}),
    "Exchange": ("[[login]]", {"path": '"/login"'}),
    "TrafficRequest": ("[[requests]]", {"name": '"a"', "path": '"/"'}),
    "Expectation": ("[requests.expect]", {}),
    "ServiceSection": ("[services.db]", {"command": '"true"'}),
    "HealthSection": ("[services.db.health]", {}),
    "VitalsSection": ("[vitals]", {}),
    "ClickSection": (
        "[[vitals.clicks]]",
        {"name": '"a"', "page": '"/"', "click": '"#a"', "content": '"#b"'},
    ),
}
"""Of each type in the schema: its header, and the keys that it cannot do without."""
OUTER = {"Expectation": '[[requests]]\nname = "a"\npath = "/"\n', "HealthSection": '[services.db]\ncommand = "true"\n'}
"""What stands around a section."""
VALUES = (
    '"x"', '""', '"/x"', '"/x y"', '"POTS"', "1", "0", "-1", "1.5", "1e9", "true", "[]", '["x"]', "[1]", "[0]", "[1e9]",
    '{a = "x"}', "{a = [1]}", '[{a = "x"}]', "[{a = [1]}]", "[[1]]",
)  # fmt: skip
INNER = (("ServiceSection", "health"), ("VitalsSection", "clicks"))
NO_NUMBERS = ("nan", "inf", "-inf", "[nan]", "[inf]")
"""JSON has none of them, so the schema has nothing to say."""
JARGON = ("Expected", "`", "array", "object", "null", "regex")


def document(section: str, key: str, value: str) -> str:
    """A lab.toml in which this key has this value, in its last line."""
    header, needed = SECTIONS[section]
    others = [f"{name} = {usual}" for name, usual in needed.items() if name != key]
    return OUTER.get(section, "") + "\n".join([header, *others, f"{key} = {value}", ""])


def keys() -> list[tuple[str, str]]:
    """Each key of each section: but for one that may have any value, and one that is a section of its own."""
    found = [(section, key) for section in SECTIONS for key in SCHEMA["$defs"][section]["properties"]]
    return [(section, key) for section, key in found if key not in ("json", "expect") and (section, key) not in INNER]


def is_right(text: str) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(tomllib.loads(text))


def refused(folder: Path, text: str) -> UsageError | None:
    path = folder / NAME
    path.write_text(text)
    try:
        read(path)
    except UsageError as error:
        return error
    return None


def assert_in_plain_words(error: UsageError, folder: Path, text: str, key: str) -> None:
    last = len(text.splitlines())
    assert error.what.startswith(f"{folder / NAME}, line {last}: "), error.what
    assert key in error.what
    assert not [word for word in JARGON if word in error.what], error.what
    assert error.cause
    assert error.next_command.endswith(f"+{last} {folder / NAME}")


def test_every_section_of_the_schema_is_tried() -> None:
    assert {name for name, kind in SCHEMA["$defs"].items() if "properties" in kind} == {*SECTIONS, "AppFile"}
    assert len(keys()) > 30


@pytest.mark.parametrize(("section", "key"), keys())
def test_a_wrong_type_or_range_is_refused_at_its_line_in_plain_words(tmp_path: Path, section: str, key: str) -> None:
    wrong = [text for value in VALUES if not is_right(text := document(section, key, value))]
    assert wrong, "no value is wrong for it?"
    for text in wrong:
        error = refused(tmp_path, text)
        assert error, text
        assert_in_plain_words(error, tmp_path, text, key)


@pytest.mark.parametrize(("section", "key"), keys())
def test_what_is_no_number_at_all_is_refused_too(tmp_path: Path, section: str, key: str) -> None:
    for value in NO_NUMBERS:
        text = document(section, key, value)
        error = refused(tmp_path, text)
        assert error, text
        assert_in_plain_words(error, tmp_path, text, key)


@pytest.mark.parametrize(("section", "key"), keys())
def test_a_mistyped_key_is_refused_with_the_right_one(tmp_path: Path, section: str, key: str) -> None:
    mistyped = f"{key}s"
    text = document(section, mistyped, '"x"')
    error = refused(tmp_path, text)
    assert error, text
    assert f"there is no key '{mistyped}'" in error.what
    assert error.cause == f"did you mean '{key}'?"
