"""What is asked of the lab, as one object: made from a command line, by a script, or read from JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import msgspec

from wsgilab.errors import UsageError, did_you_mean
from wsgilab.model import hosts
from wsgilab.model.hosts import Hosts
from wsgilab.model.needs import NOTHING, Needs

REQUEST_SCHEMA = 1
COMMANDS = ("run", "capacity", "tune", "gate", "vitals", "doctor")
SEARCHES = ("capacity", "tune")
"""Those that find their rates themselves."""
ATTACHED = ("attached", "kubernetes")
"""Engines of a runner next to servers that somebody else starts: in a Compose network, in a namespace of a cluster."""
ENGINES = ("auto", "compose", "local", *ATTACHED)
DEFAULT_SLO = "p99<250ms"
DEFAULT_DURATION_S = {"run": 2.5, "capacity": 8.0, "tune": 6.0, "gate": 2.5}
DEFAULT_ROUNDS = {"run": 3, "gate": 6, "vitals": 4}
"""A gate goes on after these, as long as it is too noisy to say and its budget lasts."""
ROUNDS_OF_TURNS = 4
"""Of a gate against a revision, in place of those: the two take turns, which tells more (see analysis/turns.py)."""
DEFAULT_BUDGET_S = {"capacity": 180.0, "tune": 600.0, "gate": 270.0}
"""A gate has five minutes, with starting servers."""
DEFAULT_CLICKS = 5
DEFAULT_HEADROOM = 0.3
DEFAULT_TOLERANCE = 0.05
DEFAULTS = "default"
"""Among `slots`: as it is set."""
MAX_SLOTS = 256
"""Some servers have a process for each."""
MAX_GENERATORS = 64
MAX_RATE_RPS, MAX_ROUNDS, MAX_DURATION_S, MAX_BUDGET_S, MAX_START_TIMEOUT_S = 20_000, 1_000, 600, 36_000, 3_600
MAX_CLICKS, MAX_MEMORY_MB, MAX_HEADROOM = 1_000, 4_194_304, 9


def _number(default: Any, low: float, high: float) -> Any:
    """A field for a number above `low` and at most `high`."""
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class Revision:
    """Another revision of the app, which is measured next to it. Fields as those of a Request."""

    name: str
    """Which one, in words: `main (1f2e3d4)`."""
    app_dir: str
    app: str | None = None
    requirements: tuple[str, ...] = ()
    requirement_files: tuple[str, ...] = ()
    python: str | None = None
    app_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """A measurement that somebody wants. Every field has a default: `Request()` is a plain `./lab run`.

    Raises UsageError for a field that cannot be meant; servers, workloads and settings are looked up when it is carried
    out. Lists are taken for tuples.
    """

    command: str = "run"
    """`run`, `capacity`, `tune`, `gate` or `vitals`; `doctor` asks and does not measure."""
    engine: str = "auto"
    """`compose`, `local`, or `auto` for whichever can be had; `attached` measures containers next to this process, and
    `kubernetes` pods of its namespace."""
    servers: tuple[str, ...] = ()
    """Names of compose.yaml; none for its default servers."""
    variants: tuple[str, ...] = ()
    """Servers with settings changed: `eight=gunicorn,GUNICORN_WORKERS=8`."""
    slots: tuple[int | str, ...] = ()
    """How many slots each server is set to, by its own settings; with "default", as it is set too. None: as it is."""
    workload: str = "mix"
    """A name in k6/workloads.js, or a path of the app."""
    rates_rps: tuple[float, ...] = field(default=(100.0, 250.0), metadata={"low": 0, "high": MAX_RATE_RPS})
    """Offered requests per second, each measured in each round. A search for capacities finds its own."""
    rounds: int | None = _number(None, 0, MAX_ROUNDS)
    """Windows of each server at each rate. None: 3 for a run; for a gate 6, or 4 against a revision, and more while it
    is too noisy to say."""
    duration_s: float | None = _number(None, 0.5, MAX_DURATION_S)
    """Measured seconds of a window. None: 8 for a search, else 2.5."""
    budget_s: float | None = _number(None, 20, MAX_BUDGET_S)
    """Seconds that a search may take for each server, or a gate in all. None: 180 and 270."""
    slo: str = DEFAULT_SLO
    """What counts as good."""
    seed: int | None = None
    """Decides the order of windows. None: a new one."""
    app: str | None = None
    """`module:attribute` of the WSGI app. None: what .env or compose.yaml says."""
    app_dir: str | None = None
    """The folder it is imported from. None: what .env or compose.yaml says."""
    requirements: tuple[str, ...] = ()
    """What the app needs installed, as pip takes it. It then has an environment or an image of its own."""
    requirement_files: tuple[str, ...] = ()
    """Files of such lines."""
    python: str | None = None
    """The Python of that environment: a version or a command. None: the lab's own."""
    app_variables: Mapping[str, str] = field(default_factory=dict)
    """What the app finds in its environment besides what servers need. Values are kept out of all that is saved."""
    needs: Needs = NOTHING
    """What the app needs besides its code: services, and a state in its folder."""
    traffic: str | None = None
    """The lab.toml whose requests are the workload `traffic`."""
    script: str | None = None
    """A k6 script whose default function is the workload `script`."""
    keep_alive: bool = False
    """Whether connections are used again; every request opens one of its own otherwise."""
    clicks: int = _number(DEFAULT_CLICKS, 0, MAX_CLICKS)
    """How often a browser clicks each button in a block: for each server, background load and round."""
    film: bool = True
    """Whether pictures are taken of what is on the screen after a click."""
    vitals: str | None = None
    """The lab.toml that says what a browser clicks on. None: the four buttons of the lab's own page."""
    generators: int = _number(1, 0, MAX_GENERATORS)
    """How many k6 share the schedule of each window."""
    testrun: str | None = None
    """The TestRun of the k6-operator that drives the load of a window, as JSON without what each window adds. None: k6
    runs where the runner does."""
    save_requests: bool = False
    """Whether a line for every measured request is kept next to the run."""
    hosts: tuple[str, ...] = ()
    """Machines that measure together, as `--host` has them; none for this one alone."""
    allow_public_address: bool = False
    """Whether servers may listen on an address that the whole internet reaches."""
    before: Revision | None = None
    """The app as it was. Each server is measured with both, in the same rounds."""
    baseline: str | None = None
    """An earlier run that a gate compares with: the text of its verdict.json, or of a part of it."""
    tolerance: float = _number(DEFAULT_TOLERANCE, 0, 1)
    """By which share a figure may get worse before a gate fails."""
    families: tuple[str, ...] = ()
    """Families of servers to tune: `gunicorn`, `uwsgi`."""
    expected_rps: float | None = _number(None, 0, MAX_RATE_RPS)
    """The rate for which a tuning finds the cheapest setting. None: it finds the one that can do most."""
    headroom: float = _number(DEFAULT_HEADROOM, -1e-9, MAX_HEADROOM)
    """How much more than that rate it must keep, as a share."""
    resume: str | None = None
    """The folder of a tuning that was interrupted, which goes on."""
    fingerprint: str = ""
    """What tells a tuning apart from others, by whoever asked for it: in a container, apps and files have other places.
    """
    memory_mb: float | None = _number(None, 0, MAX_MEMORY_MB)
    """What a server that is tuned may use. None: what .env gives it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of compose.yaml that shall not be what .env says: ports, CPU sets, workers."""
    out: str | None = None
    """The run's own folder. None: a new one in `results`."""
    results: str | None = None
    """Where folders of runs are made. None: `results` in the clone."""
    spare_results: str | None = None
    """Where they are made if `results` cannot be written."""
    lock: str | None = None
    """The file that keeps runs apart. None: the machine's, for two on the same CPUs would measure each other."""
    prometheus: bool = False
    """Whether a Prometheus of its own records a run of local processes."""
    prometheus_url: str | None = None
    """A Prometheus with a remote-write receiver that k6 reports to as it runs."""
    start_timeout_s: float = _number(30.0, 0, MAX_START_TIMEOUT_S)
    """How long a server may take to get healthy."""

    def __post_init__(self) -> None:
        for known in fields(self):
            value = getattr(self, known.name)
            if isinstance(value, list):
                value = tuple(value)
                object.__setattr__(self, known.name, value)
            words, fits = KINDS[str(known.type)]
            if not fits(value):
                raise _refused(known.name, value, words)
            if "high" in known.metadata:
                numbers = self.loads_rps if known.name == "rates_rps" else value
                _require_within(known.name, numbers, known.metadata["low"], known.metadata["high"])
        _require_one_of("command", self.command, COMMANDS)
        _require_one_of("engine", self.engine, ENGINES)
        if not self.rates_rps or len(set(self.rates_rps)) < len(self.rates_rps):
            raise _refused("rates_rps", list(self.rates_rps), "at least one rate, each of them once")

    @property
    def loads_rps(self) -> tuple[float, ...]:
        """Rates that load is made at. Next to a browser there may be none."""
        return tuple(rate for rate in self.rates_rps if rate or self.command != "vitals")

    def but(self, **changes: Any) -> Request:
        """The same request with some fields changed."""
        return replace(self, **changes)

    @property
    def window_s(self) -> float:
        """Measured seconds of a window: those that were asked for, or the command's own."""
        return self.duration_s or DEFAULT_DURATION_S[self.command]

    @property
    def together(self) -> Hosts | None:
        """The machines that measure together; None where this one does all. Raises UsageError."""
        return hosts.of(self.hosts, self.allow_public_address)

    @property
    def elsewhere(self) -> Hosts | None:
        """The same, where its servers are containers of another machine's engine."""
        together = self.together
        return together if together and together.elsewhere else None

    @property
    def windows_each(self) -> int:
        """Windows of each server at each rate: as many as were asked for, or the command's own number, at least."""
        usual = ROUNDS_OF_TURNS if self.takes_turns else DEFAULT_ROUNDS[self.command]
        return self.rounds or usual

    @property
    def takes_turns(self) -> bool:
        """Whether the app takes turns with another revision: where one k6 on this machine is the load, two can be."""
        return bool(self.before and self.generators == 1 and not self.hosts and not self.testrun)

    @property
    def may_take_s(self) -> float:
        """Seconds that a search may take for each server, or a gate in all."""
        return self.budget_s or DEFAULT_BUDGET_S[self.command]

    @property
    def variables(self) -> dict[str, str]:
        """Every variable of compose.yaml that this request sets."""
        asked = {"LAB_APP": self.app, "LAB_APP_DIR": self.app_dir}
        return {**self.settings, **{name: value for name, value in asked.items() if value}}

    def to_json(self) -> str:
        """The request as one line of JSON, which `from_json` reads."""
        return json.dumps({"schema": REQUEST_SCHEMA, **asdict(self)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Request:
        """The request that `to_json` wrote. Raises UsageError for anything else, naming what it does not know."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _unreadable(f"it is not JSON ({error})") from error
        if not isinstance(data, dict):
            raise _unreadable("it is not a JSON object")
        if data.pop("schema", None) != REQUEST_SCHEMA:
            raise _unreadable(f"it is not of schema {REQUEST_SCHEMA}, which this version reads")
        known = [own.name for own in fields(cls)]
        for name in data:
            if name not in known:
                raise _unreadable(f"it has a field '{name:.40}'", did_you_mean(name, known, "another version wrote it"))
        if data.get("before"):
            data["before"] = _revision(data["before"])
        if data.get("needs"):
            data["needs"] = _needs(data["needs"])
        return cls(**data)


def _revision(data: Any) -> Revision:
    try:
        said: dict[str, Any] = {name: tuple(item) if isinstance(item, list) else item for name, item in data.items()}
        return Revision(**said)
    except (AttributeError, TypeError) as error:
        raise _unreadable(f"its field 'before' is not a revision of an app ({error})") from error


def _needs(data: Any) -> Any:
    try:
        return msgspec.convert(data, Needs)
    except msgspec.ValidationError as error:
        raise _unreadable(f"its field 'needs' cannot be used ({error})") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or fits(value)


def _each(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, tuple) and all(map(fits, value))


def _is_slots(value: object) -> bool:
    return value == DEFAULTS or (_is_whole(value) and isinstance(value, int) and 1 <= value <= MAX_SLOTS)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping) and all(_is_text(part) for pair in value.items() for part in pair)


KINDS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "str": ("text", _is_text),
    "str | None": ("text or nothing", _or_none(_is_text)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "int": ("a whole number", _is_whole),
    "int | None": ("a whole number or nothing", _or_none(_is_whole)),
    "float": ("a number", _is_number),
    "float | None": ("a number or nothing", _or_none(_is_number)),
    "tuple[str, ...]": ("a list of texts", _each(_is_text)),
    "tuple[float, ...]": ("a list of numbers", _each(_is_number)),
    "tuple[int | str, ...]": (f"numbers from 1 to {MAX_SLOTS}, or '{DEFAULTS}'", _each(_is_slots)),
    "Mapping[str, str]": ("an object of texts", _is_mapping),
    "Needs": ("a Needs", lambda value: isinstance(value, Needs)),
    "Revision | None": ("a Revision or nothing", _or_none(lambda value: isinstance(value, Revision))),
}
"""Annotation → what a value of it is, in words, and how it is told."""


def _require_within(name: str, value: Any, low: float, high: float) -> None:
    """`value`: a number, several, or None. NaN is within nothing."""
    for number in value if isinstance(value, tuple) else () if value is None else (value,):
        if not low < number <= high:
            raise _refused(name, number, f"above {low:g} and at most {high:g}")


def _require_one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(
            f"The request's {name} cannot be '{value:.40}'.",
            did_you_mean(value, known, f"it must be one of {', '.join(known)}"),
            "./lab run --help",
        )


def _refused(name: str, value: object, words: str) -> UsageError:
    return UsageError(f"The request's {name} cannot be {value!r:.60}.", f"it must be {words}", "./lab run --help")


def _unreadable(what: str, cause: str = "it was cut off, edited, or written by another version") -> UsageError:
    return UsageError(f"The request cannot be read: {what}.", cause, "docker compose build")
