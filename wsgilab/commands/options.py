"""The command line's grammar: what can be asked, and what is refused before anything starts."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from wsgilab import __version__
from wsgilab.commands import values
from wsgilab.errors import UsageError, did_you_mean

DEFAULT_RATES = "100,250"
DEFAULT_SLO = "p99<250ms"
VIEW_PORT = 3001
ENGINES = ("auto", "compose", "local", "attached")
PRESETS = {"quick": (1, 1.5), "default": (3, 2.5), "rigorous": (10, 8.0)}
"""(rounds, seconds of each measured part)."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in three parts, as every other error."""

    commands: Mapping[str, Parser] = {}
    """The parser of each command, where this is the one that tells them apart."""

    @property
    def options(self) -> list[str]:
        """Every long option."""
        return ["--help", *re.findall(r"--[a-z-]+", self.format_usage())]

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        left_out = "required" in message or "expected" in message
        cause = "something was left out" if left_out else "a typo on the command line"
        self.refuse(f"{message[0].upper()}{message[1:]}.", cause)

    def refuse(self, what: str, cause: str, next_command: str | None = None) -> NoReturn:
        """Exit with code 2."""
        error = UsageError(what, cause, next_command or f"{self.prog} --help")
        print(f"lab: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def build_parser() -> Parser:
    """The parser; a namespace holds the name of its command as `command`."""
    parser = Parser(
        prog="./lab",
        description="Measures, in one run, how to serve a Flask app.",
        epilog="Exit codes: docs/reference.md",
    )
    parser.add_argument("--version", action="version", version=f"wsgilab {__version__}")
    common = Parser(add_help=False)
    common.add_argument(
        "--debug", action="store_true", help="show tracebacks, and each program that is run and each HTTP call"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")
    parser.commands = commands.choices
    for name, add_options, about in (
        ("run", _add_run, "measure servers side by side and judge them"),
        ("capacity", _add_capacity, "find the highest rate that keeps the SLO"),
        ("view", _add_view, "the dashboards in a browser, without Grafana"),
        ("report", _add_report, "render a run again from its saved windows"),
        ("doctor", _add_doctor, "what is missing or odd on this machine"),
        ("test", _add_test, "run everything that this machine can test"),
    ):
        add_options(commands.add_parser(name, parents=[common], help=about))
    return parser


def parse(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for. All that follows `test` is pytest's, which has options of its own."""
    names = ", ".join(parser.commands)
    if not words:
        parser.refuse("No command was given.", f"the first word says what to do: {names}")
    if not words[0].startswith("-") and words[0] not in parser.commands:
        parser.refuse(
            f"There is no command '{words[0]}'.", did_you_mean(words[0], parser.commands, f"there are {names}")
        )
    arguments, unknown = parser.parse_known_args(words)
    if hasattr(arguments, "pytest"):
        arguments.pytest = list(words[words.index("test") + 1 :])
    elif unknown:
        _refuse_word(parser, parser.commands[arguments.command], unknown[0])
    engine = getattr(arguments, "engine", ENGINES[0])
    if engine not in ENGINES:  # argparse checks what is typed, not what LAB_ENGINE gives as the default
        cause = did_you_mean(engine, ENGINES, f"it must be one of {', '.join(ENGINES)}")
        parser.refuse(f"LAB_ENGINE is '{engine}'.", cause, "unset LAB_ENGINE")
    return arguments


def _refuse_word(parser: Parser, command: Parser, word: str) -> NoReturn:
    """Exit with code 2 and what was likely meant by a word that the command does not know."""
    option = word.partition("=")[0]
    if not option.startswith("-"):
        command.refuse(f"'{word}' is one word too many.", "a space within a value, or a value without its option")
    if option in command.options:
        command.refuse(f"{option} stands before the command.", "an option of the command", f"{command.prog} {option}")
    others = [each.prog for each in parser.commands.values() if option in each.options]
    cause = f"an option of {others[0]}" if others else did_you_mean(option, command.options, "a typo")
    command.refuse(f"{command.prog} has no option '{option}'.", cause)


def _add_run(it: argparse.ArgumentParser) -> None:
    _add_selection(it, "run")
    it.add_argument(
        "--rate",
        type=values.rates,
        default=DEFAULT_RATES,
        metavar="RPS[,RPS…]",
        help="offered requests per second (default: 100,250)",
    )
    it.add_argument(
        "--rounds",
        type=values.whole("rounds", values.MAX_ROUNDS),
        metavar="N",
        help="windows of each server at each rate (default: 3)",
    )
    it.add_argument(
        "--duration",
        type=values.number("the duration", 0.5, values.MAX_DURATION_S, " seconds"),
        metavar="S",
        help="measured seconds of each window (default: 2.5)",
    )
    preset = it.add_mutually_exclusive_group()
    preset.add_argument(
        "--quick", action="store_true", help="1 round of 1.5 s windows: a first look, without intervals"
    )
    preset.add_argument("--rigorous", action="store_true", help="10 rounds of 8 s windows: narrow intervals")


def _add_capacity(it: argparse.ArgumentParser) -> None:
    _add_selection(it, "capacity")
    it.add_argument(
        "--duration",
        type=values.number("the duration", 1, values.MAX_DURATION_S, " seconds"),
        default=8.0,
        metavar="S",
        help="for how long a rate must keep the SLO (default: 8)",
    )
    it.add_argument(
        "--budget",
        type=values.number("the budget", 20, 36_000, " seconds"),
        default=180.0,
        metavar="S",
        help="seconds of searching for each server, at most (default: 180)",
    )


def _add_view(it: argparse.ArgumentParser) -> None:
    it.add_argument("--port", type=values.whole("the port", 65535), default=VIEW_PORT, help=f"default: {VIEW_PORT}")
    it.add_argument(
        "--prometheus",
        type=values.web_address,
        metavar="URL",
        help="the Prometheus to show (default: the one on PROMETHEUS_PORT, started if there is none)",
    )


def _add_report(it: argparse.ArgumentParser) -> None:
    it.add_argument("folder", type=values.folder, metavar="DIR", help="a folder in results/")
    it.add_argument(
        "other", type=values.folder, nargs="?", metavar="DIR", help="a second one: print what changed between them"
    )
    it.add_argument("--anyway", action="store_true", help="compare runs of different machines or limits all the same")
    it.add_argument("--json", action="store_true", help="print verdict.json")


def _add_doctor(it: argparse.ArgumentParser) -> None:
    it.add_argument(
        "--grafana",
        type=values.web_address,
        metavar="URL",
        help="ask a running Grafana instead whether every dashboard opens and every panel has data",
    )
    it.add_argument("--clean", action="store_true", help="end and remove what runs that were killed left behind")
    it.add_argument("--json", action="store_true", help="for scripts")


def _add_test(it: argparse.ArgumentParser) -> None:
    it.add_argument("pytest", nargs="*", metavar="…", help="arguments and options for pytest")


def _add_selection(it: argparse.ArgumentParser, command: str) -> None:
    """What every command that measures takes: engine, servers, workload, app, objective, and where results go."""
    it.add_argument(
        "--engine",
        choices=ENGINES,
        default=os.environ.get("LAB_ENGINE") or ENGINES[0],
        help="where servers run: containers, local processes, or whichever can be had (default: auto); "
        "'attached' is for the runner inside the Compose network",
    )
    it.add_argument("--servers", type=values.names, metavar="A,B,…", help="which servers (default: the lesson's five)")
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
    it.add_argument(
        "--out", type=values.folder, metavar="DIR", help=f"where results go (default: results/TIME-{command})"
    )
    it.add_argument(
        "--seed", type=values.seed, metavar="N", help="repeat the order of another run (its manifest has the seed)"
    )
    it.add_argument(
        "--app", type=values.app, metavar="MODULE:ATTR", help="the WSGI app to serve (default: app:app, the lab's own)"
    )
    it.add_argument("--app-dir", type=values.folder, metavar="DIR", help="the folder it is imported from")
    it.add_argument("--slo", default=DEFAULT_SLO, help=f"what counts as good (default: '{DEFAULT_SLO}')")
    it.add_argument(
        "--prometheus",
        action="store_true",
        help="local processes: record in a Prometheus too, for ./lab view (Compose always does)",
    )
