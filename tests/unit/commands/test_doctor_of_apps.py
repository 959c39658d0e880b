"""`./lab doctor` asks an app where one is named, and the machine otherwise."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from wsgilab.commands import doctor, doctor_app
from wsgilab.errors import UsageError
from wsgilab.model.finding import MISSING, ODD, OK, Finding

NOTHING: dict[str, Any] = {
    "app_dir": None,
    "app": None,
    "requirements": (),
    "python": None,
    "app_variables": (),
    "env_file": None,
    "servers": None,
    "variants": (),
    "engine": "local",
}


def test_an_app_is_asked_where_one_is_named() -> None:
    assert not doctor_app.is_asked_for(NOTHING)
    assert doctor_app.is_asked_for({**NOTHING, "app": "httpbin:app"})
    with pytest.raises(UsageError, match="No app is named"):
        doctor_app.is_asked_for({**NOTHING, "servers": ("gunicorn",)})


def test_a_finding_shows_its_servers_its_meaning_and_the_cure_and_only_what_it_has() -> None:
    out = io.StringIO()
    whole = Finding("Body", ODD, "home says 'a'", "change it", ("dev", "uwsgi"), "users see it")
    doctor.show([Finding("Memory", OK, "30 MB"), whole], Console(file=out, width=40))
    assert out.getvalue() == (
        "ok      Memory: 30 MB\n"
        "odd     Body: home says 'a'\n"
        "        under: dev, uwsgi\n"
        "        means: users see it\n"
        "        → change it\n"
    )
    assert whole.to_json() == {
        "what": "Body",
        "state": "odd",
        "said": "home says 'a'",
        "fix": "change it",
        "servers": ["dev", "uwsgi"],
        "means": "users see it",
    }
    assert "servers" not in Finding("Python", OK, "3.13").to_json()
    assert doctor.exit_code([whole]) == 0
    assert doctor.exit_code([Finding("Start", MISSING, "no")]) == 3
