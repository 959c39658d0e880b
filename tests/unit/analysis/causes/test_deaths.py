"""What died or was replaced: by whom, how often, and whether that explains anything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from factories import MODELS, evidence, inside_of, load_result, plain_window

from wsgilab.analysis import causes
from wsgilab.analysis.causes import deaths
from wsgilab.model.cause import Kind
from wsgilab.model.outcomes import Rating
from wsgilab.model.server import ServerFacts
from wsgilab.model.window import Window


def window(oom_kills: float = 0.0, **inside: Any) -> Window:
    """40 of 600 requests were lost."""
    lost = replace(plain_window([]), load=load_result([24.0] * 560, 600, statuses={"200": 560, "0": 40}))
    seen = inside_of(lost, **inside)
    assert seen.usage
    return replace(seen, usage=replace(seen.usage, oom_kills=oom_kills))


def first(*windows: Window, server: ServerFacts | None = None) -> str:
    found = causes.find(evidence(*windows, server=server), Rating.BAD)
    return found[0].sentence


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({"timeout": 12}, "gunicorn killed its own worker 12 times (timeout): not the kernel, not memory"),
        ({"exit 1": 3}, "workers died 3 times (exit status 1)"),
        ({"SIGSEGV": 1}, "workers died once (killed by SIGSEGV)"),
        ({"unknown": 2}, "workers died twice, and nothing says why"),
        (
            {"exit 1": 2, "timeout": 5},
            "gunicorn killed its own worker 5 times (timeout): not the kernel, not memory; "
            "workers died twice (exit status 1)",
        ),
    ],
)
def test_ends_that_nobody_planned_come_with_who_and_how_often(ends: dict[str, int], said: str) -> None:
    assert first(window(worker_ends=ends)) == said


def test_ends_of_several_windows_add_up() -> None:
    assert first(window(worker_ends={"exit 1": 2}), window(worker_ends={"exit 1": 3})).startswith(
        "workers died 5 times"
    )


def test_harakiri_is_uwsgis_word() -> None:
    said = first(window(worker_ends={"harakiri": 4}), server=MODELS["uwsgi"].facts)
    assert said == "uWSGI killed its own worker 4 times (harakiri)"


def test_what_the_kernel_kills_for_memory_is_told_from_what_the_server_kills() -> None:
    killed = window(oom_kills=2.0, worker_ends={"SIGKILL": 2}, memory_limit_mb=512.0)
    assert first(killed) == "killed by the kernel (out of memory, limit 512 MB) twice"
    assert not [cause for cause in causes.find(evidence(killed), Rating.BAD) if "SIGKILL" in cause.sentence]
    both = causes.find(evidence(window(oom_kills=1.0, worker_ends={"timeout": 2})), Rating.BAD)
    assert [cause.sentence for cause in both[:2]] == [
        "killed by the kernel (out of memory) once",
        "gunicorn killed its own worker twice (timeout)",
    ]


class TestReplaced:
    def test_often_is_a_cause_with_its_cost(self) -> None:
        churn = window(worker_ends={"max_requests": 16}, worker_starts=16, start_cpu_s=0.35)
        assert first(churn) == "workers replaced 16 times (max_requests), each start costs 0.35 s of CPU"

    def test_now_and_then_is_worth_a_word_and_explains_nothing(self) -> None:
        found = deaths.workers_replaced(
            evidence(window(worker_ends={"max_requests": 1}, worker_starts=1, start_cpu_s=0.4))
        )
        assert found
        assert (found.sentence, found.explains) == (
            "workers replaced once (max_requests), each start costs 0.40 s of CPU",
            False,
        )

    @pytest.mark.parametrize(("times", "explains"), [(3, False), (4, True)])
    def test_where_the_cost_is_not_known_often_is_every_other_second(self, times: int, explains: bool) -> None:
        found = deaths.workers_replaced(evidence(window(worker_ends={"reload": times})))
        assert found
        assert found.explains is explains

    def test_a_worker_that_is_replaced_has_not_died(self) -> None:
        assert deaths.workers_ended(evidence(window(worker_ends={"max_requests": 16}))) is None


def test_without_ends_nothing_died() -> None:
    for quiet in (window(), plain_window([24.0] * 600)):
        kinds = {cause.kind for cause in causes.find(evidence(quiet), Rating.BAD)}
        assert Kind.DEATH not in kinds


def test_a_timeout_is_said_as_long_as_it_is_where_the_server_tells() -> None:
    known = window(worker_ends={"timeout": 12}, worker_timeout_s=1.0)
    assert first(known) == "gunicorn killed its own worker 12 times (timeout 1 s): not the kernel, not memory"
    assert "(timeout)" in first(window(worker_ends={"timeout": 12}))


def test_an_orderly_end_that_the_server_did_not_plan_is_not_called_a_death() -> None:
    assert first(window(worker_ends={"exit 0": 3})) == (
        "workers ended 3 times with exit status 0, not by max_requests or a reload: by a signal (TERM, TTOU), "
        "or by sys.exit or os._exit in the app"
    )
