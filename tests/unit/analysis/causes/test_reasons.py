"""The table of docs/reasons.md, "What the lab says when …", held against what the lab says."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
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
from wsgilab.engines import start_failure
from wsgilab.engines.background import Finished
from wsgilab.lab.servers import load_lab
from wsgilab.model import slo
from wsgilab.model.outcomes import Rating
from wsgilab.model.server import App
from wsgilab.model.window import Window

UWSGI, GTHREAD = MODELS["uwsgi"].facts, app_time.GTHREAD
HOST = {"host": "127.0.0.1:8003"}
LONG = "/" + "x" * 4500
ALONE = {(100.0, "gunicorn"): {"413": 600}, (100.0, "dev"): {"200": 600}, (100.0, "uwsgi"): {"200": 600}}


def first(measured: Window, place: int = 0, **changes: Any) -> str:
    """The sentence in this place."""
    return causes.find(evidence(measured, **changes), Rating.BAD)[place].sentence


def too_long(status: str) -> Window:
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
        first(answers.unlike_lab_toml(unexpected_text=120)),
        first(too_long("414")),
        first(too_long("502"), server=UWSGI),
        first(answers.answered({"431": 600}, app={}, refused_by="limit_request_field_size")),
        first(answers.answered({"400": 600}, app={}, refused_by="large_client_header_buffers"), server=UWSGI),
        first(answers.answered({"0": 600}, app={"200": 800}), server=UWSGI),
        first(used(plain_window([45.0] * 600), requests=1600), place=1),
        first(used(plain_window([45.0] * 600), requests=1040, asked_alone_rps=0.0), place=1),
        first(deadlock.stuck(), server=deadlock.SINGLE, **deadlock.KNOWN),
        first(deadlock.stuck(), server=deadlock.SINGLE),
        first(deaths.window(worker_ends={"timeout": 12}, worker_timeout_s=30.0)),
        first(deaths.window(worker_ends={"exit 1": 3})),
        first(deaths.window(worker_ends={"exit 0": 3})),
        first(deaths.window(oom_kills=2.0, memory_limit_mb=512.0)),
        first(deaths.window(worker_ends={"max_requests": 16}, worker_starts=16, start_cpu_s=0.35)),
        first(leak, place=1),
        first(app_time.window([1001.0] * 360), server=GTHREAD),
        first(app_time.window([2.3] * 342 + [1002.0] * 18), server=GTHREAD),
        first(app_time.window([400.0] * 360), server=GTHREAD, alone_ms=50.0, alone_rps=5.0),
        first(app_time.named(413.0), server=GTHREAD, objective=slo.parse("p99<250ms; report: p95<100ms")),
        first(app_time.window([413.0] * 120, 52.0, 20.0), server=GTHREAD),
        first(cpu.window(9.5, workers_max=1), server=MODELS["dev"].facts, cores=4),
        first(cpu.window(9.5, idle_cores=0.42)),
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
    section = (ROOT / "docs/reasons.md").read_text().split("## What the lab says when …")[1].split("A cause that")[0]
    quoted = re.findall(r"^\| [^|]+ \| `([^`]+)` \| [^|]+ \|$", section, re.MULTILINE)
    assert quoted == said()


def test_every_law_has_its_line() -> None:
    """The test above cannot see a law that it does not ask."""
    asked = {law.__name__ for law in causes.LAWS}
    assert asked == {
        *(
            "waits_for_itself",
            "refused_before_the_app",
            "cut_off_on_the_way",
            "answered_by_the_app",
            "not_as_expected",
            "app_calls_itself",
        ),
        *("killed_for_memory", "workers_ended", "workers_replaced", "slow_inside", "slow_by_name"),
        *("throttled", "used_up"),
        *("used_with_others", "do_not_overlap", "too_few", "all_taken", "queue_was_full", "grows"),
    }


def refused() -> list[str]:
    """What is said before any server starts, or when one does not."""
    uwsgi = load_lab(ROOT, {}).servers["uwsgi"]
    late = start_failure.not_loaded(uwsgi, Finished("not done after 60 s", "", late=True), "./lab run").what
    long = "Listen queue size is greater than the system max net.core.somaxconn (4096)."
    return [
        *(f"LAB_APP={name} cannot be served: {why(source, name)}" for name, source in APPS),
        late,
        start_failure.read(long, uwsgi).cause,
        of_an_old_gevent(),
    ]


def of_an_old_gevent() -> str:
    """What is said of a gevent that a requirement of the app keeps too old for Gunicorn."""
    metadata = "Metadata-Version: 2.1\nName: httpbin\nVersion: 0.10.4\nRequires-Dist: greenlet<3.0\n"
    with tempfile.TemporaryDirectory() as environment:
        package = Path(environment) / "lib/python3.11/site-packages/httpbin-0.10.4.dist-info"
        package.mkdir(parents=True)
        (package / "METADATA").write_text(metadata)
        gevent = load_lab(ROOT, {}).servers["gunicorn-gevent"]
        own = replace(gevent, app=App("/apps/own", environment=environment))
        return start_failure.read("RuntimeError: gevent worker requires gevent 24.10.1 or higher", own).cause


APPS = (
    ("app:app", "async def app(scope, receive, send): ..."),
    ("app:app", "raise ModuleNotFoundError(\"No module named 'requests'\", name='requests')"),
    ("app:create_app", "def create_app(name): ..."),
)


def why(source: str, name: str) -> str:
    """Why this app cannot be served, in a process of its own: it is imported for that."""
    program = (
        "import os, sys; sys.path[:0] = [sys.argv[1]]; import app_loader\n"
        "try: app_loader.load(sys.argv[2], sys.argv[3])\nexcept app_loader.NotServable as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(source)
        services = str(ROOT / "services/serve")
        line = [sys.executable, "-c", program, services, name, folder]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()


def test_the_second_table_says_what_is_said_before_any_server_starts() -> None:
    section = (ROOT / "docs/reasons.md").read_text().split("An app that no server could serve")[1].split("\n## ")[0]
    quoted = re.findall(r"^\| [^|]+ \| `([^`]+)` \| [^|]+ \|$", section, re.MULTILINE)
    assert quoted == refused()
