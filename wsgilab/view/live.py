"""What goes through each server at the moment: from Prometheus and the run's folder, never from a measured socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from wsgilab.lab.servers import Lab
from wsgilab.view.prometheus import Prometheus, Query, Series, Unanswered, Unusable, number
from wsgilab.view.runs import Progress, Runs

EVERY_S = 1.0
"""A window lasts seconds, and Prometheus learns something new each second."""
PATIENCE_S = 2.0
AWAY_S = 3.0
"""Who did not answer is not asked again before."""
FAILED = "something in this page itself went wrong: what ./lab view wrote on its terminal says what"
RECORDED = (
    "server:load_state",
    "server:offered:rate",
    "server:goodput:rate",
    "server:failed:rate",
    "server:dropped:rate",
    "server:requests_in_flight",
    "server:listen_queue",
    "server:response_time_seconds:p99",
    "runner_server_slots",
)
QUERY = f'{{__name__=~"{"|".join(RECORDED)}"}}'
"""One question for all of it."""


class Load(StrEnum):
    """What a server is doing."""

    UNKNOWN = "not known"
    DOWN = "not running"
    IDLE = "idle"
    WARMING_UP = "warming up"
    MEASURED = "under load"


STATES = {-1.0: Load.DOWN, 0.0: Load.IDLE, 1.0: Load.WARMING_UP, 2.0: Load.MEASURED}
"""As `server:load_state` of prometheus/rules.yaml says it."""
AT_WORK = (Load.WARMING_UP, Load.MEASURED)


@dataclass(frozen=True)
class Flow:
    """One server at this moment; None for what is not known."""

    server: str
    load: Load = Load.UNKNOWN
    arriving_rps: float | None = None
    answered_rps: float | None = None
    failing_rps: float | None = None
    waiting: float | None = None
    """Connections that no worker has accepted."""
    busy: float | None = None
    """Requests inside the app."""
    slots: int | None = None
    """How many it handles at once; None where nothing limits that."""
    p99_s: float | None = None

    @property
    def at_work(self) -> bool:
        """Whether it is under load, measured or not."""
        return self.load in AT_WORK


@dataclass(frozen=True)
class Now:
    """The lab at this moment."""

    flows: tuple[Flow, ...]
    progress: Progress | None = None
    missing: str = ""
    """Why the flows are not known; empty where they are."""


class Live:
    """Looks once a second at most, and only when somebody asks: nobody who looks costs nothing."""

    def __init__(self, lab: Lab, runs: Runs, prometheus: Prometheus) -> None:
        self._lab = lab
        self._runs = runs
        self._prometheus = prometheus
        self._changed = threading.Condition()
        self._due = float("-inf")
        self._looking = False
        self._now: Now | None = None

    def now(self) -> Now:
        """The lab as it was seen less than a second ago; whoever comes meanwhile gets what the first has asked for.

        A thread of its own asks: to find out that a name is gone can take longer than a reader waits.
        """
        with self._changed:
            if time.monotonic() >= self._due and not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="live", daemon=True).start()
            if self._changed.wait_for(lambda: not self._looking, PATIENCE_S) and self._now:
                return self._now
            missing = f"Prometheus has not answered within {PATIENCE_S:g} s" if self._looking else FAILED
        return self._seen({}, missing)

    def _look(self) -> None:
        found: Now | None = None
        try:
            found = self._asked()
        finally:
            with self._changed:
                self._now, self._looking = found, False
                self._due = time.monotonic() + (EVERY_S * 0.9 if found and not found.missing else AWAY_S)
                self._changed.notify_all()

    def _asked(self) -> Now:
        now = time.time()
        try:
            series = self._prometheus.ask(Query(QUERY, now, now, None), time.monotonic() + PATIENCE_S)
            return self._seen(by_server(series), "")
        except (Unanswered, Unusable) as reason:
            return self._seen({}, f"Prometheus: {reason}")

    def _seen(self, values: Mapping[str, Mapping[str, float]], missing: str) -> Now:
        progress = self._runs.under_way()
        declared = {server.name: server.slots for server in self._lab.servers.values()}
        names = shown(self._lab.default_servers, declared, values, progress)
        flows = [as_the_run_says(flow(name, values.get(name, {}), declared.get(name)), progress) for name in names]
        if not missing:  # of whom Prometheus knows nothing, nobody has started
            flows = [replace(one, load=Load.DOWN) if one.load is Load.UNKNOWN else one for one in flows]
        return Now(tuple(flows), progress, missing)


def by_server(found: Iterable[Series]) -> dict[str, dict[str, float]]:
    """By server, what each recorded series says. Raises Unusable."""
    values: dict[str, dict[str, float]] = {}
    for series in found:
        value = number(series.value[1]) if series.value else None
        name, server = series.metric.get("__name__", ""), series.metric.get("server", "")
        if value is not None and server and name in RECORDED:
            values.setdefault(server, {})[name] = value
    return values


def shown(
    usual: Sequence[str],
    known: Iterable[str],
    values: Mapping[str, Mapping[str, float]],
    progress: Progress | None,
) -> list[str]:
    """The servers of the run under way; otherwise the usual ones and whoever else runs, in the lab's order."""
    if progress and progress.servers:
        return list(progress.servers)
    running = {name for name, said in values.items() if said.get("server:load_state", -1.0) >= 0}
    return [*usual, *(name for name in known if name in running and name not in usual)]


def flow(server: str, said: Mapping[str, float], declared: int | None) -> Flow:
    """What a server's series say."""
    slots = said.get("runner_server_slots")
    lost = [said[name] for name in ("server:failed:rate", "server:dropped:rate") if name in said]
    return Flow(
        server,
        STATES.get(said.get("server:load_state", -9.0), Load.UNKNOWN),
        arriving_rps=said.get("server:offered:rate"),
        answered_rps=said.get("server:goodput:rate"),
        failing_rps=sum(lost) if lost else None,
        waiting=said.get("server:listen_queue"),
        busy=said.get("server:requests_in_flight"),
        slots=round(slots) if slots else declared,
        p99_s=said.get("server:response_time_seconds:p99"),
    )


def as_the_run_says(seen: Flow, progress: Progress | None) -> Flow:
    """The same; where Prometheus is silent, the folder of the run under way knows whose turn it is, and no more."""
    if seen.load is not Load.UNKNOWN or progress is None or progress.server is None:
        return seen
    if seen.server != progress.server:
        return Flow(seen.server, Load.IDLE, slots=seen.slots)
    return Flow(seen.server, Load.MEASURED, arriving_rps=progress.rate_rps, slots=seen.slots)
