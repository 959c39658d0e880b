"""What every command that measures can be asked for; the names of its values are those of a Request's fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from wsgilab.commands import values
from wsgilab.commands.grammar import as_json, debug, option
from wsgilab.model.request import (
    DEFAULT_BUDGET_S,
    DEFAULT_DURATION_S,
    DEFAULT_ROUNDS,
    DEFAULT_SLO,
    MAX_BUDGET_S,
    MAX_DURATION_S,
    MAX_GENERATORS,
    MAX_ROUNDS,
)

WHAT, APP, HOW_LONG, WHERE = "What is measured", "Your app", "How long", "Where"
HOSTS = "More than one machine"
FILE_OF = {"gate": "gate", "tune": "tuning"}
"""Where all of a command's answer is, if not in verdict.json."""
ONE_ANSWER = ("tune", "gate", "kubernetes")
"""Commands that measure with new connections or with reused ones, and not both."""


def schedule(command: str, rates: str) -> Callable[[Any], Any]:
    """A decorator for the options of a command that knows its windows before it starts. `rates`: its own, as typed."""
    and_more = ", then more while it is too noisy to say" if command == "gate" else ""
    options = [
        option(
            "--rate",
            "rates_rps",
            type=values.RATES,
            group=WHAT,
            metavar="RPS[,RPS…]",
            help=f"Offered requests per second (default: {rates}).",
        ),
        option(
            "--rounds",
            type=values.whole("rounds", MAX_ROUNDS),
            group=HOW_LONG,
            metavar="N",
            help=f"Windows of each server at each rate (default: {DEFAULT_ROUNDS[command]}{and_more}).",
        ),
        duration(command, 0.5, "Measured seconds of each window"),
    ]
    return _all_of(options)


def duration(command: str, low_s: float, about: str) -> Callable[[Any], Any]:
    """A decorator for how long a command measures at a time."""
    return option(
        "--duration",
        "duration_s",
        type=values.seconds("the duration", low_s, MAX_DURATION_S),
        group=HOW_LONG,
        metavar="S",
        help=f"{about} (default: {DEFAULT_DURATION_S[command]:g}).",
    )


def budget(command: str, about: str) -> Callable[[Any], Any]:
    """A decorator for how long a command may take that ends when it knows enough."""
    return option(
        "--budget",
        "budget_s",
        type=values.seconds("the budget", 20, MAX_BUDGET_S),
        group=HOW_LONG,
        metavar="S",
        help=f"{about} (default: {DEFAULT_BUDGET_S[command]:g}).",
    )


def selection(command: str) -> Callable[[Any], Any]:
    """A decorator for the options of a command: engine, servers, workload, app, objective, and where results go."""
    options = [
        *_servers(command),
        _slots(),
        *_measured(command),
    ]
    return _all_of(options)


def tuned() -> Callable[[Any], Any]:
    """A decorator for the options of `tune`, which chooses the settings of servers itself."""
    return _all_of(_measured("tune"))


def _measured(command: str) -> list[Callable[[Any], Any]]:
    return [
        *_load(),
        *_app(),
        option(
            "--script",
            type=values.FILE,
            group=WHAT,
            metavar="FILE",
            help="A k6 script of yours: its default function is called at each tick of the schedule.",
        ),
        *_order(command),
        _engine(),
        _out(command),
        _generators(),
        option(
            "--save-requests",
            is_flag=True,
            group=WHERE,
            help="Keep a line for every measured request next to the run (requests/*.csv.gz).",
        ),
        *_hosts(),
        _prometheus(),
        as_json(f"Print {FILE_OF.get(command, 'verdict')}.json instead of tables."),
        debug,
    ]


def around_a_browser() -> Callable[[Any], Any]:
    """A decorator for the options of the command that clicks in a browser."""
    options = [
        *_servers("vitals"),
        _slots(),
        _workload(),
        *_app(),
        _seed(),
        _engine(),
        _out("vitals"),
        _prometheus(),
        as_json("Print vitals.json instead of tables."),
        debug,
    ]
    return _all_of(options)


def several_hosts() -> Callable[[Any], Any]:
    """A decorator for the options that name other machines."""
    return _all_of(_hosts())


def _hosts() -> list[Callable[[Any], Any]]:
    """The options that name other machines."""
    return [
        option(
            "--hosts",
            "hosts_file",
            type=values.FILE,
            group=HOSTS,
            metavar="FILE",
            help="A hosts.toml: which machine has the servers, and which send the load.",
        ),
        option(
            "--host",
            "hosts",
            multiple=True,
            group=HOSTS,
            metavar="NAME=DOCKER,role=…",
            help="One such machine (repeatable): app=here,role=servers,address=10.0.0.5 or "
            "load-1=ssh://lab@10.0.0.6,role=load[,cpus=0-2].",
        ),
        option(
            "--allow-public-address",
            is_flag=True,
            group=HOSTS,
            help="Let servers listen on an address that is not private.",
        ),
    ]


