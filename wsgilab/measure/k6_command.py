"""What one k6 process gets: its command line and its environment."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from wsgilab.engines import Endpoint
from wsgilab.lab import ROOT, app_file
from wsgilab.lab.app_file import NAME
from wsgilab.lab.traffic import traffic_for_k6
from wsgilab.lab.workloads import SCRIPT, TRAFFIC
from wsgilab.machine import http
from wsgilab.model import slo
from wsgilab.model.request import SEARCHES, Request
from wsgilab.model.window import WindowPlan

LOAD_JS = ROOT / "k6" / "load.js"
TRAFFIC_JSON = "traffic.json"
"""Where the traffic of a lab.toml stands in the folder of a window, where there is one."""
FEW_VUS = 500
LONGEST_MESSAGE = 300
NUMBER = "{number}"
VUS_WORTH_S = 2.0
LEAST_PATIENCE_S = 0.5
SPARE_VUS = 10


@dataclass(frozen=True)
class Traffic:
    """What requests are made of where no named workload says it."""

    described: Mapping[str, Any] | None = None
    """The traffic of a lab.toml, as `traffic_for_k6` gives it."""
    script: Path | None = None
    """A k6 script of the user's own: its default function is one tick of the schedule."""
    keep_alive: bool = False
    """Whether connections are used again. Every request opens one of its own otherwise."""
    patience_s: float = VUS_WORTH_S
    """For how long a request may wait behind others before its server has lost anyway."""
    most_vus: int | None = None
    """At most so many requests are under way at once; what would be more is dropped. None: as many as it takes."""


@dataclass(frozen=True)
class K6:
    """The k6 of this machine, and how a run wants it."""

    path: str
    cpus: frozenset[int] = frozenset()
    """The CPUs it may use, where the system can pin; empty for all."""
    prometheus_url: str | None = None
    """Where its metrics also go as it runs. A Prometheus that is away costs nothing but the metrics."""
    script: Path = LOAD_JS
    traffic: Traffic = Traffic()


@dataclass(frozen=True)
class Turn:
    """Every other part of a schedule: the other one is for another server."""

    server: str
    place: int
    """0 for the one that begins, 1 for the other."""
    requests: int
    """In each turn."""


@dataclass(frozen=True)
class Segment:
    """The part of a schedule that one of several k6 sends."""

    number: int = 1
    """From 1 on."""
    of: int = 1
    start_line: str = ""
    """Where it waits for the others; empty where it does not."""
    each_request: bool = False
    """Whether it writes a line for each request: without those, percentiles of several cannot be put together."""
    host: str = ""
    """The name of the machine that it runs on; empty for this one."""
    turn: Turn | None = None
    """Where two servers take turns: which turns are its own."""

    @property
    def name(self) -> str:
        """What it is called where it is the matter."""
        where = self.host or "this machine"
        if self.turn:
            return f"k6 for {self.turn.server}"
        if self.of > 1:
            return f"generator {self.number} of {self.of} on {where}"
        return f"k6 on {where}" if self.host else "k6"


WHOLE = Segment()


def traffic_of(request: Request) -> Traffic:
    """What a request's windows are made of. Raises UsageError for a lab.toml that cannot be used."""
    described = None
    if request.workload == TRAFFIC:
        path = Path(request.traffic or NAME)
        file = app_file.read(path)
        for rate in request.loads_rps if request.command not in SEARCHES else ():
            app_file.require_time_to_think(file, rate, path)
        described = traffic_for_k6(file, path)
    script = Path(request.script) if request.script and request.workload == SCRIPT else None
    return Traffic(described, script, request.keep_alive, _patience_s(request))


