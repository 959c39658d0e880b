"""k6 on other machines: a load generator whose hands are containers of their Docker engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wsgilab.analysis.generator_limit import generator_limit
from wsgilab.engines import Endpoint, far_engines
from wsgilab.errors import MissingError
from wsgilab.lab import ROOT
from wsgilab.lab.sources import digest
from wsgilab.measure.far_load import FarLoad, FarStart
from wsgilab.measure.host_check import Seen, look, path_from
from wsgilab.measure.k6_command import Traffic
from wsgilab.measure.shared_load import SharedLoad, terms
from wsgilab.measure.way import Listener
from wsgilab.model.far import Order
from wsgilab.model.hosts import Host, Hosts
from wsgilab.model.window import LoadResult, WindowPlan


@dataclass(frozen=True)
class HostGenerators:
    """A LoadGenerator: k6 on every load host, started together by the runner's word."""

    hosts: Hosts
    places: tuple[Host, ...]
    """Where each generator runs, in the order of their numbers; a host can have several."""
    seen: Mapping[str, Seen]
    """What was found on each load host before the run."""
    traffic: Traffic
    kept_in: Path | None = None

    @property
    def name(self) -> str:
        """As people know it."""
        return "k6"

    @property
    def cpus(self) -> int:
        """Those of all load hosts."""
        return sum(self._cpus.values())

    @property
    def version(self) -> str:
        """The same on all of them."""
        return next(iter(self.seen.values())).k6

    @property
    def origin(self) -> str:
        """The image, and where it runs."""
        return f"{far_engines.IMAGE} on {', '.join(self.seen)}"

    @property
    def alone(self) -> HostGenerators:
        """The same without traffic of its own, keeping nothing."""
        return replace(self, traffic=replace(self.traffic, described=None), kept_in=None)

    def start(self, plan: WindowPlan, at: Endpoint) -> SharedLoad:
        """Start all of them on a window. Raises MissingError where there is no docker command."""
        start = FarStart(len(self.places))
        with ExitStack() as entered:
            door = entered.enter_context(self._door(at))
            for number, host in enumerate(self.places, 1):
                order = replace(self._order(plan, at, number, host), way=door)
                command = far_engines.far_side(host, self.seen[host.name].image, self.hosts.servers.overlay)
                start.loads.append(FarLoad(command, order, start.arrived, self.hosts.doctor))
            for one in start.loads:
                entered.enter_context(one)
            these = terms(plan, self.traffic, self.kept_in, self._cpus)
            return SharedLoad(start.loads, start, these, entered.pop_all())

    def paths_ms(self, at: Endpoint) -> dict[str, float]:
        """How long a connection from each load host to the servers' machine takes; without those that made none."""
        load, overlay = self.hosts.load, self.hosts.servers.overlay
        with self._door(at) as door, ThreadPoolExecutor(len(load)) as at_once:
            found = at_once.map(lambda host: path_from(host, self.seen[host.name], f"http://{door}", overlay), load)
            paths = zip(load, found, strict=True)
            return {host.name: round(path.median_ms, 3) for host, path in paths if path.connect_ms}

    def limit(self, result: LoadResult) -> str | None:
        """By the signs of each of them, and by how evenly and how closely together they sent."""
        return generator_limit(result, self.cpus)

    @contextmanager
    def _door(self, at: Endpoint) -> Iterator[str]:
        """Where load hosts try whether they reach the servers' machine."""
        if at.door:
            yield at.door
            return
        with Listener(self.hosts.servers.address) as listener:
            yield listener.at

    @property
    def _cpus(self) -> dict[str, int]:
        return {name: seen.cpus for name, seen in self.seen.items()}

    def _order(self, plan: WindowPlan, at: Endpoint, number: int, host: Host) -> Order:
        return Order(
            plan=plan,
            url=at.url,
            run_id=at.run_id,
            number=number,
            of=len(self.places),
            host=host.name,
            described=self.traffic.described,
            keep_alive=self.traffic.keep_alive,
            patience_s=self.traffic.patience_s,
        )


def on_hosts(hosts: Hosts, count: int, traffic: Traffic, kept_in: Path | None) -> HostGenerators:
    """The generators of a run: `count` in all, one on each load host at least, in turn.

    Raises MissingError for a host that cannot send load now.
    """
    places = tuple(hosts.load[number % len(hosts.load)] for number in range(max(count, len(hosts.load))))
    with ThreadPoolExecutor(len(hosts.load)) as at_once:
        seen = dict(zip((host.name for host in hosts.load), at_once.map(look, hosts.load), strict=True))
    for host in hosts.load:
        if trouble := seen[host.name].trouble:
            raise MissingError(f"{host.name} cannot send load: {trouble.said}.", trouble.cause, trouble.fix)
    _require_alike(hosts.load, seen, hosts)
    return HostGenerators(hosts, places, seen, traffic, kept_in)


def _require_alike(load: Sequence[Host], seen: Mapping[str, Seen], hosts: Hosts) -> None:
    """Raise MissingError where one is another one's machine, or has another lab or another k6."""
    engines: dict[str, Host] = {}
    for host in load:
        one = seen[host.name]
        if (other := engines.setdefault(one.engine_id, host)) is not host:
            what = f"{other.name} and {host.name} are the same machine."
            raise MissingError(
                what, "two addresses of one Docker engine; --generators sends more from one", hosts.doctor
            )
        if one.sources != digest(ROOT):
            raise MissingError(
                f"The image on {host.name} is of another version of the lab.",
                "it was built before this clone changed",
                far_engines.image_for(host),
            )
    versions = {seen[host.name].k6 for host in load}
    if len(versions) > 1:
        what = f"The load hosts have different k6: {', '.join(sorted(versions))}."
        raise MissingError(what, "their images were built from different ones", far_engines.image_for(load[-1]))
