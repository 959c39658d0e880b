"""The nouns of a tuning: a setting of a server, a trial of it, and what came of that. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

GREENLETS = 1000
"""Connections of a gevent worker, as gunicorn has them by default: more than a lab can fill."""
GREEN = "gevent"
NAME = re.compile(r"(?P<family>[a-z]{1,20})(-(?P<kind>[a-z]{1,20}))?-(?P<workers>\d{1,4})(x(?P<threads>\d{1,4}))?")


class Stage(StrEnum):
    """What a trial is for."""

    CALIBRATION = "calibration"
    RACE = "race"
    FINAL = "final"


class Ending(StrEnum):
    """What a trial says about the SLO at its rate."""

    KEPT = "kept"
    MISSED = "missed"
    VOID = "void"
    DIED = "died"


@dataclass(frozen=True, order=True)
class Setting:
    """One way to set a server of a family."""

    family: str
    """`gunicorn`, `uwsgi`."""
    kind: str
    """The worker class of gunicorn; empty for uWSGI, which has one."""
    workers: int
    threads: int = 1
    """Requests that one worker handles at once: threads, or the greenlets that a gevent worker may have."""

    @property
    def slots(self) -> int:
        """How many requests it handles at once."""
        return self.workers * self.threads

    @property
    def name(self) -> str:
        """The name of its variant: `gunicorn-sync-4`, `gunicorn-gthread-2x8`, `uwsgi-4x2`."""
        size = f"{self.workers}" if self.kind in ("sync", GREEN) else f"{self.workers}x{self.threads}"
        return "-".join(part for part in (self.family, self.kind, size) if part)

    @classmethod
    def named(cls, name: str) -> Setting:
        """The setting of that name. Raises ValueError where there can be none."""
        found = NAME.fullmatch(name)
        if not found or not int(found["workers"]):
            raise ValueError(f"'{name:.60}' is no setting")
        kind = found["kind"] or ""
        threads = GREENLETS if kind == GREEN else int(found["threads"] or 1)
        if not threads:
            raise ValueError(f"{name} has no thread")
        return cls(found["family"], kind, int(found["workers"]), threads)


@dataclass(frozen=True)
class Trial:
    """A window to be measured, and why."""

    setting: Setting
    rate_rps: float
    duration_s: float
    stage: Stage
    heat: int = 0
    """Of a race: 1 is the field that physics chose, the others are the leader and its neighbours."""
    round: int = 0
    why: str = ""


@dataclass(frozen=True)
class Attempt:
    """A trial that was made. Figures are None where nobody could measure them."""

    trial: Trial
    ending: Ending
    clear: bool = False
    """So far from the bound of the SLO that one window decides."""
    goodput_rps: float = 0.0
    service_ms: float | None = None
    cpu_ms: float | None = None
    """CPU per request."""
    memory_mb: float | None = None
    at_once: int | None = None
    """Requests inside the app at the same time, at most."""
    took_s: float = 0.0
    died: str = ""
    void: str = ""
    """Why the measurement cannot be trusted; empty where it can, or nobody said."""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        plain = asdict(self)
        return {**plain, "trial": {**plain["trial"], "setting": self.trial.setting.name}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Attempt:
        """An attempt as it was saved."""
        trial = dict(data["trial"])
        trial["setting"], trial["stage"] = Setting.named(trial["setting"]), Stage(trial["stage"])
        return cls(**{**data, "trial": Trial(**trial), "ending": Ending(data["ending"])})


@dataclass(frozen=True)
class Question:
    """What a tuning is to find out."""

    settings: tuple[Setting, ...]
    """All that there are to choose from."""
    references: Mapping[str, Setting] = field(default_factory=dict)
    """What the recommendation is compared with, by what people call it: `today's default`, `2n + 1`."""
    cpus: int = 1
    memory_mb: float | None = None
    """What all of the server may use; None where nothing limits it."""
    budget_s: float = 600.0
    short_s: float = 3.0
    long_s: float = 6.0
    seed: int = 0
    rate_rps: float | None = None
    """The rate that is expected: the cheapest setting that keeps it is asked for, not the one that can do most."""
    headroom: float = 0.3
    asked: str = ""
    """What tells this request apart from others, of another app, say; nothing to read."""
    most_rps: float | None = None
    """About what the load generator can offer: nobody is offered more at first. None where that is not known."""

    @property
    def required_rps(self) -> float | None:
        """The expected rate with room."""
        return None if self.rate_rps is None else self.rate_rps * (1 + self.headroom)

    def offered(self, rate_rps: float) -> float:
        """A rate, or what the load generator can offer where that is less."""
        return rate_rps if self.most_rps is None else min(rate_rps, self.most_rps)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, settings by their names."""
        named = {called: setting.name for called, setting in self.references.items()}
        return {**asdict(self), "settings": [setting.name for setting in self.settings], "references": named}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Question:
        """A question as a manifest keeps it. Raises ValueError for anything else."""
        try:
            settings = [asdict(Setting.named(name)) for name in data["settings"]]
            references = {called: asdict(Setting.named(name)) for called, name in data["references"].items()}
            found = msgspec.convert({**data, "settings": settings, "references": references}, cls)
        except (KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
            raise ValueError(f"it is no question of a tuning ({error!r:.80})") from error
        times = (found.budget_s, found.short_s, found.long_s)
        if (
            not settings
            or found.cpus < 1
            or min(times) <= 0
            or (found.rate_rps is not None and (found.required_rps or 0.0) <= 0)
            or (found.most_rps is not None and found.most_rps <= 0)
        ):
            raise ValueError("it asks for nothing that could be measured")
        return found
