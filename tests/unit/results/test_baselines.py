"""An earlier run to compare with: a verdict.json will do, and what cannot be compared is refused with a way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from wsgilab import api
from wsgilab.errors import UsageError
from wsgilab.model.conditions import Conditions
from wsgilab.model.request import Request
from wsgilab.model.verdict import Verdict
from wsgilab.results import baselines
from wsgilab.results.folder import RunFolder

GOLDEN = ROOT / "tests/golden/run"
AGAINST = "./lab gate --servers gunicorn --rate 100 --against HEAD~1"


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A verdict.json as it stands in somebody's repository: without its manifest or its windows."""
    file = tmp_path / "baseline.json"
    file.write_text((GOLDEN / "verdict.json").read_text())
    return file


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    """The same run, judged from its windows."""
    folder = RunFolder.open(GOLDEN)
    return api.judge(folder.read()[0], folder.read_manifest()[0], [])


def test_a_committed_verdict_holds_every_figure_and_its_conditions(committed: Path, verdict: Verdict) -> None:
    found = baselines.read(committed)
    assert found.conditions == verdict.conditions
    assert [row.server for row in found.servers] == [row.server for row in verdict.servers]
    for row, original in zip(found.servers, verdict.servers, strict=True):
        for load, one in zip(row.loads, original.loads, strict=True):
            assert (load.rate_rps, load.windows, load.starts) == (one.rate_rps, one.windows, one.starts)
            assert load.figures == one.figures
    assert baselines.read(GOLDEN) == found, "the folder of a run will do as well"


def test_a_run_is_a_baseline_of_its_own_machine_and_load(committed: Path, verdict: Verdict) -> None:
    before = baselines.read(committed)
    baselines.require_comparable(before, verdict.conditions, committed, AGAINST)
    baselines.require_measured(before, ["gunicorn", "uwsgi"], Request(rates_rps=(50.0, 100.0)), committed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": {"cpu_model": "another", "cpus": 2}}, "host: cpu model AMD EPYC and another"),
        ({"limits": {"memory": "512 MB", "cpus": (0,)}}, "limits: memory none and 512 MB"),
        ({"limits": {"memory": "none", "cpus": (0, 1)}}, "limits: cpus 0 and 0,1"),
        ({"cpu_sets": {"servers": "0-1", "load": "1"}}, "cpu sets: servers 0 and 0-1"),
        ({"workload": "/orders"}, "workload mix and /orders"),
        ({"engine": "attached"}, "engine local and attached"),
        ({"duration_s": 4.0}, "duration 1.5 s and 4 s"),
        ({"app": "shop:app"}, "app app:app and shop:app"),
        ({"keep_alive": True}, "a new connection for each request and reused connections"),
    ],
)
def test_one_of_another_machine_load_or_app_is_refused_with_the_way_out(
    committed: Path, verdict: Verdict, changed: dict[str, Any], said: str
) -> None:
    before = baselines.read(committed)
    now = replace(verdict.conditions, **changed)
    with pytest.raises(UsageError) as refused:
        baselines.require_comparable(before, now, committed, AGAINST)
    assert said in refused.value.what
    assert refused.value.next_command == AGAINST


def test_before_a_run_only_what_is_known_is_asked(committed: Path, verdict: Verdict) -> None:
    before = baselines.read(committed)
    known = Conditions(workload="mix", duration_s=1.5, host={"cpus": verdict.conditions.host["cpus"]})
    baselines.require_comparable(before, known, committed, AGAINST)
    with pytest.raises(UsageError, match="host: cpus 2 and 64"):
        baselines.require_comparable(before, replace(known, host={"cpus": 64}), committed, AGAINST)


def test_one_that_does_not_say_what_it_was_measured_on_is_refused(committed: Path, verdict: Verdict) -> None:
    data = json.loads(committed.read_text())
    del data["conditions"]
    committed.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="is not known"):
        baselines.require_comparable(baselines.read(committed), verdict.conditions, committed, AGAINST)


GATED = Request(rates_rps=(100.0,), app="shop:app", app_dir="/home/me/my shop", workload="/orders?page=2")


def refused_for(committed: Path, *servers: str) -> UsageError:
    with pytest.raises(UsageError) as refused:
        baselines.require_measured(baselines.read(committed), servers, GATED, committed)
    return refused.value


def test_what_it_lacks_is_named_with_the_command_that_measures_it(committed: Path) -> None:
    refused = refused_for(committed, "gunicorn", "waitress")
    assert "has no waitress at 100 rps." in refused.what
    assert "gunicorn at 100 rps" in refused.cause
    assert refused.next_command == (
        "./lab run --servers gunicorn,waitress --app-dir '/home/me/my shop' --app shop:app --workload '/orders?page=2' "
        "--rate 100 --rounds 20"
    )


def test_one_round_of_it_is_none(committed: Path) -> None:
    """No gate could pass against a figure without an interval, however long it went on."""
    data = json.loads(committed.read_text())
    for server in data["servers"]:
        for load in server["loads"]:
            load["windows"] = 1
    committed.write_text(json.dumps(data))
    assert "has only one valid window of gunicorn at 100 rps." in refused_for(committed, "gunicorn").what


def _spoil(data: dict[str, Any], **figures: Any) -> None:
    data["servers"][0]["loads"][0].update(figures)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.update(schema=2),
        lambda data: data.update(command="capacity"),
        lambda data: data.pop("servers"),
        lambda data: data.update(servers=[3]),
        lambda data: data.update(conditions={"host": 3}),
        lambda data: _spoil(data, rate_rps="fast"),
        lambda data: _spoil(data, p50_ms=7),
        lambda data: _spoil(data, p50_ms={"value": -1, "low": None, "high": None}),
        lambda data: _spoil(data, p50_ms={"value": 1, "low": 2, "high": 3}),
        lambda data: _spoil(data, p50_ms={"value": 1e300, "low": None, "high": None}),
    ],
)
def test_what_is_no_verdict_is_refused(committed: Path, spoil: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(committed.read_text())
    spoil(data)
    committed.write_text(json.dumps(data))
    with pytest.raises(UsageError, match=r"is not the verdict\.json of a run"):
        baselines.read(committed)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_nor_is_what_is_no_json(committed: Path, text: str) -> None:
    committed.write_text(text)
    with pytest.raises(UsageError, match=r"is not the verdict\.json of a run"):
        baselines.read(committed)
    with pytest.raises(UsageError, match="cannot be read"):
        baselines.read(committed.parent / "nowhere")