def _all_of(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    return lambda function: reduce(lambda decorated, add: add(decorated), reversed(options), function)


def unmeasured() -> Callable[[Any], Any]:
    """A decorator for the options of a command that starts servers with an app and does not measure them."""
    return _all_of([*_app(), *_servers("doctor"), _engine()])


def in_a_cluster() -> Callable[[Any], Any]:
    """A decorator for what a run in a cluster can be asked for: there the app is in the servers' image."""
    return _all_of([*_servers("run"), _slots(), *_load(), _app_name(), *_order("kubernetes"), _generators()])


def _slots() -> Callable[[Any], Any]:
    return option(
        "--slots",
        type=values.SLOTS,
        group=WHAT,
        metavar="N[,N…][,default]",
        help="Set every server to N slots by its own settings (processes × threads); with `default`, measure both.",
    )


def _load() -> list[Callable[[Any], Any]]:
    return [
        _workload(),
        option("--slo", group=WHAT, metavar="TERMS", help=f"What counts as good (default: '{DEFAULT_SLO}')."),
    ]


def _order(command: str) -> list[Callable[[Any], Any]]:
    alone = command in ONE_ANSWER
    return [
        option(
            "--keep-alive",
            type=values.CONNECTIONS,
            is_flag=False,
            flag_value="reused",
            group=WHAT,
            metavar=f"[reused|new{'' if alone else '|both'}]",
            help="Reuse connections, as browsers and proxies do (default: a new one per request)"
            f"{'' if alone else '; both: one after the other'}.",
        ),
        _seed(),
    ]


def _app_name() -> Callable[[Any], Any]:
    return option(
        "--app",
        type=values.APP,
        group=APP,
        metavar="MODULE:ATTR",
        help="The WSGI app to serve (default: the likeliest one in --app-dir; without that, the lab's own).",
    )


def _workload() -> Callable[[Any], Any]:
    return option(
        "--workload",
        group=WHAT,
        metavar="W",
        help="hello, io, cpu, mix, upload, a path of your app, or traffic for the requests of its lab.toml "
        "(default: traffic if there are some, / for another app of yours, else mix).",
    )


def _seed() -> Callable[[Any], Any]:
    return option(
        "--seed",
        type=values.SEED,
        group=WHAT,
        metavar="N",
        help="Repeat the order of another run (its manifest has the seed).",
    )


def _out(command: str) -> Callable[[Any], Any]:
    return option(
        "--out",
        type=values.FOLDER,
        group=WHERE,
        metavar="DIR",
        help=f"Where results go (default: results/TIME-{command}).",
    )


def _prometheus() -> Callable[[Any], Any]:
    return option(
        "--prometheus",
        is_flag=True,
        group=WHERE,
        help="For local processes: record the run in a Prometheus too, for ./lab view (Compose always does).",
    )


def _generators() -> Callable[[Any], Any]:
    return option(
        "--generators",
        type=values.whole("generators", MAX_GENERATORS),
        group=WHERE,
        metavar="N",
        help="How many k6 processes share the load of each window, all on LOAD_CPUS (default: 1, or one on "
        "each load host).",
    )


def _servers(command: str) -> list[Callable[[Any], Any]]:
    return [
        option(
            "--servers",
            type=values.NAMES,
            group=WHAT,
            metavar="A,B,…",
            help="Which servers." if command == "gate" else "Which servers (default: the lesson's five).",
        ),
        option(
            "--variant",
            "variants",
            multiple=True,
            group=WHAT,
            metavar="NAME=SERVER[,SETTING=VALUE…]",
            help="Also a server with some settings changed, under a name of its own (repeatable).",
        ),
    ]


def of_an_app() -> Callable[[Any], Any]:
    """A decorator for the options that say which app it is, of a command that needs its folder."""
    return _all_of(_app(folder_required=True))


def _app(folder_required: bool = False) -> list[Callable[[Any], Any]]:
    return [
        _app_name(),
        option(
            "--app-dir",
            required=folder_required,
            type=values.FOLDER,
            group=APP,
            metavar="DIR",
            help="The folder it is imported from; a lab.toml in it says the rest.",
        ),
        option(
            "--requirement",
            "requirements",
            multiple=True,
            group=APP,
            metavar="REQ|FILE",
            help="What the app needs installed: as pip takes it, or a file of that (repeatable; default: its "
            "requirements.txt or pyproject.toml).",
        ),
        option("--python", group=APP, metavar="VERSION", help="The Python to install it for: 3.12, or a command."),
        option(
            "--env",
            "app_variables",
            type=values.VARIABLE,
            multiple=True,
            group=APP,
            metavar="NAME=VALUE",
            help="A variable for the app (repeatable); its value appears in no manifest and no report.",
        ),
        option("--env-file", type=values.FILE, group=APP, metavar="FILE", help="A file of variables, one per line."),
    ]


def _engine() -> Callable[[Any], Any]:
    return option(
        "--engine",
        type=values.ENGINE,
        envvar="LAB_ENGINE",
        group=WHERE,
        metavar="auto|compose|local",
        help="Where servers run: containers, local processes, or whichever is there (default: auto). 'attached' "
        "is for the runner inside the Compose network.",
    )
