"""verdict.json is what docs/verdict.schema.json says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import verdict_json
from factories import SERVERS, story
from jsonschema import Draft202012Validator
from support import ROOT

from wsgilab.analysis.pipeline import RunFacts, analyse
from wsgilab.model.slo import Slo
from wsgilab.results import schema

Json = dict[str, Any]
GOLDEN = sorted(path for path in (ROOT / "tests/golden").iterdir() if path.is_dir())


def test_the_file_is_what_the_records_give() -> None:
    """Otherwise: .venv/bin/python -m wsgilab.results.schema"""
    assert schema.PATH.read_text(encoding="utf-8") == schema.text()
    Draft202012Validator.check_schema(verdict_json.PROMISED)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.name)
def test_saved_runs_keep_it(golden: Any) -> None:
    assert verdict_json.faults(json.loads((golden / "verdict.json").read_text())) == []


@pytest.fixture(scope="module")
def verdict() -> Json:
    """Of the default run, as it is written."""
    run = RunFacts(SERVERS, Slo(), rounds=3, workload="mix")
    found: Json = json.loads(json.dumps(analyse(story(), run).to_json()))
    return found


def test_the_default_run_keeps_it(verdict: Json) -> None:
    assert verdict_json.faults(verdict) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda verdict: verdict.pop("answer"),
        lambda verdict: verdict.update(schema=2),
        lambda verdict: verdict.update(added=1),
        lambda verdict: verdict["servers"][0].update(verdict="fine"),
        lambda verdict: verdict["servers"][0].update(rating="good"),
        lambda verdict: verdict["servers"][0]["loads"][0].pop("p99_ms"),
        lambda verdict: verdict["servers"][0]["loads"][0].update(p99_ms=7.0),
        lambda verdict: verdict["servers"][0]["loads"][0]["p50_ms"].pop("low"),
        lambda verdict: verdict["windows"][0]["figures"].update(p50_ms=[7.0]),
        lambda verdict: verdict["windows"][0].update(moments=[[1.0, 2.0]]),
        lambda verdict: verdict["comparisons"][0].update(result="a is lower"),
        lambda verdict: verdict["claims"][0].update(result="maybe"),
    ],
)
def test_anything_else_is_refused(verdict: Json, spoil: Callable[[Json], object]) -> None:
    spoilt = copy.deepcopy(verdict)
    spoil(spoilt)
    assert len(verdict_json.faults(spoilt)) == 1


def test_every_record_says_what_it_is() -> None:
    assert all(record.get("description") for record in verdict_json.PROMISED["$defs"].values())
    loads = verdict_json.PROMISED["$defs"]["LoadRow"]["properties"]
    assert "99 % of the *scheduled* requests" in loads["p99_ms"]["description"]
