"""The command line as it was typed, for what to do next: the same once more, with a bit of it changed."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

from wsgilab.errors import Verbatim, to_paste

SECRET = "--env"
"""The option whose values may be secrets: a pipeline's log, and a report of a fault, are read by many."""
VARIABLE = re.compile(r"(?P<option>--env=)?(?P<name>[A-Za-z_]\w*)=.*", re.ASCII | re.DOTALL)
RUN, HELP = "./lab run", "--help"
PRESETS = {"--quick", "--rigorous"}
"""Of which one at most is typed."""


def again(*more: str, without: Collection[str] = ()) -> str:
    """What to type for the same with `more`, without some options, which all have a value.

    A value of --env is left to the shell, by the variable's name.
    """
    return " ".join(["./lab", *_shown(_without(sys.argv[1:], without)), *map(to_paste, more)])


def in_place_of_run(line: str, flags: Mapping[str, bool]) -> str:
    """What to do next, where code that several commands share says `./lab run`: the command that was typed once more.

    The options of `line` take the place of its own, as far as it has them. `flags`: its options, and whether each is
    one without a value.
    """
    before, run, after = line.partition(RUN)
    if not run or isinstance(line, Verbatim):
        return line
    if after.strip() == HELP:
        return Verbatim(f"{before}./lab {sys.argv[1]} {HELP}")
    known = [option for option in _options(shlex.split(after)) if flags.get(option[0]) == (len(option) == 1)]
    there = {word.partition("=")[0] for word in sys.argv[1:]}
    there |= PRESETS if there & PRESETS else set()
    new = [option for option in known if len(option) > 1 or option[0] not in there]
    return Verbatim(before + again(*chain(*new), without={option[0] for option in new if len(option) > 1}))


def shown(words: Sequence[str]) -> str:
    """Words of a command line as one line to paste; a value of --env is left to the shell, by the variable's name."""
    return " ".join(_shown(words))


def _options(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Each option with its value, where it has one."""
    found: list[tuple[str, ...]] = []
    for word in words:
        if word.startswith("--"):
            found.append((word,))
        elif found:
            found[-1] += (word,)
    return found


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