def vus_needed(plan: WindowPlan, traffic: Traffic) -> int:
    """How many VUs k6 gets: enough that requests without an answer do not starve the schedule.

    That is one for each request that can be under way at once, up to two seconds' worth of the rate or 500,
    whichever is more. A request that finds so many ahead of it would wait for two seconds at least: its server has
    lost, and the dropped tick counts as the failure it is. Each VU costs k6 0.2 MB, and 1 ms at its start.

    A VU keeps its connections to itself and k6 takes VUs in turn, so where connections are used again there are as few
    as can be: with 500, hardly one would have a second request in a window.
    """
    in_flight = math.ceil(plan.rate_rps * min(plan.timeout_s, plan.duration_s)) + SPARE_VUS
    worth = math.ceil(plan.rate_rps * traffic.patience_s)
    enough = min(in_flight, worth + SPARE_VUS if traffic.keep_alive else max(FEW_VUS, worth))
    return min(enough, traffic.most_vus or enough)


def _patience_s(request: Request) -> float:
    """Where connections are used again, twice the longest bound of the objective, within limits.

    Who finds more ahead of it than come in so long breaks that bound, and so do half of those before it.
    """
    if not request.keep_alive:
        return VUS_WORTH_S
    objective = slo.parse(request.slo)
    terms = [term for one in (objective, *objective.by_request.values()) for term in one.terms]
    longest_s = max((bound / 1000 for metric, bound in terms if metric != "failed"), default=VUS_WORTH_S)
    return min(VUS_WORTH_S, max(LEAST_PATIENCE_S, 2 * longest_s))


def command(k6: K6, plan: WindowPlan, at: Endpoint, folder: Path, segment: Segment = WHOLE) -> list[str]:
    """Give the k6 command line of one window. `folder` holds k6.json and receives
    summary.json and console.log."""
    line = [k6.path, "run", "--quiet", "--no-color", "--no-usage-report"]
    line += ["--address", ""]  # no REST API: k6 1.x opens port 6565 otherwise
    line += ["--config", str(folder / "k6.json")]  # not the user's own, which may set VUs or outputs
    line += ["--console-output", str(folder / "console.log")]
    if k6.prometheus_url is not None:
        line += ["--out", "experimental-prometheus-rw"]  # still its name in k6 2.3
    return [*line, *_segment(segment), *_settings(k6, plan, at, folder), str(k6.script)]


def arguments_in_pods(traffic: Traffic, plan: WindowPlan, at: Endpoint, of: int, start_line: str) -> list[str]:
    """What each of several pods gives to k6 besides its segment, which the k6-operator adds.

    All get the same words: NUMBER stands for which of them it is.
    """
    settings = {
        **_window(traffic, plan, at),
        "LAB_SUMMARY": "stdout",
        "LAB_GENERATORS": str(of),
        "LAB_GENERATOR": NUMBER,
        "LAB_START_LINE": start_line,
        "LAB_EACH_REQUEST": "1",
    }
    return ["--no-color", "--no-usage-report", *_told(settings)]


def inspection(k6: K6, plan: WindowPlan, at: Endpoint, folder: Path) -> list[str]:
    """Give the command line by which k6 loads the script of a window, and runs nothing of it."""
    return [k6.path, "inspect", "--quiet", "--no-color", *_settings(k6, plan, at, folder), str(k6.script)]


def message_in(log: str) -> str | None:
    """The first line of the last error in what k6 wrote to its log; None where there is none."""
    found: list[str] = re.findall(
        r'level=error msg="(?:(?:Go|Syntax|Type|Reference)?Error: )?((?:[^"\\]|\\[^n])+)', log
    )
    if not found:
        return None
    first, _, _ = found[-1].replace('\\"', '"').partition(". ")
    return first.removeprefix("file://")[:LONGEST_MESSAGE]


def _segment(segment: Segment) -> list[str]:
    """Which part of the schedule, by k6's own means (https://grafana.com/docs/k6/latest/using-k6/k6-options/reference/
    #execution-segment), and what the script should know of it."""
    told: dict[str, str] = {}
    words: list[str] = []
    if segment.of > 1:
        ends = [f"{number}/{segment.of}" for number in range(1, segment.of)]
        edges = ["0", *ends, "1"]
        words += ["--execution-segment", ":".join(edges[segment.number - 1 : segment.number + 1])]
        words += ["--execution-segment-sequence", ",".join(edges)]
        told |= {"LAB_GENERATORS": str(segment.of), "LAB_GENERATOR": str(segment.number)}
    if segment.start_line:
        told["LAB_START_LINE"] = segment.start_line
    if segment.each_request:
        told["LAB_EACH_REQUEST"] = "1"
    if segment.turn:
        told |= {"LAB_TURN": str(segment.turn.place), "LAB_TURN_TICKS": str(segment.turn.requests)}
    return [*words, *(word for name, value in told.items() for word in ("-e", f"{name}={value}"))]


