"""What is missing or odd on this machine, and the command that fixes it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from wsgilab.commands import doctor_app, doctor_grafana, doctor_hosts, doctor_workshop, environment, values
from wsgilab.commands.console import console, say, show_json
from wsgilab.commands.grammar import Command, as_json, debug, flag, option
from wsgilab.commands.options import several_hosts, unmeasured
from wsgilab.engines import compose
from wsgilab.errors import EXIT_DONE, EXIT_MISSING, LabError, to_paste
from wsgilab.lab.servers import Lab, published_ports
from wsgilab.machine import leftovers
from wsgilab.machine.cpus import available, listed, proposed
from wsgilab.machine.packages import Package, can_fetch_packages
from wsgilab.machine.ports import another, holder, is_free
from wsgilab.machine.tools import (
    NGINX,
    PROMETHEUS,
    REPACKAGED,
    find_browser,
    find_k6,
    find_nginx,
    origin_of_k6,
    prometheus_at_hand,
)
from wsgilab.measure.k6 import version_of_k6
from wsgilab.model.finding import MISSING, ODD, OK, Finding

STYLES = {OK: "green", ODD: "yellow", MISSING: "red"}
DISK_MB = 200
ENGINE_SOCKET = "unix:///var/run/docker.sock"
"""Where the engine of this very machine listens, by default."""


@click.command(cls=Command, name="doctor", example="./lab doctor --app-dir ~/shop --app shop:create_app")
@option(
    "--grafana",
    type=values.WEB_ADDRESS,
    group="What is looked at",
    metavar="URL",
    help="Instead, ask a running Grafana whether every dashboard opens and every panel has data.",
)
@flag("--clean", "What is looked at", "End and remove what killed runs left behind.")
@flag(
    "--workshop",
    "What is looked at",
    "Also check what a workshop needs, on the day before: in the room, nothing can be fetched.",
)
@several_hosts()
@unmeasured()
@as_json("Print the findings as JSON.")
@debug
def command(grafana: str | None, clean: bool, workshop: bool, as_json: bool, **asked: Any) -> int:
    """Say what is missing or odd on this machine, and the command that fixes it.

    With an app (--app-dir), say instead what it does differently under each server. Each kind of request in its
    lab.toml, or each GET route, is sent a few times to each server, without load.
    """
    if clean:
        for left in leftovers.clear():
            say(f"ended and removed: {left}")
    if together := environment.together(asked):
        findings = list(doctor_hosts.examine(together))
    else:
        findings = _findings(grafana, workshop, asked)
    if as_json:
        show_json([finding.to_json() for finding in findings])
    else:
        show(findings, console(sys.stdout))
    return exit_code(findings)


def _findings(grafana: str | None, workshop: bool, asked: dict[str, Any]) -> list[Finding]:
    if doctor_app.is_asked_for(asked):
        return list(doctor_app.examine(asked))
    lab = environment.lab()
    findings = list(doctor_grafana.examine(lab, grafana)) if grafana else examine(lab)
    return [*findings, *(doctor_workshop.examine(lab) if workshop else ())]


def examine(lab: Lab) -> list[Finding]:
    """Every check, in the order in which a run would need it."""
    return [
        Finding("Python", OK, f"{platform.python_version()} at {sys.executable}"),
        _k6(),
        _nginx(),
        _prometheus(),
        _browser(),
        _docker(),
        *_cpus(lab),
        *_ports(lab),
        _results(lab),
        *_load(),
        *_root(),
        *_left_behind(),
    ]


def exit_code(findings: Sequence[Finding]) -> int:
    """0 when nothing is missing, 3 otherwise."""
    return EXIT_MISSING if any(finding.state == MISSING for finding in findings) else EXIT_DONE


def show(findings: Sequence[Finding], out: Console) -> None:
    """One line for each finding; below it under which servers it was seen, what it means, and what fixes it."""
    for finding in findings:
        out.print(f"[{STYLES[finding.state]}]{finding.state:8}[/]", end="")
        out.print(f"{finding.what}: {finding.said}", markup=False, highlight=False, soft_wrap=True)
        for text in _more(finding):
            out.print(f"        {text}", markup=False, highlight=False, soft_wrap=True)


def _more(finding: Finding) -> Iterator[str]:
    if finding.servers:
        yield f"under: {', '.join(finding.servers)}"
    if finding.means:
        yield f"means: {finding.means}"
    if finding.fix:
        yield f"→ {finding.fix}"


def _k6() -> Finding:
    try:
        path = find_k6()
    except LabError as error:
        return Finding("k6", MISSING, error.what, error.next_command)
    note = f" ({REPACKAGED}; a k6 on PATH is preferred)" if origin_of_k6(path) == REPACKAGED else ""
    return Finding("k6", OK, f"{version_of_k6(str(path))} at {path}{note}")


def _nginx() -> Finding:
    try:
        nginx = find_nginx(say)
    except LabError as error:
        return Finding("nginx", MISSING, f"{error.what} ({error.cause})", error.next_command)
    return _program("nginx", nginx.binary, NGINX)


def _prometheus() -> Finding:
    """The one of local runs that are recorded; nothing is fetched to find out."""
    try:
        path = prometheus_at_hand()
    except LabError as error:
        return Finding("Prometheus", ODD, f"{error.what} ({error.cause})", error.next_command)
    if path:
        return _program("Prometheus", path, PROMETHEUS)
    said = "none of version 3: local runs are measured and judged without it, but `./lab view` has nothing to show; "
    if can_fetch_packages():
        said += "a run with --prometheus fetches Debian's package, once"
        return Finding("Prometheus", ODD, said, "./lab run --prometheus")
    said += "https://prometheus.io/download/ has it"
    return Finding("Prometheus", ODD, said, "LAB_PROMETHEUS=/path/to/prometheus ./lab run --prometheus")


def _browser() -> Finding:
    """The one that clicks; nothing else needs it."""
    try:
        return Finding("Browser", OK, str(find_browser()))
    except LabError as error:
        return Finding("Browser", ODD, f"{error.what} Only `./lab vitals` needs one.", error.next_command)


def _program(what: str, path: Path, package: Package) -> Finding:
    """One that is there: on PATH, where somebody looks after it, or in the cache, where it grows old."""
    if path != package.binary:
        return Finding(what, OK, str(path))
    said = f"{path}, fetched {package.age_days} days ago"
    if not package.is_old:
        return Finding(what, OK, said)
    return Finding(
        what,
        ODD,
        f"{said}: security updates since then are not in it; the next run that reaches apt's mirror renews it",
        to_paste("sudo", "apt-get", "install", package.name),
    )


def _docker() -> Finding:
    reason = compose.why_not()
    if reason is None:
        return Finding("Docker Compose", OK, "an engine answers")
    said = f"not usable ({reason}); nothing needs to be done: servers run as local processes"
    if ENGINE_SOCKET in reason and "permission denied" not in reason:
        return Finding("Docker Compose", ODD, f"{said}, unless it is started", "sudo systemctl start docker")
    return Finding("Docker Compose", ODD, said)


def _cpus(lab: Lab) -> Iterator[Finding]:
    usable = available()
    if not usable:
        said = "this system pins no process to a CPU: servers and load share all of them, which no setting changes"
        yield Finding("CPUs", ODD, said)
        return
    sets = {name: lab.cpus(name) for name in ("SERVER_CPUS", "LOAD_CPUS")}
    servers, load = proposed(usable, len(sets["SERVER_CPUS"]))
    fix = f"SERVER_CPUS={listed(servers)} LOAD_CPUS={listed(load)} ./lab run"
    for name, cpus in sets.items():
        if not cpus <= usable:
            text = f"{name}={lab.variables[name]}, but only {listed(usable)} may be used here"
            yield Finding("CPUs", MISSING, text, fix)
    if shared := sets["SERVER_CPUS"] & sets["LOAD_CPUS"]:
        text = f"servers and load share CPU {listed(shared)}: k6 slows down what it measures"
        alone = "; there is no other, so compare servers, and believe no absolute figure"
        yield Finding("CPUs", ODD, text + (alone if servers == load else ""), "" if servers == load else fix)
    elif all(cpus <= usable for cpus in sets.values()):
        where = f"servers on {listed(sets['SERVER_CPUS'])}, load on {listed(sets['LOAD_CPUS'])}"
        yield Finding("CPUs", OK, f"{len(usable)}; {where}")


def _ports(lab: Lab) -> Iterator[Finding]:
    taken = [server for server in lab.servers.values() if not is_free(server.port)]
    for server in taken:
        text = f"{server.port} ({server.name}) is in use by {holder(server.port)}"
        yield Finding("Port", ODD, text, f"{server.port_variable}={another(server.port)} ./lab run")
    if not taken:
        ports = [server.port for server in lab.servers.values()]
        yield Finding("Ports", OK, f"{min(ports)} to {max(ports)} are free")
    for port, _ in published_ports(lab, "home"):
        if not is_free(port):
            text = f"{port} (the home page) is in use by {holder(port)}"
            yield Finding("Port", ODD, text, f"./lab view --port {another(port)}")


def _results(lab: Lab) -> Finding:
    folder = lab.root / "results"
    if not os.access(folder, os.W_OK):
        return Finding("Results", MISSING, f"{folder} cannot be written", f"sudo chown $(id -u) {to_paste(folder)}")
    free_mb = shutil.disk_usage(folder).free // 1_000_000
    if free_mb < DISK_MB:
        what = f"only {free_mb} MB free in {folder}; --out writes to another disk"
        return Finding("Results", ODD, what, to_paste("df", "-h", folder))
    return Finding("Results", OK, f"{folder}, {free_mb} MB free")


def _load() -> Iterator[Finding]:
    busy = os.getloadavg()[0]
    if busy > 0.5:
        text = f"{busy:.1f} processes ran on average in the last minute: they will disturb a measurement"
        yield Finding("Load", ODD, text, "ps -eo pid,pcpu,args --sort=-pcpu | head")


def _root() -> Iterator[Finding]:
    if os.geteuid() == 0:
        said, by = "root: local servers run as root too, and none needs to be", environment.by_sudo()
        if by:
            yield Finding("User", ODD, said, to_paste("sudo", "-u", by, "./lab", "run"))
        else:
            alone = "where there is no other user, as in a container, nothing needs to be done"
            yield Finding("User", ODD, f"{said}; {alone}")


def _left_behind() -> Iterator[Finding]:
    """What runs that were killed have left: nobody else ends what they started."""
    for left in leftovers.found():
        yield Finding("Left behind", ODD, f"by a run that was killed: {left}", "./lab doctor --clean")
