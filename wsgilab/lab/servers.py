"""compose.yaml and .env → Server records. There is no other list of servers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from dotenv import dotenv_values

from wsgilab.errors import UsageError, did_you_mean, nearest, to_paste
from wsgilab.model.server import Server

MOST_CPUS = 4096
"""No machine has more; a typo, or a manifest of somebody else, may not take all memory."""
LOOPBACK = "127.0.0.1"
NAMESPACE = "CLUSTER_NAMESPACE"
"""The namespace of the servers: a setting that a request has in a cluster alone."""
SIZE = re.compile(r"(\d+)([bkmg]?)b?")
UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
"""`512m`, as Compose writes it."""
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")
"""The two forms that compose.yaml uses: `${NAME}` and `${NAME:-default}`."""
SAFELY = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML was built with it: a tenth of the time, which each command takes before it does anything."""


@dataclass(frozen=True)
class Lab:
    """The lab as its two files describe it, with every variable filled in."""

    root: Path
    variables: Mapping[str, str]
    """.env, overruled by the environment, as Compose does."""
    services: Mapping[str, Mapping[str, Any]]
    servers: Mapping[str, Server]
    """Every server, the default ones first, in the order of compose.yaml."""
    remarks: tuple[str, ...] = ()
    """Notes on servers that could not be set as asked, one sentence each."""
    address: str = LOOPBACK
    """Where local servers listen."""
    load_hosts: tuple[str, ...] = ()
    """The other machines that send the load, each with its CPUs; none where this one does."""

    @property
    def server_memory_mb(self) -> float | None:
        """What one server may use, as compose.yaml limits it; None where it says nothing that can be read."""
        found = SIZE.fullmatch(self.variables.get("SERVER_MEMORY", "").strip().lower())
        return int(found[1]) * UNITS[found[2]] / 1e6 if found else None

    @property
    def default_servers(self) -> list[str]:
        """The names measured when none are asked for."""
        return [server.name for server in self.servers.values() if server.default]

    def select(self, names: Sequence[str]) -> list[Server]:
        """The servers of these names, in this order.

        Raises UsageError for a name that is not there (naming the nearest) or that comes twice.
        """
        for name in names:
            if name not in self.servers:
                raise unknown("server", name, list(self.servers))
            if names.count(name) > 1:
                raise UsageError(
                    f"Server '{name}' is named twice.",
                    "the list of --servers",
                    f"./lab run --servers {','.join(dict.fromkeys(names))}",
                )
        return [self.servers[name] for name in names]

    @property
    def app_dir(self) -> Path:
        """The folder that the app is imported from."""
        return (self.root / (self.variables.get("LAB_APP_DIR") or "services/app")).resolve()

    @property
    def app_options(self) -> str:
        """What a command says that is to take this app again: ` --app-dir FOLDER`; nothing for the lab's own."""
        folder = self.variables.get("LAB_APP_DIR")
        return f" --app-dir {to_paste(folder)}" if folder else ""

    def cpus(self, variable: str) -> frozenset[int]:
        """The CPU numbers that `SERVER_CPUS` or `LOAD_CPUS` stands for. Raises UsageError where it cannot be read."""
        return parse_cpus(variable, self.variables.get(variable, ""))

    @property
    def service_cpus(self) -> frozenset[int]:
        """The CPUs of what an app talks to: SERVICE_CPUS, or those of the load. Raises UsageError as `cpus`."""
        return self.cpus("SERVICE_CPUS" if self.variables.get("SERVICE_CPUS") else "LOAD_CPUS")


