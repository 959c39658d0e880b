"""What the app needed stands in the manifest and in every report: where it ran and what it took, no value."""

from __future__ import annotations

import json
from dataclasses import replace

from factories import RUN, manifest, story

from wsgilab.analysis.pipeline import analyse
from wsgilab.model.manifest import ServiceEntry
from wsgilab.reports import html, markdown, notes
from wsgilab.results import saved

DB = ServiceEntry("db", "exec postgres", "1", ("DATABASE_URL",), 3.21)
STATE = "a copy for each server; reset between windows by `make reset`"


def test_a_report_says_where_a_service_ran_and_what_it_took() -> None:
    facts = notes.facts(replace(manifest(), services=(DB, ServiceEntry("cache")), state=STATE))
    assert ("The app's folder", STATE) in facts
    assert [value for label, value in facts if label == "Service"] == [
        "db: exec postgres on CPU 1, 3.2 s CPU in all, charged to no server; the app finds it by DATABASE_URL",
        "cache: —, charged to no server",
    ]


def test_both_kinds_of_report_show_it() -> None:
    verdict, said = analyse(story(rounds=1), replace(RUN, rounds=1)), replace(manifest(), services=(DB,))
    for render in (markdown.render, html.render):
        assert "the app finds it by DATABASE" in render(verdict, said)


def test_a_saved_manifest_gives_it_back_and_damage_costs_no_more_than_that() -> None:
    said = replace(manifest(), services=(DB,), state=STATE)
    found, _ = saved.manifest(json.loads(json.dumps(said.to_json())))
    assert (found.services, found.state) == ((DB,), STATE)
    found, faults = saved.manifest({**said.to_json(), "services": [{"about": 3}]})
    assert found.services == ()
    assert "services is damaged, and not used" in faults
