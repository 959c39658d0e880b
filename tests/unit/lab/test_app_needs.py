"""Services and the state of an app, as lab.toml says them: read whole, or refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.errors import UsageError
from wsgilab.lab.app_file import NAME, read
from wsgilab.lab.own_app import fields
from wsgilab.model.needs import NOTHING, Health, Service, State
from wsgilab.model.request import Request

GOOD = """\
[app]
app = "shop:app"
env = {SHOP_MODE = "lab"}
writes = ["shop.db", "uploads"]
setup = "flask --app shop seed"
reset = "flask --app shop reset"

[services.db]
command = "exec postgres -D {scratch}/db -p {port}"
compose = "compose.yaml"
service = "postgres"
port = 5432
health = {command = "pg_isready -p {port}", timeout_s = 60}
export = {DATABASE_URL = "postgresql://{host}:{port}/shop"}

[services.cache]
command = "exec redis-server --port {port}"
export = {REDIS_URL = "redis://{host}:{port}"}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / NAME


def test_a_request_carries_what_the_file_says(path: Path) -> None:
    path.write_text(GOOD)
    needs = fields("run", {"app_dir": str(path.parent)})["needs"]
    db, cache = needs.services
    assert db == Service(
        name="db",
        command="exec postgres -D {scratch}/db -p {port}",
        compose=str(path.parent / "compose.yaml"),
        service="postgres",
        port=5432,
        health=Health(command="pg_isready -p {port}", timeout_s=60),
        export={"DATABASE_URL": "postgresql://{host}:{port}/shop"},
        described_in=str(path),
    )
    assert (cache.port, cache.compose, cache.health) == (None, None, Health())
    assert needs.state == State(("shop.db", "uploads"), "flask --app shop seed", "flask --app shop reset")
    request = Request(needs=needs)
    assert Request.from_json(request.to_json()) == request


def test_an_app_that_says_nothing_needs_nothing(path: Path) -> None:
    path.write_text('[app]\napp = "shop:app"\n')
    assert fields("run", {"app_dir": str(path.parent)})["needs"] == NOTHING
    assert fields("run", {})["needs"] == NOTHING


# ruff: noqa: E501 — a table of one case a line
WRONG = {
    "a key nobody reads": ("port = 5432", "prot = 5432", 12, "services.db: there is no key 'prot'", "did you mean 'port'?"),
    "a port that is none": ("port = 5432", "port = 70000", 12, "services.db.port", ""),
    "text for a port": ("port = 5432", 'port = "5432"', 12, "it must be a whole number", ""),
    "a name that is none": ("[services.cache]", "[services.Cache]", 16, "'Cache' cannot name a service", "lower-case"),
    "nothing that starts it": ('command = "exec redis-server --port {port}"', "", 16, "needs a command or a Compose file", ""),
    "a name in no Compose file": ('compose = "compose.yaml"\n', "", 10, "no Compose file is named", "compose.yaml"),
    "two kinds of health": ('health = {command', 'health = {tcp = true, command', 13, "here are tcp and command", "keep one"),
    "no way to tell": ("redis-server --port {port}", "redis-server --port 6379", 16, "nothing says when it is ready", "a port that is free"),
    "a port that the shell would fill": ("--port {port}", "--port ${port}", 16, "nothing says when it is ready", "a port that is free"),
    "a typo in a placeholder": ("--port {port}", "--port {port} {prot}", 17, "nothing fills {prot}", "did you mean 'port'?"),
    "an export that nothing fills": ("redis://{host}", "redis://{address}", 18, "nothing fills {address}", "{host}"),
    "a variable that is none": ("{REDIS_URL =", '{"REDIS URL" =', 18, "'REDIS URL' cannot name a variable", "letters, digits"),
    "a variable of the lab": ("{REDIS_URL =", "{LAB_APP =", 18, "'LAB_APP' cannot be a variable", "the lab itself"),
    "a variable twice": ("{REDIS_URL =", "{DATABASE_URL =", 14, "two services export DATABASE_URL", ""),
    "a variable of env": ("{REDIS_URL =", "{SHOP_MODE =", 18, "SHOP_MODE is in env, too", ""),
    "a file from elsewhere": ('"uploads"]', '"/srv/uploads"]', 4, "'/srv/uploads' is not in the app's folder", ""),
    "a file above": ('"uploads"]', '"../uploads"]', 4, "'../uploads' is not in the app's folder", ""),
    "no patience at all": ("timeout_s = 60", "timeout_s = 0", 13, "the number must be > 0", ""),
    "a fault of the second": ('export = {REDIS', 'port = "6379"\nexport = {REDIS', 18, "services.cache.port: it must be a whole number", ""),
    "an empty setup": ('"flask --app shop seed"', '""', 5, "app.setup", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_its_line(path: Path, case: str) -> None:
    old, new, line, what, cause = WRONG[case]
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        read(path)
    assert refused.value.what.startswith(f"{path}, line {line}: "), refused.value.what
    assert what in refused.value.what
    assert cause in refused.value.cause


@pytest.mark.parametrize("command", ["awk '{print}' {port}", "echo ${PORT} {port}", 'sh -c "f() { true; }" {port}'])
def test_what_a_shell_puts_in_braces_is_left_to_it(path: Path, command: str) -> None:
    path.write_text(GOOD.replace('"exec redis-server --port {port}"', f"'''{command}'''"))
    assert read(path).services["cache"].command == command
