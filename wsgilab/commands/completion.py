"""Completion in shells: Click's own, but for `./lab`, which is not on PATH."""

from __future__ import annotations

import click
from click import shell_completion

COMMAND = "lab"


class Zsh(shell_completion.ZshComplete):
    """Asks what was typed; Click's would look for `lab` on PATH."""

    name = "zsh"
    source_template = shell_completion.ZshComplete.source_template.replace(
        "(( ! $+commands[%(prog_name)s] )) && return 1", ""
    ).replace("%(complete_var)s=zsh_complete %(prog_name)s", "%(complete_var)s=zsh_complete ${words[1]}")


class Fish(shell_completion.FishComplete):
    """Asks what was typed; Click's would look for `lab` on PATH."""

    name = "fish"
    source_template = shell_completion.FishComplete.source_template.replace(
        "(commandline -t) %(prog_name)s", "(commandline -t) (commandline -opc)[1]"
    )


for shell in (Zsh, Fish):
    shell_completion.add_completion_class(shell)


def complete(lab: click.Command, variable: str, instruction: str) -> int:
    """Print what a shell asked for with `variable`: its script, or what could come next. Gives the exit code."""
    return shell_completion.shell_complete(lab, {}, COMMAND, variable, instruction)
