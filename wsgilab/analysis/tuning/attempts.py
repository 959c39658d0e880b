"""What one window says to a tuning. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from wsgilab.analysis import capacity, stats
from wsgilab.analysis.capacity import Outcome
from wsgilab.model import words
from wsgilab.model.slo import Slo
from wsgilab.model.tuning import Attempt, Ending, Question, Setting, Stage, Trial
from wsgilab.model.window import Window, WindowPlan

ENDINGS = {Outcome.KEPT: Ending.KEPT, Outcome.MISSED: Ending.MISSED, Outcome.VOID: Ending.VOID}


def attempt_of(trial: Trial, window: Window, objective: Slo, memory_mb: float | None = None) -> Attempt:
    """The attempt that a window is. `memory_mb`: what the server may use, where nothing but this holds it to that."""
    told, usage = capacity.tried(window, objective), window.usage
    died = None if window.void else window.died or _starved(window) or _too_large(window, memory_mb)
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


def history_of(question: Question, windows: Sequence[Window], objective: Slo) -> tuple[list[Attempt], str]:
    """(the attempts that saved windows are, what is wrong with them or nothing).

    Each window says what it was for: a saved tuning is what it was, however a search would go about it today.
    """
    known = {*question.settings, *question.references.values()}
    trials = [(window, trial_of(window.plan)) for window in windows]
    history = [
        attempt_of(trial, window, objective, question.memory_mb)
        for window, trial in trials
        if trial and trial.setting in known
    ]
    if strange := len(windows) - len(history):
        return (
            history,
            f"{words.counted(strange, 'window')} left out: of another tuning, or of another version of the lab",
        )
    return history, ""


def trial_of(plan: WindowPlan) -> Trial | None:
    """What a window was for; None where it was no part of a tuning, or nobody said of which."""
    if plan.purpose is None:
        return None
    try:
        setting, stage = Setting.named(plan.server), Stage(plan.purpose.stage)
    except ValueError:
        return None
    return Trial(setting, plan.rate_rps, plan.duration_s, stage, plan.purpose.heat, plan.purpose.round, plan.why)


def _starved(window: Window) -> str | None:
    """Where others take the place of workers that the kernel killed, the server lives on, and is no setting to take."""
    kills = window.usage.oom_kills if window.usage else 0
    return "had workers killed by the kernel (out of memory)" if kills else None


def _is_held(window: Window, memory_mb: float) -> bool:
    """Whether the kernel holds the server to that: what is counted here may be its proxy's as well."""
    limit_mb = window.usage.inside.memory_limit_mb if window.usage and window.usage.inside else None
    return limit_mb is not None and limit_mb <= 1.01 * memory_mb


def _too_large(window: Window, memory_mb: float | None) -> str | None:
    used = window.usage.memory_mb if window.usage else None
    if memory_mb is None or used is None or used <= memory_mb or _is_held(window, memory_mb):
        return None
    return f"used {words.number(used)} MB of the {words.number(memory_mb)} MB of memory that it may use"
