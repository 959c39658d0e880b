"""manifest.json as a record: what ran where, with which settings, in which order. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wsgilab.model.floor import Floor

MANIFEST_SCHEMA = 1

Fact = str | bool | int | float | None
Facts = Mapping[str, Fact | tuple[Fact, ...]]
"""Names and values, nothing nested deeper than a list."""


@dataclass(frozen=True)
class ServerEntry:
    """A server as it ran."""

    name: str
    pattern: str | None = None
    concurrency: str | None = None
    slots: int | None = None
    via: str | None = None
    variant_of: str | None = None
    colour: str | None = None
    marker: str | None = None
    command: str | tuple[str, ...] | None = None
    environment: Mapping[str, Fact] | None = None


@dataclass(frozen=True)
class ServiceEntry:
    """What the app talked to, as it ran."""

    name: str
    about: str | None = None
    """Its command, or which service of a Compose file it is."""
    cpus: str | None = None
    exports: tuple[str, ...] = ()
    """The variables that told the app where it was; never their values."""
    cpu_s: float | None = None
    """What it used in all, from its start to the last window; None where nobody can tell."""


@dataclass(frozen=True)
class Manifest:
    """Everything that could explain a number. None or empty: not known, or nothing to say."""

    schema: int = MANIFEST_SCHEMA
    wsgilab: str | None = None
    """Version of the lab."""
    command: str | None = None
    """`run`, `capacity`, `tune` or `gate`."""
    started_at: str | None = None
    finished_at: str | None = None
    """None while the run is under way, and for ever where it was killed."""
    engine: str | None = None
    engine_why: str | None = None
    workload: str | None = None
    rates_rps: tuple[float, ...] = ()
    rounds: int | None = None
    duration_s: float | None = None
    warmup_s: float | None = None
    timeout_s: float | None = None
    grace_s: float | None = None
    keep_alive: bool | None = None
    """Whether connections were used again; each request opened one of its own otherwise."""
    generators: int | None = None
    """How many k6 shared the schedule of each window; None where there was one."""
    slo: str | None = None
    seed: int | None = None
    host: Facts = field(default_factory=dict)
    versions: Facts = field(default_factory=dict)
    origins: Facts = field(default_factory=dict)
    """Where programs are from that may come from several places."""
    images: Facts = field(default_factory=dict)
    limits: Facts = field(default_factory=dict)
    cpu_sets: Mapping[str, str] = field(default_factory=dict)
    not_pinned: str | None = None
    """Which servers may use other CPUs than they were given, as a sentence; None where they keep to theirs."""
    unequal: tuple[str, ...] = ()
    """Of a run that was to have equal slots: which servers could not, a sentence each."""
    floor: tuple[Floor, ...] = ()
    """What generator, connection and machine take, at each rate."""
    floor_unknown: str | None = None
    """Why that is not known."""
    paths_ms: Mapping[str, float] = field(default_factory=dict)
    """How long a connection from each load host to the servers' machine takes: the median. Empty for load from here."""
    servers: tuple[ServerEntry, ...] = ()
    services: tuple[ServiceEntry, ...] = ()
    """What the app talked to, next to the servers."""
    state: str | None = None
    """What became of the files that the app writes; None where it was served from its own folder."""
    order: tuple[tuple[int, str, float], ...] | None = None
    """(round, server, rate) of each window that was to be measured; of a run whose windows were known before."""
    search: Mapping[str, float] | None = None
    """How a capacity was searched for."""
    tuning: Mapping[str, Fact | tuple[Fact, ...] | Mapping[str, str]] | None = None
    """What a tuning was asked: the fields of `model.tuning.Question`, settings by their names."""
    prometheus: str | None = None
    """The address that recorded the run."""

    @property
    def says_nothing(self) -> bool:
        """Whether all of it is unknown."""
        return self == Manifest()

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values. What is not known is left out, but for what `null` says: no end, no Prometheus."""
        said_by_null = ("finished_at", "prometheus")
        return {key: value for key, value in asdict(self).items() if value is not None or key in said_by_null}
