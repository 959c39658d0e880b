"""What a request asks of a family of servers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories import window
from support import ROOT

from wsgilab.errors import UsageError
from wsgilab.lab.servers import load_lab
from wsgilab.measure.job import tuning_job
from wsgilab.measure.tuning import OFFERED_RPS, engine_for, question_of, with_settings
from wsgilab.model.needs import Needs, State
from wsgilab.model.request import Request
from wsgilab.model.tuning import Question

LOAD = "load-1=far,role=load"
HERE = ("app=here,role=servers,address=10.0.0.5", LOAD)
THERE = ("app=ssh://lab@10.0.0.5,role=servers,address=10.0.0.5", LOAD)


def question(variables: dict[str, str] | None = None, family: str = "gunicorn", **fields: Any) -> Question:
    request = Request(command="tune", families=(family,), settings=variables or {}, **fields)
    return question_of(request, load_lab(ROOT, request.variables), family)


def test_settings_are_those_for_the_cpus_of_the_server() -> None:
    few, many = question({"SERVER_CPUS": "0"}), question({"SERVER_CPUS": "0-31"})
    assert (few.cpus, many.cpus) == (1, 32)
    assert len(few.settings) == 136
    assert len(many.settings) < 400
    assert {"gunicorn-sync-3", "gunicorn-sync-65"} == {one.references["2n + 1"].name for one in (few, many)}


def test_no_more_is_offered_at_first_than_the_cpus_of_the_load_are_good_for() -> None:
    assert question({"LOAD_CPUS": "1-4"}).most_rps == 4 * OFFERED_RPS


def test_today_s_default_is_what_the_user_has_set() -> None:
    assert question({"UWSGI_PROCESSES": "3", "UWSGI_THREADS": "5"}, "uwsgi").references["today's default"].name == (
        "uwsgi-3x5"
    )


def test_memory_is_what_was_asked_for_or_what_servers_have_here() -> None:
    assert question(memory_mb=256.0).memory_mb == 256.0
    assert question({"SERVER_MEMORY": "1g"}).memory_mb == 1024**3 / 1e6


def test_a_tuning_goes_on_with_another_budget_and_no_other_app() -> None:
    assert question(budget_s=60.0).asked == question(budget_s=900.0).asked
    assert question(app="shop:app").asked != question(app="other:app").asked
    assert question(app_variables={"KEY": "one"}).asked == question(app_variables={"KEY": "two"}).asked, "maybe secrets"


def test_what_earlier_windows_took_is_not_left_of_the_budget() -> None:
    request = Request(command="tune", families=("gunicorn",), budget_s=60.0, seed=1)
    lab, servers = with_settings(load_lab(ROOT, {}), question(budget_s=60.0))
    job = tuning_job(request, lab, servers)
    earlier = [replace(window("gunicorn"), took_s=20.0, start_s=2.0)] * 2
    assert (job.outline.takes_s, job.outline.earlier) == (60.0, 0)
    assert (job.after(earlier).outline.takes_s, job.after(earlier).outline.earlier) == (16.0, 2)
    assert job.after(earlier * 2).outline.takes_s == 0.0, "nothing is left"


def test_each_load_host_is_good_for_what_one_cpu_is() -> None:
    lab = replace(load_lab(ROOT, {"LOAD_CPUS": "0-7"}), load_hosts=("load-1", "load-2"))
    assert question_of(Request(command="tune"), lab, "gunicorn").most_rps == 2 * OFFERED_RPS


@pytest.mark.parametrize(
    ("hosts", "asked", "engine"),
    [((), "auto", "local"), ((), "compose", "compose"), (HERE, "auto", "local"), (THERE, "auto", "compose")],
)
def test_settings_run_where_the_servers_host_has_them(hosts: tuple[str, ...], asked: str, engine: str) -> None:
    assert engine_for(Request(command="tune", hosts=hosts, engine=asked)) == engine


def test_what_another_machine_cannot_do_is_refused() -> None:
    writes = Needs(state=State())
    assert engine_for(Request(command="tune", hosts=HERE, needs=writes)) == "local"
    with pytest.raises(UsageError, match="makes no copies"):
        engine_for(Request(command="tune", hosts=THERE, needs=writes))
    with pytest.raises(UsageError, match="no tuning with --engine kubernetes"):
        engine_for(Request(command="tune", engine="kubernetes"))
