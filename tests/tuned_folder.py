"""Saved tunings without a server: the windows that k6 would have written about an app that exists as laws only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

from factories import load_result, manifest, plan, usage
from simulated_apps import App, window

from wsgilab.analysis.tuning import search
from wsgilab.analysis.tuning.attempts import attempt_of
from wsgilab.analysis.tuning.outcome import Tuning, outcome
from wsgilab.model.manifest import Manifest
from wsgilab.model.slo import Slo
from wsgilab.model.tuning import Attempt, Ending, Question, Trial
from wsgilab.model.window import Inside, Purpose, Window
from wsgilab.results.folder import RunFolder

FOUND: dict[str, tuple[list[Window], Tuning]] = {}
ANSWERS = 100
"""Latencies in each window: enough for a percentile of 99."""


def measured(trial: Trial, attempt: Attempt, order: int = 0) -> Window:
    """A window of k6 that says what a simulated attempt says."""
    at = plan(
        trial.setting.name,
        rate_rps=trial.rate_rps,
        duration_s=trial.duration_s,
        round=order + 1,
        order=order,
        fresh=True,
        why=trial.why,
        purpose=Purpose(trial.stage, trial.heat, trial.round),
    )
    if attempt.ending is Ending.DIED:
        died = f"the server was {attempt.died} while under load"
        return Window(at, None, None, died=died, took_s=attempt.took_s, log=("Worker (pid:7) was sent SIGKILL!",))
    if attempt.ending is Ending.VOID:
        return Window(at, None, None, void=attempt.void, took_s=attempt.took_s)
    late = attempt.ending is Ending.MISSED
    latency_ms = (600.0 if attempt.clear else 300.0) if late else (20.0 if attempt.clear else 200.0)
    load = load_result([latency_ms] * ANSWERS)
    fastest_s = latency_ms / 1000
    load = replace(load, ok_in_time=round(attempt.goodput_rps * (trial.duration_s - fastest_s)))
    cost = replace(
        usage(trial.rate_rps * trial.duration_s),
        service_ms=attempt.service_ms,
        cpu_ms_per_request=attempt.cpu_ms,
        memory_mb=attempt.memory_mb,
        inside=Inside(at_once=attempt.at_once),
    )
    return Window(at, load, cost, took_s=attempt.took_s)


def windows_of(app: App, question: Question, most: int = 1000) -> list[Window]:
    """Every window of a tuning, or the first so many. Searched for once, whoever asks again."""
    return list(_found(app, question, most)[0])


def _windows_of(app: App, question: Question, most: int) -> list[Window]:
    luck, history, windows = Random(f"{app.name} {question.seed}"), list[Attempt](), list[Window]()
    while len(windows) < most and (trial := search.next_trial(question, history)):
        windows.append(measured(trial, window(app, trial, question, luck), len(windows)))
        history.append(attempt_of(trial, windows[-1], Slo(), question.memory_mb))
    return windows


def tuning_of(app: App, question: Question, most: int = 1000) -> Tuning:
    """What these come to."""
    return _found(app, question, most)[1]


def _found(app: App, question: Question, most: int) -> tuple[list[Window], Tuning]:
    known = f"{app} {question} {most}"
    if known not in FOUND:
        windows = _windows_of(app, question, most)
        FOUND[known] = windows, outcome(question, windows, Slo())
    return FOUND[known]


def manifest_of(question: Question, app: str = "app:app") -> Manifest:
    """The manifest of such a tuning."""
    first = question.settings[0].name
    return manifest(
        command="tune",
        engine="local",
        workload="mix",
        slo=str(Slo()),
        seed=question.seed,
        started_at="2026-03-01T12:00:05+00:00",
        tuning=question.to_json(),
        servers=[{"name": first, "environment": {"LAB_APP": app}}],
    )


def saved(folder: Path, app: App, question: Question, most: int = 1000) -> Path:
    """The folder of such a tuning, as a measurement leaves it before anything is rendered."""
    run = RunFolder.create(folder)
    run.write_manifest(manifest_of(question))
    for one in windows_of(app, question, most):
        run.append(one)
    return folder
