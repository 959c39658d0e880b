"""Which setting turned a request away before the app, in the server's own words: in an answer, or in its log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

SAID = {
    "limit_request_line": r"Request Line is too large",
    "limit_request_field_size": r"limit request headers fields size",
    "limit_request_fields": r"limit request headers fields(?! size)",
    "buffer-size": r"invalid (request block|HTTP request) size",
    "large_client_header_buffers": r"Request Header Or Cookie Too Large|Request-URI Too Large",
    "max_request_header_size": r"exceeds max_header of",
}
"""By the setting: what gunicorn says (three of them), uWSGI, nginx and waitress."""


def setting_in(text: str) -> str:
    """The setting that this text names; empty where it names none."""
    return next((setting for setting, words in SAID.items() if re.search(words, text)), "")


def counted(lines: Iterable[str]) -> dict[str, int]:
    """How many of these lines of a log name each setting."""
    return dict(Counter(setting for line in lines if (setting := setting_in(line))))
