"""A request survives JSON, and nothing that cannot be meant gets into one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wsgilab.errors import UsageError
from wsgilab.model.needs import Health, Needs, Service, State
from wsgilab.model.request import KINDS, Request, Revision

FULL = Request(
    requirements=("httpbin",),
    requirement_files=("/somewhere/requirements.txt",),
    python="3.12",
    app_variables={"TOKEN": "s3cret"},
    needs=Needs(
        (
            Service(
                "db", "postgres -p {port}", "/c.yaml", "pg", 5432, Health(command="true"), {"URL": "x"}, "/lab.toml"
            ),
        ),
        State(("shop.db",), "make seed", "make reset"),
    ),
    traffic="/somewhere/lab.toml",
    script="/somewhere/load.js",
    testrun='{"kind": "TestRun"}',
    keep_alive=True,
    command="capacity",
    engine="local",
    servers=("gunicorn", "few"),
    variants=("few=gunicorn,GUNICORN_WORKERS=2",),
    slots=(4, 8, "default"),
    workload="/orders?page=2&q='x y'",
    rates_rps=(0.5, 100.0),
    rounds=4,
    duration_s=4.0,
    budget_s=90.0,
    baseline='{"schema": 1}',
    tolerance=0.1,
    families=("gunicorn",),
    fingerprint="c0ffee",
    expected_rps=60.0,
    headroom=0.5,
    resume="/somewhere/run",
    memory_mb=256.0,
    slo="p95<1s",
    seed=-7,
    app="shop:create_app",
    app_dir="/home/you/my app",
    before=Revision("main (1f2e3d4)", "/tmp/place", "shop:app", ("flask",), ("/tmp/r.txt",), "3.12", {"MODE": "lab"}),
    settings={"GUNICORN_WORKERS": "8", "ODD": 'é "\n$HOME'},
    out="out",
    results="results",
    spare_results="/spare",
    lock="/tmp/lock",
    generators=3,
    save_requests=True,
    hosts=("app=here,role=servers,address=10.0.0.5", "load-1=far,role=load"),
    allow_public_address=True,
    prometheus=True,
    clicks=7,
    film=False,
    vitals="/somewhere/lab.toml",
    prometheus_url="http://lab:secret@prometheus:9090",
    start_timeout_s=120.0,
)


@pytest.mark.parametrize("request_", [Request(), FULL])
def test_a_request_survives_json(request_: Request) -> None:
    text = request_.to_json()
    assert Request.from_json(text) == request_
    assert "\n" not in text, "one line"


def test_every_field_has_a_kind_that_is_checked() -> None:
    assert {str(field.type) for field in Request.__dataclass_fields__.values()} <= set(KINDS)
    assert all(getattr(FULL, name) != getattr(Request(), name) for name in Request.__dataclass_fields__)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"command": "runn"}, "did you mean 'run'?"),
        ({"engine": "nomad"}, "it must be one of auto, compose, local, attached, kubernetes"),
        ({"servers": "gunicorn"}, "it must be a list of texts"),
        ({"servers": ["gunicorn", 3]}, "it must be a list of texts"),
        ({"rates_rps": []}, "at least one rate"),
        ({"rates_rps": [100, 100]}, "each of them once"),
        ({"rates_rps": [0]}, "above 0 and at most 20000"),
        ({"rates_rps": ["100"]}, "it must be a list of numbers"),
        ({"rounds": 0}, "above 0 and at most 1000"),
        ({"rounds": 2.5}, "it must be a whole number"),
        ({"rounds": True}, "it must be a whole number"),
        ({"duration_s": float("nan")}, "above 0.5 and at most 600"),
        ({"duration_s": "2"}, "it must be a number or nothing"),
        ({"prometheus": "yes"}, "it must be true or false"),
        ({"settings": {"A": 1}}, "it must be an object of texts"),
        ({"settings": ["A"]}, "it must be an object of texts"),
        ({"start_timeout_s": 3601}, "above 0 and at most 3600"),
        ({"roundz": 3}, "did you mean 'rounds'?"),
        ({"before": ["main"]}, "its field 'before' is not a revision of an app"),
        ({"before": {"name": "main", "folder": "/tmp"}}, "its field 'before' is not a revision of an app"),
        ({"needs": {"services": [{"command": "postgres"}]}}, "its field 'needs' cannot be used"),
        ({"needs": "a database"}, "its field 'needs' cannot be used"),
        ({"schema": 2}, "cut off, edited, or written by another version"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_named(changed: dict[str, Any], said: str) -> None:
    text = json.dumps({**json.loads(Request().to_json()), **changed})
    with pytest.raises(UsageError) as error:
        Request.from_json(text)
    assert said in f"{error.value.what} {error.value.cause}"
    assert next(iter(changed)) in error.value.what


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '{"schema":1', "[" * 100_000])
def test_damaged_json_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        Request.from_json(text)


def test_a_script_may_give_lists(request: pytest.FixtureRequest) -> None:
    assert Request(servers=["dev"], rates_rps=[50]).servers == ("dev",)  # type: ignore[arg-type]


def test_a_window_is_as_long_as_its_command_wants_unless_it_is_named() -> None:
    assert [Request(command=command).window_s for command in ("run", "capacity")] == [2.5, 8.0]
    assert Request(duration_s=3).window_s == 3


def test_the_app_is_a_variable_of_compose_yaml_like_others() -> None:
    asked = Request(app="shop:app", settings={"LAB_APP": "other:app", "GUNICORN_WORKERS": "2"})
    assert asked.variables == {"LAB_APP": "shop:app", "GUNICORN_WORKERS": "2"}
