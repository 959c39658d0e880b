"""The command line's grammar: what can be asked, and what is refused before anything starts."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from wsgilab import __version__
from wsgilab.errors import UsageError

DEFAULT_RATES = "100,250"
DEFAULT_SLO = "p99<250ms"
VIEW_PORT = 3001
PRESETS = {"quick": (1, 1.5), "default": (3, 2.5), "rigorous": (10, 8.0)}
"""(rounds, seconds of each measured part)."""
MAX_RATE_RPS, MAX_ROUNDS, MAX_DURATION_S = 20_000.0, 1_000, 600.0

Command = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in three parts, as every other error."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        error = UsageError(f"{message[0].upper()}{message[1:]}.", "a typo on the command line", f"{self.prog} --help")
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def number(name: str, low: float, high: float, unit: str = "") -> Callable[[str], float]:
    """An argparse type for a number above `low` and at most `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{name} must be a number{unit}, not '{text}'") from None
        if not low < value <= high:
            raise argparse.ArgumentTypeError(f"{name} must be above {low:g} and at most {high:g}{unit}, not {text}")
        return value

    return parse


def whole(name: str, high: int) -> Callable[[str], int]:
    """An argparse type for a whole number from 1 to `high`."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{name} must be a whole number from 1 to {high}, not '{text}'")
        return int(text)

    return parse


def _rates(text: str) -> tuple[float, ...]:
    rate = number("a rate", 0, MAX_RATE_RPS, " requests per second")
    rates = tuple(rate(part) for part in text.split(","))
    if len(set(rates)) < len(rates):
        raise argparse.ArgumentTypeError(f"each rate is measured once a round, but '{text}' names one twice")
    return rates


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def build_parser(
    run: Command, report: Command, view: Command, doctor: Command, test: Command, capacity: Command
) -> Parser:
    """The parser; each command's namespace holds its function as `command`."""
    parser = Parser(
        prog="./lab",
        description="Measures, in one run, how to serve a Flask app.",
        epilog="Exit codes: docs/reference.md",
    )
    parser.add_argument("--version", action="version", version=f"wsgilab {__version__}")
    common = Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    it = commands.add_parser("run", parents=[common], help="measure servers side by side and judge them")
    it.set_defaults(command=run)
    _add_selection(it, "run")
    it.add_argument(
        "--rate",
        type=_rates,
        default=DEFAULT_RATES,
        metavar="RPS[,RPS…]",
        help="offered requests per second (default: 100,250)",
    )
    it.add_argument(
        "--rounds",
        type=whole("rounds", MAX_ROUNDS),
        metavar="N",
        help="windows of each server at each rate (default: 3)",
    )
    it.add_argument(
        "--duration",
        type=number("the duration", 0.5, MAX_DURATION_S, " seconds"),
        metavar="S",
        help="measured seconds of each window (default: 2.5)",
    )
    preset = it.add_mutually_exclusive_group()
    preset.add_argument(
        "--quick", action="store_true", help="1 round of 1.5 s windows: a first look, without intervals"
    )
    preset.add_argument("--rigorous", action="store_true", help="10 rounds of 8 s windows: narrow intervals")

    it = commands.add_parser("capacity", parents=[common], help="find the highest rate that keeps the SLO")
    it.set_defaults(command=capacity)
    _add_selection(it, "capacity")
    it.add_argument(
        "--duration",
        type=number("the duration", 1, MAX_DURATION_S, " seconds"),
        default=8.0,
        metavar="S",
        help="for how long a rate must keep the SLO (default: 8)",
    )
    it.add_argument(
        "--budget",
        type=number("the budget", 20, 36_000, " seconds"),
        default=180.0,
        metavar="S",
        help="seconds of searching for each server, at most (default: 180)",
    )

    it = commands.add_parser("view", parents=[common], help="the dashboards in a browser, without Grafana")
    it.set_defaults(command=view)
    it.add_argument("--port", type=whole("the port", 65535), default=VIEW_PORT, help=f"default: {VIEW_PORT}")
    it.add_argument(
        "--prometheus",
        metavar="URL",
        help="the Prometheus to show (default: the one on PROMETHEUS_PORT, started if there is none)",
    )

    it = commands.add_parser("report", parents=[common], help="render a run again from its saved windows")
    it.set_defaults(command=report)
    it.add_argument("folder", type=Path, metavar="DIR", help="a folder in results/")
    it.add_argument("other", type=Path, nargs="?", metavar="DIR", help="a second one: print what changed between them")
    it.add_argument("--anyway", action="store_true", help="compare runs of different machines or limits all the same")
    it.add_argument("--json", action="store_true", help="print verdict.json")

    it = commands.add_parser("doctor", parents=[common], help="what is missing or odd on this machine")
    it.set_defaults(command=doctor)
    it.add_argument("--json", action="store_true", help="for scripts")

    it = commands.add_parser("test", parents=[common], help="run everything that this machine can test")
    it.set_defaults(command=test)
    it.add_argument("pytest", nargs="*", metavar="…", help="arguments and options for pytest")
    return parser


def parse(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for. All that follows `test` is pytest's, which has options of its own."""
    arguments, unknown = parser.parse_known_args(words)
    if hasattr(arguments, "pytest"):
        arguments.pytest = list(words[words.index("test") + 1 :])
    elif unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return arguments


def _add_selection(it: argparse.ArgumentParser, command: str) -> None:
    """What every command that measures takes: engine, servers, workload, app, objective, and where results go."""
    it.add_argument(
        "--engine",
        choices=["auto", "compose", "local", "attached"],
        default=os.environ.get("LAB_ENGINE", "auto"),
        help="where servers run: containers, local processes, or whichever can be had (default: auto); "
        "'attached' is for the runner inside the Compose network",
    )
    it.add_argument("--servers", type=_names, metavar="A,B,…", help="which servers (default: the lesson's five)")
    it.add_argument(
        "--variant",
        action="append",
        default=[],
        dest="variants",
        metavar="NAME=SERVER[,SETTING=VALUE…]",
        help="also a server with settings changed, under a name of its own (again for more)",
    )
    it.add_argument(
        "--workload",
        default="mix",
        metavar="W",
        help="hello, io, cpu, mix, upload, or a path of your app (default: mix)",
    )
    it.add_argument("--out", type=Path, metavar="DIR", help=f"where results go (default: results/TIME-{command})")
    it.add_argument("--seed", type=int, metavar="N", help="repeat the order of another run (its manifest has the seed)")
    it.add_argument("--app", metavar="MODULE:ATTR", help="the WSGI app to serve (default: app:app, the lab's own)")
    it.add_argument("--app-dir", type=Path, metavar="DIR", help="the folder it is imported from")
    it.add_argument("--slo", default=DEFAULT_SLO, help=f"what counts as good (default: '{DEFAULT_SLO}')")
    it.add_argument(
        "--prometheus",
        action="store_true",
        help="local processes: record in a Prometheus too, for ./lab view (Compose always does)",
    )
