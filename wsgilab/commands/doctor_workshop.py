"""What a laptop needs for a workshop, on the day before: everything that a room without a network cannot fetch."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from wsgilab.engines import compose
from wsgilab.errors import to_paste
from wsgilab.lab.servers import Lab, published_ports
from wsgilab.machine import processes
from wsgilab.machine.cpus import available
from wsgilab.machine.ports import another, holder, is_free
from wsgilab.model.finding import MISSING, ODD, OK, Finding
from wsgilab.model.words import listed

PROGRAMS = ("flask", "gunicorn", "uwsgi", "waitress-serve", "granian")
SYSTEM = Path("/sys")
FREE_MB, FREE_MB_WITH_DOCKER = 1_000, 6_000
LEAST_CPUS = 2
FULL_SPEED = "powerprofilesctl set performance"
FULL_SPEED_WITHOUT_IT = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


def examine(lab: Lab) -> Iterator[Finding]:
    """Every check that a workshop needs besides those of a run."""
    with_docker = compose.why_not() is None
    carried = [_servers(Path(sys.executable).parent), *([_images(lab.root)] if with_docker else [])]
    yield from carried
    yield for_others(carried)
    yield from _pages(lab, with_docker)
    yield from _cpus(len(available()))
    yield from power(SYSTEM)
    yield _disk(lab.root, FREE_MB_WITH_DOCKER if with_docker else FREE_MB)
    yield clock(time.time(), (lab.root / "CHANGELOG.md").stat().st_mtime)


def for_others(carried: Sequence[Finding]) -> Finding:
    """That a machine which has everything can make a bundle, and one which lacks something can use one."""
    if all(finding.state == OK for finding in carried):
        return Finding("Bundle", OK, "for laptops that come without all this, ./lab bundle packs it into one file")
    return Finding("Bundle", ODD, "what is missing can come from a stick: ./lab bundle --use FILE, without a network")


def power(system: Path) -> Iterator[Finding]:
    """What makes a laptop slow at times: a battery, a governor that saves. Nothing where the system does not tell."""
    states = [_read(path) for path in system.glob("class/power_supply/*/status")]
    if "Discharging" in states:
        text = "on battery: the CPU changes its speed while it measures; plug it in"
        yield Finding("Power", ODD, text)
    governors = {_read(path) for path in system.glob("devices/system/cpu/cpu*/cpufreq/scaling_governor")}
    if "powersave" in governors:
        text = "the CPU's governor is 'powersave': it may be slow to speed up, and figures scatter"
        yield Finding("Power", ODD, text, FULL_SPEED if shutil.which("powerprofilesctl") else FULL_SPEED_WITHOUT_IT)
    if "Discharging" not in states and "powersave" not in governors:
        yield Finding("Power", OK, "nothing seen that saves it")


def clock(now: float, newest: float) -> Finding:
    """A clock that is behind voids certificates and sorts runs wrongly. Times in epoch seconds."""
    said = f"{datetime.fromtimestamp(now).astimezone():%Y-%m-%d %H:%M %Z}"
    if now < newest:
        return Finding("Clock", MISSING, f"{said}, and files of this clone are newer", "sudo timedatectl set-ntp true")
    return Finding("Clock", OK, said)


def _servers(programs: Path) -> Finding:
    missing = [name for name in PROGRAMS if not (programs / name).exists()]
    if missing:
        said = f"{', '.join(missing)} not in {programs}"
        return Finding("Servers", MISSING, said, "rm -r .venv; ./lab doctor --workshop")
    return Finding("Servers", OK, f"all of them are installed in {programs}")


def _images(root: Path) -> Finding:
    described = processes.ask(["docker", "compose", "config", "--format", "json"], root)
    if not described.ok:
        return Finding(
            "Images", MISSING, f"compose.yaml cannot be read ({described.last_line})", "docker compose config"
        )
    names = {service["image"] for service in json.loads(described.out)["services"].values()}
    missing = sorted(name for name in names if not processes.ask(["docker", "image", "inspect", name]).ok)
    if missing:
        fix = "docker compose build && docker compose pull --ignore-buildable"
        return Finding("Images", MISSING, f"{', '.join(missing)} not here", fix)
    return Finding("Images", OK, f"all {len(names)} of them are here")


def _pages(lab: Lab, with_docker: bool) -> Iterator[Finding]:
    """The ports of Grafana and Prometheus; that of the home page is looked at for every run."""
    services = ("grafana", "prometheus") if with_docker else ("prometheus",)
    start = "docker compose up" if with_docker else "./lab run --prometheus"
    ports = dict(port for service in services for port in published_ports(lab, service))
    taken = [port for port in ports if not is_free(port)]
    for port in taken:
        text = f"{port} ({ports[port]}) is in use by {holder(port)}"
        yield Finding("Pages", ODD, text, f"{ports[port]}={another(port)} {start}")
    if not taken:
        yield Finding("Pages", OK, f"{listed(list(map(str, ports)))} {'are' if len(ports) > 1 else 'is'} free")


def _cpus(usable: int) -> Iterator[Finding]:
    if 0 < usable < LEAST_CPUS:
        said = "one CPU, which servers and load share, and no setting adds one"
        yield Finding("Cores", ODD, f"{said}: compare servers, and believe no absolute figure")


def _disk(root: Path, least_mb: int) -> Finding:
    free_mb = shutil.disk_usage(root).free // 1_000_000
    if free_mb < least_mb:
        return Finding("Disk", MISSING, f"{free_mb} MB free, {least_mb} MB wanted", to_paste("df", "-h", root))
    return Finding("Disk", OK, f"{free_mb} MB free")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
