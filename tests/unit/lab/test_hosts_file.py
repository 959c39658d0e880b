"""hosts.toml: a table for each machine; what is wrong has a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.errors import UsageError
from wsgilab.lab import hosts_file
from wsgilab.model.hosts import Host, Role

GOOD = """
[app]
docker = "here"
role = "servers"
address = "10.0.0.5"

[load-1]
docker = "ssh://lab@10.0.0.6"
role = "load"
cpus = "0-2"
"""


def test_each_table_is_a_host(tmp_path: Path) -> None:
    path = tmp_path / "hosts.toml"
    path.write_text(GOOD)
    assert hosts_file.read(path) == (
        Host("app", "here", Role.SERVERS, "10.0.0.5"),
        Host("load-1", "ssh://lab@10.0.0.6", Role.LOAD, "", "0-2"),
    )


@pytest.mark.parametrize(
    ("text", "line", "what", "cause"),
    [
        ("[app\n", 1, "this is not TOML", "bracket"),
        ('app = "here"\n', 1, "'app' is not a table", "[app]"),
        ('[app]\nrole = "load"\ndokcer = "x"\n', 3, "there is no key 'dokcer'", "did you mean 'docker'"),
        ('[app]\nrole = "load"\ncpus = 1\n', 3, "app.cpus: it must be text", "quotes"),
        ('\n[app]\ndocker = "x"\nrole = "lode"\n', 2, "app has the role 'lode'", "did you mean 'load'"),
        ('[app]\nrole = "load"\n', 1, "app names no Docker engine", "missing"),
    ],
)
def test_what_is_wrong_has_a_line_and_a_cause(tmp_path: Path, text: str, line: int, what: str, cause: str) -> None:
    path = tmp_path / "hosts.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        hosts_file.read(path)
    assert caught.value.what.startswith(f"{path}, line {line}: ")
    assert what in caught.value.what
    assert cause in caught.value.cause
    assert caught.value.next_command == f"${{EDITOR:-vi}} +{line} {path}"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        hosts_file.read(tmp_path / "hosts.toml")
