"""Everything that could explain a number: what ran where, with which settings, in which order."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wsgilab import __version__
from wsgilab.engines import Engine
from wsgilab.lab.servers import Lab
from wsgilab.machine.cpus import available, listed
from wsgilab.measure.generator import LoadGenerator
from wsgilab.measure.job import Job
from wsgilab.measure.pinning import not_alone, not_pinned
from wsgilab.measure.readings import identity
from wsgilab.measure.windows import Settings
from wsgilab.model.conditions import Conditions
from wsgilab.model.manifest import Facts, Manifest, ServerEntry, ServiceEntry
from wsgilab.model.needs import Needs
from wsgilab.model.privacy import HIDDEN, private
from wsgilab.model.server import Server

OF_EVERY_CONTAINER = ("machine", "cpu_model", "cpus", "memory_mb", "kernel")
"""Facts of the host that look the same from inside a container."""


def describe(job: Job, lab: Lab, engine: Engine, engine_why: str, generator: LoadGenerator) -> Manifest:
    """The manifest of a run that starts now. `engine.start` has been called: versions are those that run.

    Values of secrets and the user's home folder are hidden: reports are passed on.
    """
    settings = job.settings
    facts = engine.facts()
    running = {server.name: dict(identity(engine.endpoint(server).exporter_url)) for server in engine.running}
    may_use = {name: said.pop("cpus", "") for name, said in running.items() if said}  # who is silent says neither
    commands = {name: said.pop("command", None) for name, said in running.items()}
    found = Manifest(
        wsgilab=__version__,
        command=job.command,
        started_at=utc_now().isoformat(timespec="seconds"),
        engine=engine.name,
        engine_why=engine_why,
        workload=settings.workload,
        rates_rps=tuple(settings.rates_rps),
        rounds=settings.rounds,
        duration_s=settings.duration_s,
        warmup_s=settings.warmup_s,
        timeout_s=settings.timeout_s,
        grace_s=settings.grace_s,
        keep_alive=settings.keep_alive,
        slo=str(job.objective),
        seed=settings.seed,
        host=_facts(facts.get("host")) or host(),
        versions={**_common(running), **_facts(facts.get("versions")), generator.name: generator.version},
        origins={generator.name: generator.origin},
        images=_facts(facts.get("images")),
        limits=_facts(facts.get("limits")),
        not_pinned=_not_pinned(engine, lab.cpus("SERVER_CPUS"), may_use),
        cpu_sets=_cpu_sets(lab),
        unequal=lab.remarks,
        servers=tuple(_server(server, commands.get(server.name)) for server in engine.servers),
        **job.schedule,
    )
    return private(found, os.path.expanduser("~"))


def with_needs(needs: Needs, lab: Lab, cpu_s: Mapping[str, float]) -> dict[str, Any]:
    """The fields of a manifest that say what the app needs; `cpu_s`: what each service has used."""
    entries = (
        ServiceEntry(
            name=service.name,
            about=service.about,
            cpus=listed(lab.service_cpus),
            exports=tuple(service.export),
            cpu_s=round(cpu_s[service.name], 2) if service.name in cpu_s else None,
        )
        for service in needs.services
    )
    state = needs.state.about if needs.state else None
    said = private(Manifest(services=tuple(entries), state=state), os.path.expanduser("~"))
    return {"services": said.services, "state": said.state}


def foreseen(settings: Settings, lab: Lab, servers: Sequence[Server], elsewhere: bool = False) -> Conditions:
    """What is known of a run's conditions before it starts. `elsewhere`: its servers will run on another machine."""
    apps = {server.environment.get("LAB_APP") for server in servers}
    return Conditions(
        app=apps.pop() if len(apps) == 1 else None,
        workload=settings.workload,
        duration_s=settings.duration_s,
        warmup_s=settings.warmup_s,
        timeout_s=settings.timeout_s,
        grace_s=settings.grace_s,
        keep_alive=settings.keep_alive,
        host={name: fact for name, fact in host().items() if name in OF_EVERY_CONTAINER and not elsewhere},
        cpu_sets=_cpu_sets(lab),
    )


def host() -> Facts:
    """This machine, as far as it matters to a number. Memory in MB."""
    return {
        "cpus": os.cpu_count(),
        "cpus_usable": len(available()) or os.cpu_count(),
        "cpu_model": _first("/proc/cpuinfo", "model name") or platform.processor(),
        "memory_mb": int((_first("/proc/meminfo", "MemTotal") or "0").split()[0]) // 1024 or None,
        "kernel": platform.release(),
        "os": _first("/etc/os-release", "PRETTY_NAME", "=") or platform.system(),
        "machine": platform.machine(),
    }


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def _server(server: Server, command: str | None) -> ServerEntry:
    """A server as it ran. `command`: what its exporter says is running; None where it does not."""
    return ServerEntry(
        name=server.name,
        pattern=server.pattern,
        concurrency=server.concurrency,
        slots=server.slots,
        via=server.via,
        variant_of=server.variant_of,
        colour=server.colour,
        marker=server.marker,
        command=command or " ".join(server.command),
        environment={**server.environment, **dict.fromkeys(server.app.variables if server.app else (), HIDDEN)},
    )


def _not_pinned(engine: Engine, wanted: Set[int], may_use: Mapping[str, str]) -> str | None:
    """Which servers share CPUs that they should not, as a sentence; in a cluster only how many there are was said."""
    return not_alone(len(wanted), may_use) if engine.name == "kubernetes" else not_pinned(wanted, may_use)


def _cpu_sets(lab: Lab) -> dict[str, str]:
    load = ", ".join(lab.load_hosts) or lab.variables.get("LOAD_CPUS", "")
    return {"servers": lab.variables.get("SERVER_CPUS", ""), "load": load}


def _common(versions: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The versions that the servers report. They share one image, so the first that knows one speaks for all."""
    return {name: version for said in reversed(list(versions.values())) for name, version in said.items()}


def _facts(value: object) -> Facts:
    if not isinstance(value, Mapping):
        return {}
    return {name: tuple(item) if isinstance(item, list) else item for name, item in value.items()}


def _first(path: str, key: str, separator: str = ":") -> str | None:
    """The value of the first line of a file that starts with a key; None where there is none."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    values = (line.partition(separator)[2] for line in lines if line.startswith(key))
    return next(values, "").strip().strip('"') or None
