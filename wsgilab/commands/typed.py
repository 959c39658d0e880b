"""The command line as it was typed, for what to do next: the same once more, with a bit of it changed."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Sequence

from wsgilab.errors import to_paste

SECRET = "--env"
"""The option whose values may be secrets: a pipeline's log, and a report of a fault, are read by many."""
VARIABLE = re.compile(r"(?P<option>--env=)?(?P<name>[A-Za-z_]\w*)=.*", re.ASCII | re.DOTALL)


def again(*more: str, without: Collection[str] = ()) -> str:
    """What to type for the same with `more`, without some options, which all have a value.

    A value of --env is left to the shell, by the variable's name.
    """
    return " ".join(["./lab", *_shown(_without(sys.argv[1:], without)), *map(to_paste, more)])


def shown(words: Sequence[str]) -> str:
    """Words of a command line as one line to paste; a value of --env is left to the shell, by the variable's name."""
    return " ".join(_shown(words))


def _shown(words: Sequence[str]) -> Iterator[str]:
    for before, word in zip(["", *words], words, strict=False):
        variable = VARIABLE.fullmatch(word)
        if variable and (before == SECRET or variable["option"]):
            yield f'{variable["option"] or ""}{variable["name"]}="${variable["name"]}"'
        else:
            yield to_paste(word)


def _without(words: Sequence[str], options: Collection[str]) -> list[str]:
    kept: list[str] = []
    of_option = False
    for word in words:
        name, equals, _ = word.partition("=")
        if not of_option and name not in options:
            kept.append(word)
        of_option = not of_option and name in options and not equals
    return kept