def load_lab(root: Path, environ: Mapping[str, str]) -> Lab:
    """Read compose.yaml and .env in `root`, whose variables `environ` overrules. Raises UsageError where they cannot be
    understood."""
    compose_path, env_path = root / "compose.yaml", root / ".env"
    variables = {name: value or "" for name, value in dotenv_values(env_path, interpolate=False).items()} | dict(
        environ
    )
    try:
        raw = read_services(root)
        services = {name: filled_in(service, variables) for name, service in raw.items()}
        servers = [_server(name, raw, services) for name in raw if "lab.pattern" in raw[name].get("labels", {})]
    except (OSError, yaml.YAMLError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise UsageError(
            f"{compose_path.name} cannot be read as the lab's table of servers: {error!r}.",
            f"an edit of {compose_path.name} or {env_path.name}",
            "git diff compose.yaml .env",
        ) from error
    _require_ports_of_their_own(servers)
    servers.sort(key=lambda server: not server.default)
    return Lab(root, variables, services, {server.name: server for server in servers})


def read_services(root: Path) -> dict[str, Any]:
    """The services of compose.yaml as they stand there, with its anchors resolved and its variables not."""
    text = (root / "compose.yaml").read_text(encoding="utf-8")
    services: dict[str, Any] = yaml.load(text, SAFELY)["services"]
    return services


def variables_of(root: Path) -> frozenset[str]:
    """The names of every variable that compose.yaml or .env has: all that an environment can change of the lab."""
    try:
        text = (root / "compose.yaml").read_text(encoding="utf-8")
    except OSError:
        return frozenset()  # load_lab says what is wrong with it
    named = {match["name"] for match in VARIABLE.finditer(text)}
    return frozenset(named | set(dotenv_values(root / ".env", interpolate=False)))


def settings_in(raw: Mapping[str, Any]) -> list[str]:
    """The variables that one service of `read_services` names in its command, labels and environment: its settings."""
    found = {match["name"] for text in (str(raw["command"]), str(raw["labels"])) for match in VARIABLE.finditer(text)}
    found |= {match["name"] for value in raw["environment"].values() for match in VARIABLE.finditer(str(value))}
    return sorted(found)


def unknown(kind: str, name: str, known: Sequence[str]) -> UsageError:
    """The error for a `kind` of that name that does not exist; suggests the nearest."""
    hint = did_you_mean(name, known, "a name that the lab does not have", cutoff=0.4)
    these = nearest(name, known, cutoff=0.4) or ",".join(known)
    return UsageError(f"There is no {kind} '{name}'.", hint, f"./lab run --servers {these}")


def parse_cpus(variable: str, text: str) -> frozenset[int]:
    """A CPU list such as `0-2,5` as numbers. Raises UsageError, naming `variable`, where it is none."""
    numbers: set[int] = set()
    try:
        for part in text.split(",", MOST_CPUS):
            first, dash, last = part.partition("-")
            span = range(int(first), int(last if dash else first) + 1)
            if not span or span[-1] >= MOST_CPUS:
                raise ValueError(part)
            numbers |= set(span)
    except ValueError as error:
        raise UsageError(
            f"{variable} is '{text:.60}', which is not a list of CPUs.",
            f"the value of {variable} in .env or the environment",
            f"{variable}=0 ./lab run",
        ) from error
    return frozenset(numbers)


def parse_port(variable: str, text: str) -> int:
    """The port that a variable stands for. Raises UsageError, naming `variable`, where it is none."""
    if text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    raise UsageError(
        f"{variable} is '{text}', which is not a port.",
        f"the value of {variable} in .env or the environment; ports go from 1 to 65535",
        f"unset {variable}; git diff .env",
    )


def slots_of(concurrency: str) -> int | None:
    """`4 x 2` → 8; None for `unbounded`. Raises ValueError where a factor is no whole number from 1."""
    if concurrency == "unbounded":
        return None
    product = 1
    for factor in concurrency.split("x"):
        if int(factor) < 1:
            raise ValueError(factor)
        product *= int(factor)
    return product


def _slots(name: str, raw: str, concurrency: str) -> int | None:
    """`slots_of` a server whose label is `raw` before its variables are filled in. Raises UsageError, naming them."""
    try:
        return slots_of(concurrency)
    except ValueError as error:
        settings = " and ".join(match["name"] for match in VARIABLE.finditer(raw)) or "lab.slots"
        raise UsageError(
            f"{name} cannot have '{concurrency}' slots.",
            f"{settings} must be a whole number from 1, in .env or the environment",
            f"unset {settings.replace(' and', '')}; git diff .env",
        ) from error


def _require_ports_of_their_own(servers: Sequence[Server]) -> None:
    """Raise UsageError where two servers would listen on the same port."""
    taken: dict[int, Server] = {}
    for server in servers:
        other = taken.setdefault(server.port, server)
        if other is not server:
            raise UsageError(
                f"{other.name} and {server.name} would both listen on port {server.port}.",
                f"{other.port_variable} and {server.port_variable} are the same, in .env or the environment",
                f"unset {server.port_variable}; git diff .env",
            )


def _server(name: str, raw: Mapping[str, Any], services: Mapping[str, Any]) -> Server:
    service = services[name]
    labels = service["labels"]
    proxy = labels.get("lab.via")
    inside = urlsplit(labels["lab.url"]).port
    port, variable = next(
        (port, variable)
        for port, variable, container_port in _published(raw[proxy or name], services[proxy or name])
        if container_port == inside
    )
    concurrency = labels["lab.slots"]
    return Server(
        name=name,
        pattern=labels["lab.pattern"],
        concurrency=concurrency,
        slots=_slots(name, raw[name]["labels"]["lab.slots"], concurrency),
        via=proxy,
        url=labels["lab.url"],
        exporter_url=f"http://{name}:{service['environment']['LAB_EXPORTER_PORT']}/metrics",
        default="profiles" not in service,
        command=tuple(service["command"].split()),
        environment=service["environment"],
        port_variable=variable,
        port=port,
        colour=labels.get("lab.colour"),
        marker=labels.get("lab.marker"),
    )


def published_ports(lab: Lab, service: str) -> list[tuple[int, str]]:
    """The ports that a service of compose.yaml takes on this machine, each with the variable that sets it."""
    raw = read_services(lab.root).get(service, {})
    return [(port, variable) for port, variable, _ in _published(raw, lab.services.get(service, {}))]


def _published(raw: Mapping[str, Any], service: Mapping[str, Any]) -> Iterator[tuple[int, str, int]]:
    """(port of this machine, variable that sets it, port in the container) of each port that a service publishes."""
    for raw_entry, entry in zip(raw.get("ports", ()), service.get("ports", ()), strict=True):
        _, port, container_port = entry.rsplit(":", 2)
        variable = VARIABLE.findall(raw_entry)[-1][0]
        yield parse_port(variable, port), variable, int(container_port)


def filled_in(node: Any, variables: Mapping[str, str]) -> Any:
    """`node` with every variable in its strings replaced, as Compose would."""
    if isinstance(node, str):
        return VARIABLE.sub(lambda match: variables.get(match["name"]) or match["default"] or "", node)
    if isinstance(node, dict):
        return {key: filled_in(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [filled_in(value, variables) for value in node]
    return node
