"""The windows of a tuning: what `analysis.tuning` asks for next, as plans of windows; and what it asks for at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from wsgilab.analysis.tuning import search, space
from wsgilab.analysis.tuning.attempts import attempt_of, history_of
from wsgilab.errors import UsageError
from wsgilab.lab import families, variants
from wsgilab.lab.servers import Lab
from wsgilab.measure.windows import Settings
from wsgilab.model.request import Request
from wsgilab.model.server import Server
from wsgilab.model.slo import Slo
from wsgilab.model.tuning import Attempt, Question
from wsgilab.model.window import Purpose, Window, WindowPlan

TODAY, RULE = "today's default", "2n + 1"
OF_NO_MATTER = (
    "seed",
    "budget_s",
    "resume",
    "out",
    "results",
    "spare_results",
    "lock",
    "prometheus",
    "prometheus_url",
    "fingerprint",
)
"""Fields of a request that may be others when a tuning goes on; and how long a server may take to start."""
OFFERED_RPS = 3000.0
"""About what k6 can offer with one CPU: 3,000 rps kept half of one busy, and with 5,000 it fell behind its schedule.
Other machines have one at least."""


def engine_for(request: Request) -> str:
    """Processes of this machine where nothing else was asked for. Raises UsageError for an engine that cannot tune."""
    usual = "compose" if request.elsewhere else "local"
    engine = usual if request.engine == "auto" else request.engine
    if engine not in ("local", "compose"):
        cause = "it starts servers anew for each window, one setting at a time, which nobody does there"
        raise UsageError(f"There is no tuning with --engine {engine}.", cause, "./lab tune --engine local")
    if engine == "compose" and request.needs.state:
        cause = "lab.toml says that the app writes there, and each setting would need one of its own"
        raise UsageError(
            "A tuning in containers makes no copies of the app's folder.", cause, "./lab tune --engine local"
        )
    return engine


def question_of(request: Request, lab: Lab, family: str) -> Question:
    """What a request asks of one family of servers."""
    cpus = len(lab.cpus("SERVER_CPUS"))
    return Question(
        settings=space.settings_of(family, cpus),
        references={TODAY: families.default_of(family, lab), RULE: space.rule_of_thumb(family, cpus)},
        cpus=cpus,
        memory_mb=request.memory_mb or lab.server_memory_mb,
        budget_s=request.may_take_s,
        short_s=min(Question.short_s, request.window_s / 2),
        long_s=request.window_s,
        seed=request.seed or 0,
        rate_rps=request.expected_rps,
        headroom=request.headroom,
        asked=request.fingerprint or fingerprint(request),
        most_rps=OFFERED_RPS * (len(lab.load_hosts) or len(lab.cpus("LOAD_CPUS"))),
    )


def with_settings(lab: Lab, question: Question) -> tuple[Lab, list[Server]]:
    """(the lab with a variant for every setting, those variants): the first one is the smallest."""
    settings = sorted(
        dict.fromkeys([*question.settings, *question.references.values()]),
        key=lambda setting: (setting.slots, setting.workers, setting),
    )
    lab = variants.add(lab, [families.variant_of(setting) for setting in settings])
    names = [setting.name for setting in settings]
    once = {name: {**lab.services[name], "restart": "no"} for name in names}  # one that dies is a result
    lab = replace(lab, services={**lab.services, **once})
    return lab, lab.select(names)


def plan_tuning(
    settings: Settings, question: Question, objective: Slo, measured: Sequence[Window]
) -> Iterator[WindowPlan]:
    """The windows of a tuning. `measured` is the list that each joins before the next is asked for; where it has some
    already, the tuning goes on after these."""
    history, _ = history_of(question, measured, objective)
    while trial := search.next_trial(question, history):
        number = len(history)
        plan = settings.window(trial.setting.name, trial.rate_rps, trial.duration_s, number + 1, number)
        why, purpose = f"{trial.why}{_so_far(question, history)}", Purpose(trial.stage, trial.heat, trial.round)
        yield replace(plan, fresh=True, why=why, purpose=purpose)
        history.append(attempt_of(trial, measured[-1], objective, question.memory_mb))


def _so_far(question: Question, history: Sequence[Attempt]) -> str:
    leader = search.leader(question, history)
    return f"; so far the best is {leader.name}" if leader else ""


def fingerprint(request: Request) -> str:
    """What tells an app and its load apart from others. Values of variables are left out: they may be secrets."""
    plain = request.but(
        **{name: getattr(Request, name) for name in OF_NO_MATTER}, start_timeout_s=Request.start_timeout_s
    )
    plain = plain.but(app_variables=dict.fromkeys(request.app_variables, ""))
    return hashlib.sha256(plain.to_json().encode()).hexdigest()[:16]
