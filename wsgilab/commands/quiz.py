"""`./lab quiz`: questions with an explanation for every answer; what was answered is kept."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import click
from rich.console import Console

from wsgilab.commands import environment
from wsgilab.commands.console import console
from wsgilab.commands.grammar import Command, debug, flag
from wsgilab.errors import EXIT_DONE
from wsgilab.workshop import progress, quiz
from wsgilab.workshop.quiz import Question


@click.command(cls=Command, name="quiz", example="./lab quiz --again")
@flag("--again", "Options", "Forget the answers that were given, and begin with the first question.")
@debug
def command(again: bool) -> int:
    """Ask the questions of the workshop, one after the other.

    Type the letter of an answer. Ctrl-D stops the quiz; next time it goes on from there.
    """
    questions, results = quiz.load(), environment.results()
    kept = progress.read(results)
    if again:
        kept = replace(kept, quiz={})
        progress.write(results, kept)
    out = console(sys.stdout)
    for number, question in enumerate(questions, 1):
        if question.name in kept.quiz:
            continue
        _show(out, f"\n{number} of {len(questions)}. {question.question}")
        for letter, choice in question.lettered:
            _show(out, f"   {letter})  {choice.answer}")
        answer = _answer(out, question)
        if answer is None:
            break
        kept = replace(kept, quiz={**kept.quiz, question.name: answer})
        progress.write(results, kept)
        _explain(out, question, answer)
    _show_score(out, questions, kept.quiz)
    return EXIT_DONE


def _answer(out: Console, question: Question) -> str | None:
    """The letter that was typed; None where nobody wants to go on."""
    letters = [letter for letter, _ in question.lettered]
    while True:
        out.print(f"Your answer ({letters[0]} to {letters[-1]}): ", end="", highlight=False)
        sys.stdout.flush()
        try:
            typed = sys.stdin.readline()
        except KeyboardInterrupt:
            typed = ""
        if not typed:
            out.print()
            return None
        if typed.strip().lower() in letters:
            return typed.strip().lower()


def _explain(out: Console, question: Question, answer: str) -> None:
    given, right = question.choice(answer), question.choice(question.right)
    if given and given.right:
        out.print("[bold green]Right.[/]", end=" ")
        _show(out, given.why)
    elif given and right:
        out.print("[bold yellow]No.[/]", end=" ")
        _show(out, given.why)
        _show(out, f"It is {question.right}): {right.why}")
        _show(out, f"See it: ./lab exercise {int(question.exercise[:2])}")


def _show_score(out: Console, questions: Sequence[Question], answers: Mapping[str, str]) -> None:
    right, answered = quiz.score(questions, answers)
    left = len(questions) - answered
    more = "./lab quiz goes on" if left else "./lab quiz --again begins anew"
    _show(out, f"\n{right} of {answered} right, {left} to go: {more}.")


def _show(out: Console, text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
