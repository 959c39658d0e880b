"""Every command of the lab that stands in a text is one that the lab takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support import ROOT

from wsgilab.commands.cli import lab
from wsgilab.errors import LabError

FOLDERS = ("docs", "examples", "benchmarks", "workshop")
TEXTS = [
    *(path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"),
    *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")),
]
SHOWN = re.compile(r"(?:(?<![\w/.])\./lab|docker compose run --rm runner) ([^`\n]*)")
CONTINUED = re.compile(r" *\\\n *")
END = re.compile(r" {2,}| [#&>]|[;)|]")
"""Where a command ends and words about it begin, another command, or the cell of a table."""
OPEN = re.compile(r"…|\[|\{|\b(?:COMMAND|URL)\b")
"""What stands in a command that shows a form, and not something to paste."""


def commands_in(text: str) -> Iterator[str]:
    """The words after `./lab`, of each that could be pasted."""
    for words in SHOWN.findall(CONTINUED.sub(" ", text)):
        line = END.split(words.replace("\\|", "…"), maxsplit=1)[0].strip()
        if line and not line.startswith("--") and not OPEN.search(line):
            yield line


UNFINISHED = re.compile(r"This argument is required|requires an argument")
"""Where a text names a command or an option without what belongs to it."""


def refusal(line: str) -> str | None:
    """Why the lab's command line would refuse it."""
    context = click.Context(lab, info_name="./lab")
    try:
        name, command, rest = lab.resolve_command(context, shlex.split(line))
        if command is not None and "--help" not in rest:
            command.make_context(name, rest, parent=context)
    except (LabError, ValueError) as error:
        return None if UNFINISHED.search(str(error)) else str(error)
    return None


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_a_text_are_accepted(path: Path) -> None:
    refused = {line: why for line in commands_in(path.read_text(encoding="utf-8")) if (why := refusal(line))}
    assert not refused


def test_a_command_is_found_wherever_it_stands() -> None:
    text = (
        "    ./lab run --quick          words\n`./lab view`, or `./lab gate …`; see (./lab doctor --clean)\n"
        "    ./lab run \\\n      --rate 50   # words\n    docker compose run --rm runner capacity --help; ./lab quiz\n"
        "| `./lab run --engine a\\|b` | path/to/lab | ./lab --version\n"
    )
    found = ["run --quick", "view", "doctor --clean", "run --rate 50", "capacity --help"]
    assert list(commands_in(text)) == found
    assert refusal("run --rats 50")
    assert refusal("rnu")


def test_texts_hold_commands() -> None:
    assert sum(len(list(commands_in(path.read_text(encoding="utf-8")))) for path in TEXTS) > 100
