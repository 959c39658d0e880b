"""Which servers the lesson's claims are about: a run that lacks them was not asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wsgilab.model.verdict import ServerRow

DEV, DEV_SINGLE, GUNICORN, UWSGI_SINGLE, UWSGI = "dev", "dev-single", "gunicorn", "uwsgi-single", "uwsgi"
FAMILIES = ((UWSGI_SINGLE, UWSGI), (GUNICORN, "gunicorn-gthread"), (GUNICORN, "gunicorn-gevent"))
"""The same software with fewer and with more slots."""


def pairs(rows: Mapping[str, ServerRow]) -> list[tuple[str, str]]:
    """(a server, the same one set otherwise) of which a run may have both: families, then its variants."""
    return [*FAMILIES, *((row.variant_of, row.server) for row in rows.values() if row.variant_of)]


def lacking(claim: str, rows: Mapping[str, ServerRow]) -> tuple[str, ...]:
    """The servers without which nothing can be said about a claim, and which this run was not to measure."""
    missing = [tuple(name for name in these if name not in rows) for these in _any_of(claim, rows)]
    return min(missing, key=len, default=())


def _any_of(claim: str, rows: Mapping[str, ServerRow]) -> Sequence[tuple[str, ...]]:
    """Sets of servers, each of which tells about the claim. Without any, every run does."""
    others = [name for name in rows if name != GUNICORN]
    found: Mapping[str, Sequence[tuple[str, ...]]] = {
        "built-in-single-threaded": [(DEV,)],
        "built-in-blocks": [(DEV,)],
        "gunicorn-parallel": [(GUNICORN,)],
        "gunicorn-moderate": [(GUNICORN,) if len(others) > 1 else (GUNICORN, DEV, UWSGI)],
        "uwsgi-single-slow": [(UWSGI_SINGLE,)],
        "uwsgi-several-fast": [(UWSGI, UWSGI_SINGLE)],
        "wsgi-beats-built-in": [(DEV, GUNICORN), (DEV, UWSGI)],
        "tuning-pays": pairs(rows),
    }
    return found.get(claim, ())
