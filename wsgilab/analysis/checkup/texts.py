"""Whether two answers say the same, but for what no two answers share: dates, ids, tokens, the server's own address.

What also differs between two answers of one server is no difference between servers. It is found by laying those two
next to each other: the words that both have, in order, are the template of that server's answer; the rest are gaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from wsgilab.model.checkup import Answer, Checkup

WORD = re.compile(r"\w+|\s+|[^\w\s]")
DATES_AND_IDS = re.compile(
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT"  # HTTP
    r"|\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"  # ISO 8601
    r"|\b\d{1,2}:\d{2}:\d{2}\b"
    r"|\b1[6-9]\d{8}(?:\.\d+|\d{3})?\b"  # seconds or milliseconds since 1970
    r"|\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
    # Signed (itsdangerous: payload, seconds, signature) or random: the same for a session, within a second.
    r"|(?<![\w.-])[\w-]{8,}\.[\w-]{4,8}\.[\w-]{20,}(?![\w.-])"
    r"|\b(?=\w*\d)(?=\w*[A-Za-z])\w{32,}\b"
)
HIDDEN, HOST, PROCESS = "…", "HOST", "PROCESS"
LOOPBACK = "127.0.0.1"
MOST_WORDS = 3_000
BEFORE, AFTER = 24, 36
Template = tuple[str | None, ...]
"""Words, and None for a gap."""


def template(texts: Sequence[str]) -> Template:
    """What several texts have in common."""
    first, *others = [tuple(WORD.findall(text)) for text in texts]
    common: Template = first
    for other in others:
        common = _in_common(common, other)
    return common


def normalised(text: str, answer: Answer, checkup: Checkup) -> str:
    """A text of an answer without what only this server, this worker or this moment could say.

    The client's address is left out too: `proxies` looks at that.
    """
    for name in dict.fromkeys((checkup.address, checkup.address.partition(":")[0])):
        if name and name != LOOPBACK:
            text = text.replace(name, HOST)
    if answer.statement:
        text = re.sub(rf"\b{answer.statement.worker}\b", PROCESS, text)
        text = without_address(text, answer.statement.client)
    return DATES_AND_IDS.sub(HIDDEN, text)


def shows_address(text: str, address: str) -> bool:
    """Whether a text names this address, and not as a part of a longer one or before a port."""
    return bool(address) and without_address(text, address) != text


def without_address(text: str, address: str) -> str:
    """The text without an address."""
    return re.sub(rf"(?<![\w./]){re.escape(address)}(?![\w.:])", "", text) if address else text


def same(one: Template, other: Template) -> bool:
    """Whether two templates say the same wherever neither has a gap."""
    return all(None in ours or None in theirs for ours, theirs in _differences(one, other))


def first_difference(one: Template, other: Template) -> tuple[str, str]:
    """The first place where two templates differ, as each of them has it: short enough for a sentence."""
    ours, theirs = _shown(one), _shown(other)
    at = _shared(ours, theirs)
    word = at - len(re.split(r"\W", ours[:at])[-1])  # from the start of a word
    return _excerpt(ours, word), _excerpt(theirs, word)


def _in_common(one: Template, other: Template) -> Template:
    """The words that both have, in order, with a gap wherever either has others between them."""
    common: list[str | None] = []
    for is_equal, ours, _ in _blocks(one, other):
        if is_equal:
            common += ours
        elif not common or common[-1] is not None:
            common.append(None)
    return tuple(common)


def _differences(one: Template, other: Template) -> Iterator[tuple[Template, Template]]:
    return ((ours, theirs) for is_equal, ours, theirs in _blocks(one, other) if not is_equal)


def _blocks(one: Template, other: Template) -> Iterator[tuple[bool, Template, Template]]:
    """Both in turns of what is equal and what is not."""
    start = _shared(one, other)
    end = _shared(one[start:][::-1], other[start:][::-1])
    middle_of_one, middle_of_other = one[start : len(one) - end], other[start : len(other) - end]
    yield True, one[:start], other[:start]
    if max(len(middle_of_one), len(middle_of_other)) > MOST_WORDS:  # the comparison takes the square of that
        yield False, middle_of_one, middle_of_other
    else:
        matcher = SequenceMatcher(None, middle_of_one, middle_of_other, autojunk=False)
        for kind, a, b, c, d in matcher.get_opcodes():
            yield kind == "equal", middle_of_one[a:b], middle_of_other[c:d]
    yield True, one[len(one) - end :], other[len(other) - end :]


def _shared(one: Sequence[str | None], other: Sequence[str | None]) -> int:
    """How much is the same from the start on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (ours, theirs) in pairs if ours != theirs), min(len(one), len(other)))


def _shown(words: Template) -> str:
    return "".join(HIDDEN if word is None else word for word in words)


def _excerpt(text: str, at: int) -> str:
    start, end = max(0, at - BEFORE), min(len(text), at + AFTER)
    inner = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{inner}{'…' if end < len(text) else ''}"