def _settings(k6: K6, plan: WindowPlan, at: Endpoint, folder: Path) -> list[str]:
    """What the script is told, and that it is told nothing else."""
    settings = {
        **_window(k6.traffic, plan, at),
        "LAB_SUMMARY": str(folder / "summary.json"),
        **_traffic(k6.traffic, folder),
    }
    return _told(settings)


def _window(traffic: Traffic, plan: WindowPlan, at: Endpoint) -> dict[str, str]:
    return {
        "LAB_TARGET": at.url.rstrip("/"),
        "LAB_SERVER": plan.server,
        "LAB_RUN": at.run_id,
        "LAB_WORKLOAD": plan.workload,
        "LAB_RATE": f"{plan.rate_rps:g}",
        "LAB_ROUND": str(plan.round),
        "LAB_WARMUP_S": str(plan.warmup_s),
        "LAB_DURATION_S": str(plan.duration_s),
        "LAB_TIMEOUT_S": str(plan.timeout_s),
        "LAB_GRACE_S": str(plan.grace_s),
        "LAB_VUS": str(vus_needed(plan, traffic)),
        "LAB_KEEP_ALIVE": "1" if traffic.keep_alive else "",
    }


def _told(settings: Mapping[str, str]) -> list[str]:
    told = [word for name, value in settings.items() if value for word in ("-e", f"{name}={value}")]
    return ["--include-system-env-vars=false", *told]


def _traffic(traffic: Traffic, folder: Path) -> dict[str, str]:
    settings = {
        "LAB_TRAFFIC": str(folder / TRAFFIC_JSON) if traffic.described else "",
        "LAB_SCRIPT": str(traffic.script.resolve()) if traffic.script else "",
    }
    return {name: value for name, value in settings.items() if value}


def environment(inherited: Mapping[str, str], prometheus_url: str | None) -> dict[str, str]:
    """Give the environment k6 runs in.

    K6_* variables are left out because some replace the scenarios without a word (K6_VUS, K6_DURATION), and
    proxies because k6 would measure the proxy. Those of the Prometheus output stay: they may hold a password.
    """
    kept = {name: value for name, value in inherited.items() if not _misleads_k6(name)}
    if prometheus_url is None:
        return kept
    return {
        "K6_PROMETHEUS_RW_PUSH_INTERVAL": "1s",
        **kept,
        **_login(prometheus_url),
        "K6_PROMETHEUS_RW_SERVER_URL": f"{http.public(prometheus_url).rstrip('/')}/api/v1/write",
        # Without it k6 sends percentiles since the test began, and they cannot be summed or averaged.
        "K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM": "true",
        # The same by its name since k6 2.1, which takes the older one with a warning and means to drop it.
        "K6_FEATURES": "native-histograms",
        # Ends a series with its window. Otherwise it lives on for five minutes, flat.
        "K6_PROMETHEUS_RW_STALE_MARKERS": "true",
    }


def _login(url: str) -> dict[str, str]:
    """The user and the password of a URL, by themselves: k6 shows an address that it cannot reach."""
    at = urlsplit(url)
    said = {"K6_PROMETHEUS_RW_USERNAME": at.username, "K6_PROMETHEUS_RW_PASSWORD": at.password}
    return {name: unquote(word) for name, word in said.items() if word}


def _misleads_k6(name: str) -> bool:
    if name.startswith("K6_"):
        return not name.startswith("K6_PROMETHEUS_RW_")
    return name.upper() in {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
