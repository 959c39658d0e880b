"""The machines of a measurement: the one whose servers are measured, and those that send the load. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from wsgilab.errors import UsageError, did_you_mean, to_paste

HERE = "here"
"""The machine on which the command is given."""
OWN_CONTEXT = "default"
"""The Docker context of that machine, unless somebody chose another one (`docker context ls`)."""
OVERLAY = "overlay:"
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")
KEYS = ("role", "address", "cpus", "network")
EXAMPLE = "./lab doctor --host app=here,role=servers,address=10.0.0.5 --host load-1=ssh://lab@10.0.0.6,role=load"


class Role(StrEnum):
    """What a machine is for."""

    SERVERS = "servers"
    LOAD = "load"


@dataclass(frozen=True)
class Host:
    """One machine."""

    name: str
    docker: str
    """Its Docker engine: an address as DOCKER_HOST takes it, or the name of a context. `here`: servers are processes of
    the machine on which the command is given, which needs no engine."""
    role: Role
    address: str = ""
    """Where the other machines reach it. Only servers need one: nobody opens a connection to a load host."""
    cpus: str = ""
    """The CPUs for the load, empty for all; those of the servers, empty for SERVER_CPUS."""
    network: str = ""
    """Of the servers: `overlay:NAME`, an attachable overlay network of a Swarm that all machines are in, by which the
    load reaches them; empty for ports on their address."""

    @property
    def overlay(self) -> str:
        """The name of that network; empty for none."""
        return self.network.removeprefix(OVERLAY)

    def __str__(self) -> str:
        more = [f"{key}={value}" for key in KEYS if (value := getattr(self, key))]
        return ",".join([f"{self.name}={self.docker}", *more])


@dataclass(frozen=True)
class Hosts:
    """Machines that can measure together: one with the servers, the others with the load."""

    servers: Host
    load: tuple[Host, ...]

    @property
    def elsewhere(self) -> bool:
        """Whether the servers are containers of a Docker engine, and not processes of this machine."""
        return self.servers.docker != HERE

    @property
    def settings(self) -> dict[str, str]:
        """The variables of compose.yaml that they decide."""
        cpus = {"SERVER_CPUS": self.servers.cpus} if self.servers.cpus else {}
        return cpus | ({"BIND_ADDRESS": self.servers.address} if self.elsewhere and self.servers.address else {})

    @property
    def load_in_words(self) -> tuple[str, ...]:
        """The load hosts by their names, with the CPUs of those that do not have all."""
        return tuple(f"{host.name} (CPUs {host.cpus})" if host.cpus else host.name for host in self.load)

    @property
    def options(self) -> str:
        """What a command says that is to take the same."""
        public = self.servers.address and ipaddress.IPv4Address(self.servers.address).is_global
        words = [word for host in (self.servers, *self.load) for word in ("--host", host)]
        return to_paste(*words, *(["--allow-public-address"] if public else []))

    @property
    def doctor(self) -> str:
        """The command that looks at them."""
        return f"./lab doctor {self.options}"


def parse(text: str) -> Host:
    """The host that `NAME=DOCKER,role=…[,address=…][,cpus=…]` describes. Raises UsageError."""
    name, equals, rest = text.partition("=")
    docker, *words = rest.split(",")
    if not equals:
        raise _wrong(f"'{text}' describes no host.", "a host is NAME=DOCKER,role=servers or NAME=DOCKER,role=load")
    said: dict[str, str] = {}
    last = ""
    for word in words:
        key, is_pair, value = word.partition("=")
        if not is_pair and last:  # a list of CPUs has commas too
            said[last] += f",{word}"
            continue
        if key not in KEYS:
            raise _wrong(
                f"'{text}' describes no host.", did_you_mean(key, KEYS, f"after its engine come {', '.join(KEYS)}")
            )
        said[key], last = value, key
    return host(name, docker, said.pop("role", ""), **said)


def host(name: str, docker: str, role: str, address: str = "", cpus: str = "", network: str = "") -> Host:
    """A host of these words. Raises UsageError for one that cannot be meant."""
    if not NAME.fullmatch(name):
        raise _wrong(
            f"A host cannot be called '{name}'.", "a name has small letters, digits, dots and dashes, 40 at most"
        )
    if role not in list(Role):
        known = [one.value for one in Role]
        raise _wrong(
            f"The host {name} has the role '{role}'.", did_you_mean(role, known, "the role is servers or load")
        )
    if not docker or re.search(r"\s", docker):
        cause = "an address (ssh://…, unix://…), the name of a context, or 'here' is missing"
        raise _wrong(f"The host {name} names no Docker engine.", cause)
    if cpus and not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", cpus, re.ASCII):
        raise _wrong(f"The host {name} has the CPUs '{cpus}'.", "a list of CPUs looks like 0-2,5")
    if network and not re.fullmatch(rf"{OVERLAY}[A-Za-z0-9][\w.-]*", network, re.ASCII):
        raise _wrong(
            f"The host {name} has the network '{network}'.", f"a network is {OVERLAY}NAME: `docker network ls`"
        )
    return Host(name, docker, Role(role), address, cpus, network)


def together(found: Sequence[Host], allow_public: bool = False) -> Hosts:
    """These machines as a whole. Raises UsageError where they could never measure together."""
    _require_each_once(found)
    servers = [host for host in found if host.role is Role.SERVERS]
    load = tuple(host for host in found if host.role is Role.LOAD)
    if len(servers) != 1:
        names = ", ".join(host.name for host in servers) or "none of them"
        raise _wrong(
            f"For servers there is one host, and here {names} would be it.", "role=servers is there twice, or missing"
        )
    if not load:
        cause = f"role=load is missing; this machine can send it, as its Docker context '{OWN_CONTEXT}'"
        own = Host("load-1", OWN_CONTEXT, Role.LOAD)
        fix = to_paste("./lab", "doctor", "--host", servers[0], "--host", own)
        raise UsageError("None of these hosts sends load.", cause, fix)
    if misplaced := next((host for host in load if host.docker == HERE), None):
        cause = f"what sends load is a container of its Docker engine; '{OWN_CONTEXT}' is the context of this machine"
        raise _wrong(f"{misplaced.name} sends load, and has no Docker engine.", cause)
    if any(host.network for host in load) or (servers[0].network and servers[0].docker == HERE):
        cause = "it is the network of servers in containers; load hosts join it"
        raise _wrong("A network is named where none can be.", cause)
    if not servers[0].network:
        _require_address(servers[0], allow_public)
    return Hosts(servers[0], load)


def _require_each_once(found: Sequence[Host]) -> None:
    names: dict[str, Host] = {}
    engines: dict[str, Host] = {}
    for one in found:
        if names.setdefault(one.name, one) is not one:
            raise _wrong(f"Two hosts are called {one.name}.", "each has a name of its own")
        if (other := engines.setdefault(one.docker, one)) is not one:
            raise _wrong(f"{other.name} and {one.name} are the same machine.", f"both are {one.docker}")


def _require_address(servers: Host, allow_public: bool) -> None:
    if not servers.address:
        raise _wrong(f"{servers.name} has no address.", "address=… is missing: where the load reaches the servers")
    try:
        address = ipaddress.IPv4Address(servers.address)
    except ValueError as error:
        what = f"{servers.name} has the address '{servers.address}'."
        raise _wrong(what, "it must be one of its IPv4 addresses") from error
    if address.is_unspecified or address.is_multicast:
        cause = "servers listen on one address of their host, never on all of its interfaces"
        raise _wrong(f"{servers.name} has the address {address}.", cause)
    if address.is_global and not allow_public:
        cause = "it is a public one, and servers under test are for nobody else; --allow-public-address lifts that"
        raise _wrong(f"{servers.name} has the address {address}.", cause)


def _wrong(what: str, cause: str) -> UsageError:
    return UsageError(what, cause, EXAMPLE)


def of(texts: Sequence[str], allow_public: bool) -> Hosts | None:
    """The hosts of a request, each as its text; None where it has none. Raises UsageError."""
    return together([parse(text) for text in texts], allow_public) if texts else None
