"""Settings and sizes as a person would say them. Pure."""

from __future__ import annotations

from wsgilab.model import words
from wsgilab.model.interval import Interval
from wsgilab.model.tuning import Setting


def in_words(setting: Setting) -> str:
    """A setting as a person would say it: `2 gthread workers with 8 threads each`, `4 processes`."""
    if setting.family == "uwsgi":
        workers = "1 process" if setting.workers == 1 else f"{setting.workers} processes"
    else:
        workers = words.counted(setting.workers, f"{setting.kind} worker")
    if setting.threads == 1 or setting.kind == "gevent":
        return workers
    of_each = " each" if setting.workers > 1 else ""
    return f"{workers} with {words.counted(setting.threads, 'thread')}{of_each}"


def megabytes(mb: float) -> str:
    """`118 MB`; what is less than one is said to be that."""
    return "less than 1 MB" if 0 <= mb < 1 else f"{words.number(mb)} MB"


def capacity(figure: Interval | None) -> str:
    """`312 rps (305–319)`; `at least 2990 rps` where more could not be measured."""
    if figure is not None and figure.censored:
        return f"at least {words.number(figure.value)} rps"
    return words.with_range(words.amount(figure, "rps"), words.amount_range(figure))
