"""The password of the lab's Prometheus: made once, kept to those who may know it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from wsgilab.machine import http
from wsgilab.measure import access


def test_an_address_carries_the_password_and_is_shown_without_it(tmp_path: Path) -> None:
    url = access.grant(tmp_path, "http://prometheus:9090")
    password = (tmp_path / "password").read_text()
    assert url == (tmp_path / "url").read_text() == f"http://lab:{password}@prometheus:9090"
    assert len(password) >= 32
    assert http.public(url) == "http://prometheus:9090"


def test_the_password_stays_as_long_as_its_folder_does(tmp_path: Path) -> None:
    assert access.grant(tmp_path, "http://x") == access.grant(tmp_path, "http://x")


def test_two_folders_have_different_passwords(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert access.grant(tmp_path, "http://x") != access.grant(tmp_path / "other", "http://x")


def test_prometheus_gets_a_hash_and_never_the_password(tmp_path: Path) -> None:
    access.grant(tmp_path, "http://x")
    web = (tmp_path / "web.yaml").read_text()
    assert (tmp_path / "password").read_text() not in web
    assert yaml.safe_load(web)["basic_auth_users"]["lab"].startswith("$2b$")


@pytest.mark.parametrize(("shared", "mode"), [(False, 0o600), (True, 0o644)])
def test_nobody_else_reads_the_files_unless_they_are_meant_to(tmp_path: Path, shared: bool, mode: int) -> None:
    access.grant(tmp_path, "http://x", shared=shared)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {mode}


def test_an_address_is_named_by_the_environment_or_by_a_file_of_it(tmp_path: Path) -> None:
    file = tmp_path / "url"
    assert access.url_of({"LAB_PROMETHEUS_URL_FILE": str(file)}) is None
    file.write_text("http://lab:x@prometheus:9090\n")
    assert access.url_of({"LAB_PROMETHEUS_URL_FILE": str(file)}) == "http://lab:x@prometheus:9090"
    assert access.url_of({"LAB_PROMETHEUS_URL": "http://mine", "LAB_PROMETHEUS_URL_FILE": str(file)}) == "http://mine"
    assert access.url_of({}) is None
