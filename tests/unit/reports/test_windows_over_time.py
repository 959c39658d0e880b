"""What each window looked like: in verdict.json, and in the report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from factories import RUN, samples, story

from wsgilab.analysis.pipeline import analyse
from wsgilab.model import slo
from wsgilab.model.interval import Interval
from wsgilab.model.manifest import Manifest
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window
from wsgilab.model.window_row import Moment
from wsgilab.reports import html

P99 = slo.parse("p99<250ms")


def with_samples(window: Window, **changes: Any) -> Window:
    assert window.usage
    assert window.load
    read = tuple(replace(each, requests=50.0 * number) for number, each in enumerate(samples(3.0, 2.2)))
    return replace(window, usage=replace(window.usage, samples=read), **changes)


def judged(windows: list[Window], rounds: int = 1) -> Verdict:
    return analyse(windows, replace(RUN, objective=P99, rounds=rounds))


def test_a_window_is_kept_with_its_moments_and_its_remarks() -> None:
    windows = [with_samples(each, notes=("7 connection attempts found the listen queue full",)) for each in story(1)]
    verdict = judged([replace(windows[0], void="k6 gave no result"), *windows[1:]])
    first = verdict.windows[0]
    assert first.moments[1] == Moment(at_s=2.0, answered_rps=50.0, in_flight=3.0)
    assert first.to_json()["moments"][1] == [2.0, 50.0, 3.0]
    assert first.void == "k6 gave no result"
    page = html.render(verdict, Manifest())
    assert page.count('class="timeline"') == 10
    assert "round 1: 7 connection attempts found the listen queue full" in page
    assert "void: k6 gave no result" in page


def test_what_waits_in_the_listen_queue_is_under_way_and_failures_are_a_share() -> None:
    window = with_samples(story(1)[0])
    assert window.usage
    assert window.load
    queued = tuple(replace(each, listen_queue=7.0) for each in window.usage.samples)
    load = replace(window.load, ok=450, scheduled=600)
    first = judged([replace(window, load=load, usage=replace(window.usage, samples=queued))]).windows[0]
    assert first.moments[1].in_flight == 10.0
    assert first.figures["failed_ratio"] == Interval(0.25)


def test_counters_that_began_anew_give_no_negative_rate() -> None:
    window = with_samples(story(1)[0])
    assert window.usage
    read = list(window.usage.samples)
    read[5] = replace(read[5], requests=0.0)
    verdict = judged([replace(window, usage=replace(window.usage, samples=tuple(read)))])
    moments = verdict.windows[0].moments
    assert len(moments) == len(read) - 2
    assert all(moment.answered_rps >= 0 for moment in moments)


def test_a_long_run_shows_only_windows_with_something_to_say() -> None:
    windows = [replace(each, plan=replace(each.plan, order=number)) for number, each in enumerate(story(30))]
    windows[7] = replace(windows[7], notes=("throttled for 0.50 s by a CPU quota",))
    page = html.render(judged(windows, rounds=30), Manifest())
    assert "1 of 300 windows: those with remarks" in page
    assert len(page) < 400 * 1024
