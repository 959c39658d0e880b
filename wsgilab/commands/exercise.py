"""`./lab exercise`: the workshop's exercises, and whether the evidence for one is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from wsgilab.commands import command_lines, environment
from wsgilab.commands.console import WIDTH, console, say, show_json
from wsgilab.commands.grammar import Command, as_json, debug, option
from wsgilab.commands.solving import run_solution
from wsgilab.errors import EXIT_DONE, EXIT_NO_VALID_WINDOW, EXIT_NOT_PASSED, EXIT_USAGE, UsageError
from wsgilab.lab import ROOT
from wsgilab.model.words import counted
from wsgilab.workshop import catalogue, evidence, linter, progress, quiz, shown, slides
from wsgilab.workshop.catalogue import Exercise
from wsgilab.workshop.checks import Outcome, State
from wsgilab.workshop.progress import Progress

WITH_ONE, WITH_ALL = "With an exercise", "With all of them"
WITH_JSON = ("check", "export")
CODES = {State.PASSED: EXIT_DONE, State.MISSING: EXIT_NOT_PASSED, State.AGAIN: EXIT_NO_VALID_WINDOW}
STYLES = {State.PASSED: "bold green", State.MISSING: "bold yellow", State.AGAIN: "bold magenta"}


def _action(name: str, group: str, about: str) -> Callable[[Any], Any]:
    return option(name, "action", flag_value=name.removeprefix("--"), group=group, help=about)


@click.command(cls=Command, name="exercise", example="./lab exercise 4 --check")
@click.argument("which", metavar="[N]", required=False)
@_action("--check", WITH_ONE, "Say whether the evidence is there, and which piece of it is missing.")
@_action("--hint", WITH_ONE, "Open the next hint; there are three.")
@_action("--solve", WITH_ONE, "Show the solution, run it, and check what came of it.")
@_action("--reset", WITH_ONE, "Begin anew: what was measured before no longer counts as evidence.")
@_action("--export", WITH_ALL, "Print how far you have come, as JSON, for an instructor.")
@_action("--slides", WITH_ALL, "Print slides as one HTML page, of all exercises or of one.")
@_action("--lint", WITH_ALL, "Say what is wrong with the texts of the exercises, for those who write them.")
@as_json("Print the list, or what came of a check, as JSON.")
@debug
def command(which: str | None, action: str | None, as_json: bool) -> int:
    """List the exercises of the workshop, or show one.

    The runs in results/ are the evidence; how far you have come is kept in results/workshop/progress.json.
    """
    if as_json and (which or action) and action not in WITH_JSON:
        what = f"--json and {f'--{action}' if action else 'the text of an exercise'} cannot be combined."
        raise UsageError(what, "the list, and what came of a check, can be had as JSON", "./lab exercise --json")
    if action == "lint":
        return _lint()
    exercises, kept = catalogue.load(), progress.read(environment.results())
    if action == "export":
        show_json(_exported(exercises, kept))
        return EXIT_DONE
    if action == "slides":
        print(slides.render([catalogue.find(exercises, which)] if which else exercises), end="")
        return EXIT_DONE
    if which is None:
        if action:
            raise UsageError(
                f"--{action} needs an exercise.", "its number was left out", f"./lab exercise 1 --{action}"
            )
        _list(exercises, kept, as_json)
        return EXIT_DONE
    return _with_one(catalogue.find(exercises, which), action, kept, as_json)


def _with_one(chosen: Exercise, action: str | None, kept: Progress, as_json: bool) -> int:
    if action == "check":
        return _check(chosen, kept, as_json)
    if action == "solve":
        return _solve(chosen, kept)
    if action == "reset":
        progress.write(environment.results(), kept.without(chosen.name, datetime.now(UTC)))
        say(f"{chosen.title}: begun anew. What was measured until now stays in results/, but no longer counts.")
        return EXIT_DONE
    if action == "hint":
        kept = _with_next_hint(chosen, kept)
    _print(console(sys.stdout), shown.exercise(chosen, kept.step(chosen.name), _addresses()))
    return EXIT_DONE


def _list(exercises: Sequence[Exercise], kept: Progress, as_json: bool) -> None:
    if as_json:
        show_json(_exported_steps(exercises, kept))
        return
    out = console(sys.stdout)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for title in ("", "Exercise", "Question", "Minutes", "State"):
        table.add_column(title, justify="right" if title in ("", "Minutes") else "left")
    for one in exercises:
        needs = f" (needs {', '.join(one.front.needs)})" if one.front.needs else ""
        row = [str(one.number), one.front.title + needs, one.front.question, str(one.front.minutes)]
        table.add_row(*map(Text, row), Text(kept.step(one.name).state))
    out.print(table, width=min(WIDTH, out.width))
    _show_what_is_left(exercises, kept, out)


def _show_what_is_left(exercises: Sequence[Exercise], kept: Progress, out: Console) -> None:
    left = kept.minutes_left([(one.name, one.front.minutes) for one in exercises])
    still = [one for one in exercises if not kept.step(one.name).passed_at]
    if still:
        hours, minutes = divmod(left, 60)
        time = f"{hours} h {minutes:02} min" if hours else counted(minutes, "minute")
        said = f"{counted(len(still), 'exercise')} and {time} left. Next: ./lab exercise {still[0].number}"
    else:
        said = "All of them are passed. Next: ./lab quiz"
    out.print(f"\n{said}", markup=False, highlight=False)


def _check(chosen: Exercise, kept: Progress, as_json: bool) -> int:
    step = kept.step(chosen.name)
    found = evidence.read(environment.results(), step.since)
    outcome = chosen.check(found)
    after = step.after_check(not found.is_empty, outcome.passed, datetime.now(UTC))
    if after != step:
        progress.write(environment.results(), kept.having(chosen.name, after))
    if as_json:
        show_json({"exercise": chosen.name, "state": outcome.state, "said": outcome.said})
    else:
        _show_outcome(chosen, outcome, shown.opened(chosen, step, after))
    return CODES[outcome.state]


def _show_outcome(chosen: Exercise, outcome: Outcome, opened: str) -> None:
    out = console(sys.stdout)
    out.print(f"[{STYLES[outcome.state]}]{outcome.state}[/]", end=" ")
    out.print(f"{chosen.title}. {outcome.said}", markup=False, highlight=False, soft_wrap=True)
    if outcome.state == State.MISSING:
        out.print(f"A hint: ./lab exercise {chosen.number} --hint", markup=False, highlight=False)
    if opened:
        out.print()
        _print(out, opened)
    if outcome.passed:
        out.print("\nNext: ./lab exercise", markup=False, highlight=False)


def _solve(chosen: Exercise, kept: Progress) -> int:
    _print(console(sys.stdout), shown.solution(chosen))
    results = environment.results()
    kept = kept.with_step(chosen.name, solved_at=datetime.now(UTC))
    progress.write(results, kept)
    if code := run_solution([*chosen.front.setup, *chosen.solution_commands]):
        return code
    return _check(chosen, progress.read(results), as_json=False)


def _with_next_hint(chosen: Exercise, kept: Progress) -> Progress:
    opened = kept.with_step(chosen.name, hints=min(kept.step(chosen.name).hints + 1, len(chosen.hints)))
    progress.write(environment.results(), opened)
    return opened


def _exported(exercises: Sequence[Exercise], kept: Progress) -> dict[str, Any]:
    """How far somebody is, without who that is."""
    questions = quiz.load()
    right, asked = quiz.score(questions, kept.quiz)
    return {
        "schema": 1,
        "exercises": _exported_steps(exercises, kept),
        "minutes_left": kept.minutes_left([(one.name, one.front.minutes) for one in exercises]),
        "quiz": {"right": right, "answered": asked, "questions": len(questions)},
    }


def _exported_steps(exercises: Sequence[Exercise], kept: Progress) -> list[dict[str, Any]]:
    return [_exported_step(one, kept) for one in exercises]


def _exported_step(one: Exercise, kept: Progress) -> dict[str, Any]:
    step = kept.step(one.name)
    return {
        "exercise": one.name,
        "title": one.front.title,
        "minutes": one.front.minutes,
        "needs": list(one.front.needs),
        "state": step.state,
        "passed_at": step.passed_at and step.passed_at.isoformat(timespec="seconds"),
        "hints": step.hints,
        "solved": step.solved_at is not None,
    }


def _lint() -> int:
    where = linter.Workshop(catalogue.FOLDER, ROOT / "docs/workshop.md", ROOT / "grafana/dashboards")
    faults = linter.lint(where, command_lines.refusal)
    for fault in faults:
        say(fault)
    if not faults:
        print("The exercises, the quiz and the timetables are sound.")
    return EXIT_USAGE if faults else EXIT_DONE


def _addresses() -> shown.Addresses:
    known = environment.lab().variables
    home, grafana = known.get("HOME_PORT", "8080"), known.get("GRAFANA_PORT", "3000")
    return shown.Addresses(f"http://127.0.0.1:{home}", f"http://127.0.0.1:{grafana}")


def _print(out: Console, markdown: str) -> None:
    out.print(Markdown(markdown), width=min(WIDTH, out.width))
