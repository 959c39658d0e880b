"""Click, as the lab uses it: help in groups with an example, and errors in three parts."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from wsgilab import __version__
from wsgilab.commands import typed
from wsgilab.errors import LabError, UsageError, did_you_mean, nearest

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
DEBUG = "wsgilab.debug"
"""Where a context remembers that --debug was asked for."""
SLIP = 0.9
"""How near an option must be to one of its command to be a slip, where another command has that very one."""


@dataclass(frozen=True)
class Entry:
    """One command of the lab: where it is defined, and what `./lab --help` says of it."""

    group: str
    module: str
    about: str


class Option(click.Option):
    """An option that stands in a group of its command's help."""

    def __init__(self, *names: Any, group: str = "Options", **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.group = group


class Command(click.Command):
    """A command of the lab: with an example, and with errors in three parts."""

    def __init__(self, name: str | None, *, example: str, **attributes: Any) -> None:
        super().__init__(name, **{"context_settings": SETTINGS, **attributes})
        self.example = example
        self.allow_extra_args = True  # which are refused below, in our own words

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As Click. Raises UsageError, of ours, with what was likely meant."""
        words = list(args)
        try:
            super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise _no_such_option(error.option_name, words, ctx) from error
        except click.UsageError as error:
            raise refusal(error, ctx) from error
        if ctx.args and not ctx.resilient_parsing:
            what, cause = (
                f"'{ctx.args[0]}' is one word too many.",
                "a space within a value, or a value without its option",
            )
            raise UsageError(what, cause, f"{ctx.command_path} --help")
        return []

    def invoke(self, ctx: click.Context) -> Any:
        """As Click. What an error says to do next is for this command."""
        try:
            return super().invoke(ctx)
        except LabError as error:
            for_this_command(error)
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One section for each group, in the order in which they come."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - Click's name
        """The example."""
        with formatter.section("Example"):
            formatter.write_text(self.example)


class Lab(click.Group):
    """Every command of the lab, each loaded when it is asked for: `./lab --help` loads none."""

    def __init__(self, entries: Mapping[str, Entry], **attributes: Any) -> None:
        super().__init__(context_settings=SETTINGS, **attributes)
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - Click's name
        """Their names, but for those that are not for people."""
        return [name for name, entry in self.entries.items() if entry.group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - Click's name
        """The command of that name."""
        if cmd_name not in self.entries:
            return None
        found: click.Command = importlib.import_module(self.entries[cmd_name].module).command
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As Click. Raises UsageError, of ours, where the first word is none of the lab's."""
        names = ", ".join(self.list_commands(ctx))
        if not args and not ctx.resilient_parsing:
            raise UsageError("No command was given.", f"the first word says what to do: {names}", "./lab --help")
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise self._misplaced(ctx, error.option_name, args) from error
        except click.UsageError as error:
            raise refusal(error, ctx) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As Click. Raises UsageError, of ours, for a command that is not there."""
        known = self.list_commands(ctx)
        if args[0] not in self.entries and not ctx.resilient_parsing:
            cause, meant = did_you_mean(args[0], known, f"there are {', '.join(known)}"), nearest(args[0], known)
            corrected = typed.shown(["./lab", meant, *args[1:]]) if meant else "./lab --help"
            raise UsageError(f"There is no command '{args[0]}'.", cause, corrected)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One section for each group of commands."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            groups.setdefault(self.entries[name].group, []).append((name, self.entries[name].about))
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)

    def owner_of(self, ctx: click.Context, option: str) -> str | None:
        """The first command that has this option."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        return next((name for name, command in commands if command and option in options_of(command)), None)

    def _misplaced(self, ctx: click.Context, option: str, words: Sequence[str]) -> UsageError:
        for word in words:
            command = self.get_command(ctx, word)
            if command and option in options_of(command):
                return UsageError(
                    f"{option} stands before the command.", "an option of the command", f"./lab {word} {option}"
                )
        cause = did_you_mean(option, options_of(self), "a typo, or an option without its command")
        return UsageError(f"./lab has no option '{option}'.", cause, "./lab --help")


def option(*names: str, group: str, **attributes: Any) -> Callable[[Any], Any]:
    """A decorator that adds an option to a command's help group."""
    return click.option(*names, cls=Option, group=group, **attributes)


def flag(name: str, group: str, about: str) -> Callable[[Any], Any]:
    """A decorator for an option that is asked for or not."""
    return option(name, group=group, is_flag=True, help=about)


def debug(function: Any) -> Any:
    """A decorator for --debug, which main() looks for in the context."""

    def remember(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            from wsgilab.commands import trace

            ctx.meta[DEBUG] = True
            trace.show(calls=True)

    return option(
        "--debug",
        group="Output",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=remember,
        help="Show tracebacks, and every program and HTTP call.",
    )(function)


def as_json(about: str) -> Callable[[Any], Any]:
    """A decorator for --json, after which standard output holds JSON and nothing else."""
    return option("--json", "as_json", group="Output", is_flag=True, help=about)


def options_of(command: click.Command) -> list[str]:
    """Every long option of a command."""
    names = [name for parameter in command.params for name in parameter.opts if name.startswith("--")]
    return ["--help", *names]


def for_this_command(error: LabError) -> LabError:
    """The error, with what to do next for the command that is under way: shared code says `./lab run` for any."""
    from wsgilab.model.request import COMMANDS

    context = click.get_current_context(silent=True)
    if context and context.info_name in COMMANDS and sys.argv[1:2] == [context.info_name]:
        options = [option for option in context.command.params if isinstance(option, click.Option)]
        flags = {name: option.is_flag for option in options for name in option.opts}
        error.next_command = typed.in_place_of_run(error.next_command, flags)
    return error


def refusal(error: click.UsageError, ctx: click.Context) -> UsageError:
    """What Click refuses, in our words."""
    usage = f"{ctx.command_path} --help"
    if isinstance(error, click.MissingParameter) and error.param:
        return UsageError(f"This argument is required: {_name(error.param)}.", "something was left out", usage)
    if isinstance(error, click.BadParameter) and error.param:
        if ctx.get_parameter_source(str(error.param.name)) == click.core.ParameterSource.ENVIRONMENT:
            return _bad_variable(str(error.param.envvar), str(error.message))
        return UsageError(f"Argument {_name(error.param)}: {error.message}.", "a typo on the command line", usage)
    left_out = isinstance(error, click.BadOptionUsage) and "requires" in error.message
    return UsageError(error.message, "something was left out" if left_out else "a typo on the command line", usage)


def _no_such_option(name: str, words: Sequence[str], ctx: click.Context) -> UsageError:
    """The refusal of a word that is no option of this command; what is next is the command as it was likely meant."""
    what, lab = f"{ctx.command_path} has no option '{name}'.", ctx.find_root().command
    owner = lab.owner_of(ctx, name) if isinstance(lab, Lab) else None
    meant = nearest(name, options_of(ctx.command), cutoff=SLIP if owner else 0.6)
    if meant:
        corrected = [meant + word.removeprefix(name) if word.partition("=")[0] == name else word for word in words]
        return UsageError(what, f"did you mean '{meant}'?", f"{ctx.command_path} {typed.shown(corrected)}")
    return UsageError(what, f"an option of ./lab {owner}" if owner else "a typo", f"{ctx.command_path} --help")


def _bad_variable(name: str, message: str) -> NoReturn:
    value, _, cause = message.partition(": ")
    raise UsageError(f"{name} is {value}.", cause, f"unset {name}")


def _name(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len) if isinstance(parameter, click.Option) else str(parameter.metavar)


def version_option() -> Callable[[Any], Any]:
    """A decorator for --version."""
    return click.version_option(__version__, prog_name="wsgilab", message="%(prog)s %(version)s")
