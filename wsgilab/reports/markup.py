"""Text from elsewhere inside Markdown: shown as it stands, never obeyed.

What GitHub makes of bare text is held off too: a mention calls somebody, an image tells its host who reads it.
"""

from __future__ import annotations

import re

ALWAYS = re.compile(r"[\\`*\[\]~|]|(?<!\w)_|_(?!\w)")
"""What means something anywhere in a line; an underscore within a word does not."""
AT_THE_START = re.compile(r"(?P<before>\d*)(?P<mark>[-+#.)])(?=[-+#\s]|$)")
"""What makes a list, a heading or a rule of a line that begins with it: `- `, `## `, `1. `, `---`."""
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
LINKS = ((re.compile(r"://"), "&#58;//"), (re.compile(r"(?<=www)\.", re.IGNORECASE), "&#46;"))
REFERENCES = re.compile(r"([@#])(?=\w)")
NOTHING_WIDE = "&#8203;"


class Marked(str):
    """Markdown that has been made from plain text already."""

    __slots__ = ()


def plain(text: str) -> Marked:
    """One line that shows this text."""
    line = " ".join(text.split())
    line = ALWAYS.sub(r"\\\g<0>", line)
    line = re.sub("[&<>]", lambda found: ENTITIES[found[0]], line)
    if start := AT_THE_START.match(line):
        line = f"{start['before']}\\{start['mark']}{line[start.end() :]}"
    line = REFERENCES.sub(rf"\1{NOTHING_WIDE}", line)
    for pattern, instead in LINKS:
        line = pattern.sub(instead, line)
    return Marked(line)


def bold(text: str) -> Marked:
    """The text in bold."""
    return Marked(f"**{plain(text)}**")


def code(text: str) -> Marked:
    """The text as code: between more backticks than it has in a row."""
    line = " ".join(text.split()) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    room = " " if "`" in (line[0], line[-1]) else ""
    return Marked(f"{fence}{room}{line}{room}{fence}")
