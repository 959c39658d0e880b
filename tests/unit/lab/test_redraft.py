"""A draft over a lab.toml that is there keeps what it does not write."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT

from wsgilab.commands.init import _text
from wsgilab.errors import UsageError
from wsgilab.lab.app_file import read
from wsgilab.lab.drafts import Draft, Kind

LOG = Draft([Kind("GET", "/a", 3), Kind("GET", "/b", 1)], "a log", rates=(7.0, 9.0))
ROUTES = Draft([Kind("GET", "/a", 1)], "the routes of shop:app", notes=["n"], health="/health", login="/login")
SHOPS = sorted((ROOT / "examples").glob("*/lab.toml"))


def redrafted(draft: Draft, older: str, folder: Path) -> tuple[str, tuple[str, ...]]:
    text, kept = _text(draft, "shop:app", older, folder / "lab.toml")
    (folder / "lab.toml").write_text(text)
    read(folder / "lab.toml")
    return text, kept.names


@pytest.mark.parametrize("path", SHOPS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("draft", [LOG, ROUTES], ids=lambda draft: draft.source)
def test_all_but_the_requests_of_the_examples_is_kept(path: Path, draft: Draft, tmp_path: Path) -> None:
    before = read(path)
    redrafted(draft, path.read_text(), tmp_path)
    after = read(tmp_path / "lab.toml")
    assert [request.path for request in after.requests] == [kind.path for kind in draft.kinds]
    assert after.app.app == "shop:app"
    for name in ("requirements", "python", "env", "env_file", "health", "writes", "setup", "reset"):
        if name != "health" or before.app.health:
            assert getattr(after.app, name) == getattr(before.app, name), name
    assert (after.services, after.login, after.traffic.users) == (before.services, before.login, before.traffic.users)
    assert after.traffic.rates == (list(draft.rates) or before.traffic.rates)


def test_values_of_several_lines_comments_and_tables_of_tables_are_kept(tmp_path: Path) -> None:
    older = '''\
# Drafted from the routes of shop:app. docs/reference.md lists every key.
# Ours: ask Ann.

[app]
app = "shop:old"  # gone
# for sessions
setup = """
flask seed
[app]
app = "in a text"
"""
writes = [
    "instance",  # its database
]

[traffic]
# rates = [20, 60]
# slo = "p99<250ms and failed<1%"
slo = "p99<100ms"
users = 5

[[requests]]
name = "x"
path = "/x"

[requests.headers]
A = "gone"

[app.env]
KEY = "a # b"

[services.db]
command = "db {port}"
[services.db.health]
tcp = true
'''
    text, names = redrafted(ROUTES, older, tmp_path)
    found = read(tmp_path / "lab.toml")
    assert found.app.setup == 'flask seed\n[app]\napp = "in a text"\n'
    assert (found.app.writes, found.app.env, found.app.health) == (["instance"], {"KEY": "a # b"}, "/health")
    assert (found.traffic.slo, found.traffic.users) == ("p99<100ms", 5)
    assert found.services["db"].health.tcp
    assert [request.path for request in found.requests] == ["/a"]
    assert names == ("app.setup", "app.writes", "traffic.slo", "traffic.users", "app.env", "services.db")
    for once in ("# for sessions\nsetup", "# its database", "# Ours: ask Ann.", "# rates =", "# Drafted from"):
        assert text.count(once) == 1, once
    for gone in ("gone", "# slo"):
        assert gone not in text
    assert redrafted(ROUTES, text, tmp_path)[0] == text, "a second time changes nothing"


def test_without_an_older_one_nothing_is_kept(tmp_path: Path) -> None:
    text, names = redrafted(ROUTES, "", tmp_path)
    assert names == ()
    assert "# [[login]]" in text


def test_a_health_and_a_login_that_somebody_wrote_are_theirs(tmp_path: Path) -> None:
    older = '[app]\nhealth = "/ready"\n\n[[login]]\npath = "/enter"\n'
    text, names = redrafted(ROUTES, older, tmp_path)
    assert names == ("app.health", "login")
    assert read(tmp_path / "lab.toml").app.health == "/ready"
    assert "# [[login]]" not in text


@pytest.mark.parametrize(
    "older",
    [
        'app.python = "3.12"\n',
        'app = {app = "a:b", python = "3.12"}\n',
    ],
)
def test_what_cannot_be_carried_over_is_refused_by_name(older: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be carried over as it is written: .*app") as raised:
        _text(LOG, "shop:app", older, tmp_path / "lab.toml")
    assert (
        raised.value.next_command == f"mv {tmp_path}/lab.toml {tmp_path}/lab.toml.old; ./lab init --app-dir {tmp_path}"
    )
