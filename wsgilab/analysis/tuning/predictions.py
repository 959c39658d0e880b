"""What nobody has measured: what one more of something would bring, and what would change the answer. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wsgilab.analysis.tuning.final import Decision
from wsgilab.analysis.tuning.phrases import in_words, megabytes
from wsgilab.analysis.tuning.physics import Bound, Cost, Physics
from wsgilab.model import words
from wsgilab.model.tuning import Question, Setting

LIMITS = {"slots": "its slots", "cpu": "the CPU"}
EXPLAINED = 0.8
"""Of what slots and CPU allow: a capacity so near to that is limited by them, a lower one by something else."""
SLOWER = 2.0
"""How much slower a database is in the prediction of what would change the answer."""
NOTABLE = 1.05
"""From this ratio on a prediction says that more is more."""


def explain(bound: Bound, decision: Decision) -> bool:
    """Whether slots and CPU explain the capacity that was measured; where none was, or only a bound, nothing speaks
    against it."""
    capacity = decision.capacity
    return capacity is None or capacity.censored or capacity.value >= EXPLAINED * bound.rps


def sentences(question: Question, decision: Decision, physics: Physics) -> Iterator[str]:
    """By slots and CPU, where these explain what was measured."""
    bound = physics.bound(decision.setting)
    if bound.limited_by not in LIMITS:
        return
    if not explain(bound, decision):
        yield "What one more worker or more CPUs would bring cannot be told from slots and CPU: measure it."
        return
    for what, more in _one_more(decision.setting):
        yield _with_one_more(what, bound, physics.bound(more), physics.fits(more, question.memory_mb))
    yield from _what_if(question, decision.setting, physics)


def _with_one_more(what: str, now: Bound, after: Bound, has_room: bool) -> str:
    memory = ""
    if after.memory_mb is not None and now.memory_mb is not None:
        memory = f" and take {megabytes(after.memory_mb - now.memory_mb)} more"
    room = "" if has_room else ", for which there is no room"
    if after.rps > now.rps * NOTABLE:
        return f"Prediction: one more {what} would let it do up to {words.limit(after.rps)}{memory}{room}."
    return f"Prediction: one more {what} would bring next to nothing{memory}{room}."


def _one_more(setting: Setting) -> Iterator[tuple[str, Setting]]:
    yield "process" if setting.family == "uwsgi" else "worker", replace(setting, workers=setting.workers + 1)
    if setting.kind not in ("sync", "gevent"):
        owner = "process" if setting.family == "uwsgi" else "worker"
        thread = "thread" if setting.workers == 1 else f"thread for each {owner}"
        yield thread, replace(setting, threads=setting.threads + 1)


def _what_if(question: Question, setting: Setting, physics: Physics) -> Iterator[str]:
    """What more CPUs, or slower answers of what the app waits for, would change."""
    now = _best(question, physics)
    if now is None:
        return
    here = physics.bound(setting).rps
    twice = replace(physics, cpus=2 * question.cpus)
    if twice.bound(setting).rps > here * NOTABLE:
        yield f"Prediction: twice the CPUs would let it do up to {words.limit(twice.bound(setting).rps)}."
    elif (best := _best(question, twice)) and twice.bound(best).rps > here * NOTABLE:
        yield f"Prediction: twice the CPUs would only help with more slots, such as {in_words(best)}."
    slower = replace(physics, costs={key: _waiting_longer(cost) for key, cost in physics.costs.items()})
    if slower.bound(setting).rps < here / NOTABLE and (best := _best(question, slower)):
        left = words.limit(slower.bound(setting).rps)
        other = f"; {in_words(best)} would do up to {words.limit(slower.bound(best).rps)}" if best != setting else ""
        yield f"Prediction: if what the app waits for took twice as long, it would do up to {left}{other}."


def _waiting_longer(cost: Cost) -> Cost:
    waits_ms = max(0.0, cost.service_ms - cost.cpu_ms)
    return replace(cost, service_ms=cost.service_ms + (SLOWER - 1) * waits_ms)


def _best(question: Question, physics: Physics) -> Setting | None:
    """The setting that physics allows most, the cheapest of those that it allows the same."""
    known = [
        setting
        for setting in question.settings
        if physics.bound(setting).limited_by in LIMITS and physics.fits(setting, question.memory_mb)
    ]
    key = {setting: (-round(physics.bound(setting).rps), physics.bound(setting).memory_mb or 0.0) for setting in known}
    return min(known, key=lambda setting: (key[setting], setting), default=None)
