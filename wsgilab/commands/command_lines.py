"""Command lines that stand in texts: whether they would be accepted, and how to run them."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from wsgilab.api.prepared import selection
from wsgilab.commands import environment
from wsgilab.errors import LabError, UsageError
from wsgilab.lab import ROOT
from wsgilab.model.request import Request

LAB, PYTHON, HELP = "./lab", "python3", "--help"
OTHERS = ("docker", "curl", "git", "cp", "cat", "less", "mkdir")
"""Programs that a text may ask for besides, which nobody here can judge."""
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
MEASURING = ("run", "capacity", "gate")
NO_FIELDS = ("as_json", "quick", "rigorous", "github", "junit", "markdown", "baseline", "against", "keep_alive")
"""Options of commands that measure which are no part of one request, or not as they were typed."""


@dataclass(frozen=True)
class CommandLine:
    """A line as a shell reads it."""

    variables: Mapping[str, str]
    words: tuple[str, ...]

    @property
    def runnable(self) -> list[str]:
        """Its words, with this very lab and this very Python in place of their names."""
        here = {LAB: [sys.executable, "-m", "wsgilab"], PYTHON: [sys.executable]}
        return [part for word in self.words for part in here.get(word, [word])]


def parse(line: str) -> CommandLine:
    """Read a line; a comment at its end is left out. Raises UsageError where no shell would take it."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise UsageError(
            f"`{line}` is not a command line: {error}.", "a quote that is left open", "./lab --help"
        ) from error
    variables: dict[str, str] = {}
    while words and (found := ASSIGNMENT.fullmatch(words[0])):
        variables[found[1]] = found[2]
        del words[0]
    return CommandLine(variables, tuple(words))


def refusal(line: str) -> str | None:
    """Why a line would be refused, without running it; None where it is accepted."""
    try:
        words = parse(line).words
        if not words:
            return "it is not a command"
        if words[0] == PYTHON and not (len(words) > 1 and (ROOT / words[1]).is_file()):
            return "its script is not there"
        if words[0] not in (LAB, PYTHON, *OTHERS):
            return f"it begins with '{words[0]}'; {', '.join((LAB, PYTHON, *OTHERS))} are known"
        if LAB in words:
            _require_accepted(words[words.index(LAB) + 1 :])
    except LabError as error:
        return error.what
    return None


def _require_accepted(words: Sequence[str]) -> None:
    """Raise what the lab's own command line would raise before it does anything."""
    from wsgilab.commands.cli import lab  # it is what is under way

    context = click.Context(lab, info_name=LAB)
    if list(words) == [HELP]:
        return
    if not words:
        raise UsageError("No command was given.", "the first word says what to do", "./lab --help")
    name, command, rest = lab.resolve_command(context, list(words))
    if name is None or command is None:
        raise UsageError(f"There is no command '{words[0]}'.", "a typo", "./lab --help")
    if HELP in rest:
        return
    with command.make_context(f"{LAB} {name}", rest, parent=context) as asked:
        if name in MEASURING:
            _require_known(name, asked.params)


def _require_known(command: str, asked: Mapping[str, Any]) -> None:
    """Raise UsageError for servers, settings and workloads that are not there."""
    fields = {name: value for name, value in asked.items() if name not in NO_FIELDS}
    request: Request = environment.request(command, fields)
    selection(request)
