"""The table of docs/how-to.md, "What the lab says when …", held against what the lab says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import test_answers as answers
import test_app_time as app_time
import test_connections_and_memory as limits
import test_cpu as cpu
import test_deadlock as deadlock
import test_deaths as deaths
import test_slots as slots
from factories import MODELS, evidence, inside_of, plain_window, window
from support import ROOT

from wsgilab.analysis import causes
from wsgilab.model.outcomes import Rating
from wsgilab.model.window import Window

UWSGI, GTHREAD = MODELS["uwsgi"].facts, app_time.GTHREAD
HOST = {"host": "127.0.0.1:8003"}
LONG = "/" + "x" * 4500
ALONE = {(100.0, "gunicorn"): {"413": 600}, (100.0, "dev"): {"200": 600}, (100.0, "uwsgi"): {"200": 600}}


def first(measured: Window, place: int = 0, **changes: Any) -> str:
    """The sentence in this place."""
    return causes.find(evidence(measured, **changes), Rating.BAD)[place].sentence


def refused(status: str) -> Window:
    measured = answers.answered({status: 600}, app={})
    return replace(measured, plan=replace(measured.plan, workload=LONG))


def used(measured: Window, **changes: Any) -> Window:
    assert measured.usage
    return replace(measured, usage=replace(measured.usage, **changes))


def said() -> list[str]:
    """One example of everything that the lab can say of a cause, in the order of the evidence."""
    leak = limits.growing([112.0 + 40 * second for second in range(7)], memory_limit_mb=512.0)
    crowd = {"at_once": 8, "at_once_in_one_process": 8, "workers_max": 1, "connections_max": 100}
    cheaper = slots.served(440.0, 89, at_once=2, at_once_in_one_process=2, workers_max=1, workers_min=1)
    blocked = slots.served(900.0, 89, at_once=2, at_once_in_one_process=1, workers_min=2, workers_max=2)
    return [
        first(answers.answered({"200": 570, "500": 30})),
        first(answers.answered({"302": 600}, redirect_to="/login", **HOST)),
        first(answers.answered({"400": 600}, blames_host=True, **HOST)),
        first(answers.answered({"413": 600}), context={"statuses": ALONE}),
        first(refused("414")),
        first(refused("502"), server=UWSGI),
        first(used(plain_window([45.0] * 600), requests=1600), place=1),
        first(deadlock.stuck(), server=deadlock.SINGLE, **deadlock.KNOWN),
        first(deadlock.stuck(), server=deadlock.SINGLE),
        first(deaths.window(worker_ends={"timeout": 12})),
        first(deaths.window(worker_ends={"exit 1": 3})),
        first(deaths.window(oom_kills=2.0, memory_limit_mb=512.0)),
        first(deaths.window(worker_ends={"max_requests": 16}, outside_cpu_s=5.6)),
        first(leak, place=1),
        first(app_time.window([1001.0] * 360), server=GTHREAD),
        first(app_time.window([2.3] * 342 + [1002.0] * 18), server=GTHREAD),
        first(app_time.window([400.0] * 360), server=GTHREAD, alone_ms=50.0, alone_rps=5.0),
        first(app_time.window([413.0] * 120, 52.0, 20.0), server=GTHREAD),
        first(cpu.window(9.5, workers_max=1), server=MODELS["dev"].facts, cores=4),
        first(cpu.window(7.5, cpus_busy=0.99)),
        first(cpu.window(3.0, cpus_busy=0.99)),
        first(used(cpu.window(2.6), throttled_s=1.5)),
        first(used(window("gunicorn", 250), service_ms=22.4)),
        first(cheaper, server=UWSGI),
        first(blocked, server=slots.GEVENT),
        first(inside_of(plain_window([3000.0] * 600), **crowd), place=1, alone_ms=501.0, server=limits.WAITRESS),
        first(used(plain_window([900.0] * 600), listen_overflows=60.0)),
        first(plain_window([900.0] * 600)),
    ]


def test_the_table_says_what_the_lab_says_and_nothing_else() -> None:
    section = (ROOT / "docs/how-to.md").read_text().split("## What the lab says when …")[1].split("\n## ")[0]
    quoted = re.findall(r"^\| [^|]+ \| `([^`]+)` \| [^|]+ \|$", section, re.MULTILINE)
    assert quoted == said()


def test_every_law_has_its_line() -> None:
    """The test above cannot see a law that it does not ask."""
    asked = {law.__name__ for law in causes.LAWS}
    assert asked == {
        *("waits_for_itself", "refused_before_the_app", "answered_by_the_app", "app_calls_itself"),
        *("killed_for_memory", "workers_ended", "workers_replaced", "slow_inside", "throttled", "used_up"),
        *("used_with_others", "do_not_overlap", "too_few", "all_taken", "queue_was_full", "grows"),
    }
