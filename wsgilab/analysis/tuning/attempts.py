"""What one window says to a tuning. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from wsgilab.analysis import capacity, stats
from wsgilab.analysis.capacity import Outcome
from wsgilab.analysis.tuning import search
from wsgilab.model import words
from wsgilab.model.slo import Slo
from wsgilab.model.tuning import Attempt, Ending, Question, Trial
from wsgilab.model.window import Window, WindowPlan

ENDINGS = {Outcome.KEPT: Ending.KEPT, Outcome.MISSED: Ending.MISSED, Outcome.VOID: Ending.VOID}


def attempt_of(trial: Trial, window: Window, objective: Slo, memory_mb: float | None = None) -> Attempt:
    """The attempt that a window is. `memory_mb`: what the server may use, where nothing but this holds it to that."""
    told, usage = capacity.tried(window, objective), window.usage
    died = None if window.void else window.died or _too_large(window, memory_mb)
    return Attempt(
        trial=trial,
        ending=Ending.DIED if died else ENDINGS[told.outcome],
        clear=told.clear,
        goodput_rps=stats.goodput_rps(window) or 0.0,
        service_ms=usage.service_ms if usage else None,
        cpu_ms=usage.cpu_ms_per_request if usage else None,
        memory_mb=usage.memory_mb if usage else None,
        at_once=usage.inside.at_once if usage and usage.inside else None,
        took_s=window.took_s + window.start_s,
        died=died or "",
        void=window.void or "",
    )


def replayed(question: Question, windows: Sequence[Window], objective: Slo) -> tuple[list[Attempt], str]:
    """(the attempts that saved windows are, what is wrong with them or nothing).

    A search goes by its attempts alone, so their trials need not be saved: it asks for the same ones again. Where a
    window is none that it asks for, the windows belong to another question, or lines were lost: from there on they say
    nothing.
    """
    history: list[Attempt] = []
    for number, window in enumerate(windows, 1):
        trials = search.possible_trials(question, history)
        trial = next((trial for trial in trials if _is_of(window.plan, trial)), None)
        if trial is None:
            left_out = "it and those after it are left out"
            return history, f"window {number} is not the one that this tuning asks for: {left_out}"
        history.append(attempt_of(trial, window, objective, question.memory_mb))
    return history, ""


def _is_of(plan: WindowPlan, trial: Trial) -> bool:
    asked = (trial.setting.name, trial.rate_rps, trial.duration_s)
    return (plan.server, plan.rate_rps, plan.duration_s) == asked


def _too_large(window: Window, memory_mb: float | None) -> str | None:
    used = window.usage.memory_mb if window.usage else None
    if memory_mb is None or used is None or used <= memory_mb:
        return None
    return f"used {words.number(used)} MB of the {words.number(memory_mb)} MB of memory that it may use"
