"""What a run was measured on and with: what must be equal before its figures and another run's may be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from wsgilab.model.manifest import Facts, Manifest

HOST = ("machine", "cpu_model", "cpus", "cpus_usable", "memory_mb", "os", "kernel")


@dataclass(frozen=True)
class Conditions:
    """The machine, the limits, the load and its windows. None or empty: not known."""

    engine: str | None = None
    workload: str | None = None
    app: str | None = None
    """MODULE:ATTRIBUTE of the app, where all servers have the same."""
    duration_s: float | None = None
    warmup_s: float | None = None
    timeout_s: float | None = None
    grace_s: float | None = None
    keep_alive: bool | None = None
    """Whether connections were used again; each request opened one of its own otherwise."""
    host: Facts = field(default_factory=dict)
    """The machine, as far as it matters to a figure."""
    limits: Facts = field(default_factory=dict)
    cpu_sets: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest) -> Conditions:
        """Those that a manifest names."""
        apps = {str((entry.environment or {}).get("LAB_APP", "")) for entry in manifest.servers}
        return cls(
            engine=manifest.engine,
            workload=manifest.workload,
            app=next(iter(apps)) or None if len(apps) == 1 else None,
            duration_s=manifest.duration_s,
            warmup_s=manifest.warmup_s,
            timeout_s=manifest.timeout_s,
            grace_s=manifest.grace_s,
            keep_alive=manifest.keep_alive,
            host={name: manifest.host[name] for name in HOST if name in manifest.host},
            limits=manifest.limits,
            cpu_sets=manifest.cpu_sets,
        )

    @property
    def unknown(self) -> bool:
        """Whether nothing is known of them."""
        return self == Conditions()

    def as_far_as(self, other: Conditions) -> Conditions:
        """These, but what the other one does not know."""
        narrowed: dict[str, Any] = {}
        for name in (known.name for known in fields(self)):
            mine, others = getattr(self, name), getattr(other, name)
            if isinstance(others, Mapping):
                narrowed[name] = {key: fact for key, fact in mine.items() if key in others}
            else:
                narrowed[name] = None if others is None else mine
        return Conditions(**narrowed)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "host": _lists(self.host), "limits": _lists(self.limits)}


def _lists(facts: Facts) -> dict[str, Any]:
    return {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in facts.items()}
