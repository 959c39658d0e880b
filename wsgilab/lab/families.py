"""How a setting of a family of servers is made: which server of compose.yaml it is, and by which of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wsgilab.errors import UsageError, did_you_mean
from wsgilab.lab.servers import Lab
from wsgilab.lab.variants import Variant
from wsgilab.model.tuning import Setting


@dataclass(frozen=True)
class Way:
    """A server of compose.yaml, and what its workers and their threads are set by."""

    server: str
    workers: str
    threads: str = ""
    """Empty where a worker has one, or as many as it wants."""


WAYS: Mapping[tuple[str, str], Way] = {
    ("gunicorn", "sync"): Way("gunicorn", "GUNICORN_WORKERS"),
    ("gunicorn", "gthread"): Way("gunicorn-gthread", "GTHREAD_WORKERS", "GTHREAD_THREADS"),
    ("gunicorn", "gevent"): Way("gunicorn-gevent", "GEVENT_WORKERS", "GEVENT_CONNECTIONS"),
    ("uwsgi", ""): Way("uwsgi", "UWSGI_PROCESSES", "UWSGI_THREADS"),
}
"""By family and kind of worker."""
FAMILIES = tuple(dict.fromkeys(family for family, _ in WAYS))
ALL = "all"
KIND_TODAY: Mapping[str, str] = {"gunicorn": "sync", "uwsgi": ""}
"""The kind of worker that a family has where nobody says which."""


def families_of(asked: str) -> tuple[str, ...]:
    """The families that `--server` asks for. Raises UsageError."""
    if asked == ALL:
        return FAMILIES
    if asked not in FAMILIES:
        known = (*FAMILIES, ALL)
        cause = did_you_mean(asked, known, f"it can tune {', '.join(FAMILIES)}, or {ALL} of them")
        raise UsageError(f"There is no server '{asked}' to tune.", cause, "./lab tune --server gunicorn")
    return (asked,)


def variant_of(setting: Setting) -> Variant:
    """The variant of a server that this setting is."""
    way = WAYS[setting.family, setting.kind]
    settings = {way.workers: str(setting.workers)}
    if way.threads:
        settings[way.threads] = str(setting.threads)
    return Variant(setting.name, way.server, settings)


def default_of(family: str, lab: Lab) -> Setting:
    """The setting that a family has today: by compose.yaml, .env and what the user has set."""
    kind = KIND_TODAY[family]
    counts = [int(count) for count in lab.servers[WAYS[family, kind].server].concurrency.split(" x ")]
    return Setting(family, kind, *counts)
