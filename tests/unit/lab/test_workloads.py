"""The workloads have one home, k6/workloads.js, and the runner reads it from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.errors import UsageError
from wsgilab.lab.workloads import WORKLOADS_JS, Workload, find_workload, load_workloads


def test_the_shipped_workloads_are_read_from_the_file_that_k6_runs() -> None:
    workloads = load_workloads(WORKLOADS_JS)

    assert set(workloads) == {"hello", "io", "cpu", "mix", "upload"}
    assert workloads["io"] == Workload("io", workloads["io"].about, "GET", "/io?ms=20")
    assert (workloads["upload"].method, workloads["upload"].body_kb) == ("POST", 64)


def test_every_shipped_workload_says_what_it_is_about() -> None:
    assert [workload.name for workload in load_workloads(WORKLOADS_JS).values() if not workload.about] == []


def test_the_name_finds_the_workload() -> None:
    assert find_workload("mix").path == "/mix"


def test_a_path_is_a_workload_of_its_own() -> None:
    workload = find_workload("/orders?page=2")

    assert (workload.method, workload.path, workload.body_kb) == ("GET", "/orders?page=2", 0)


def test_a_misspelt_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="no workload 'uplaod'") as caught:
        find_workload("uplaod")

    assert "'upload'" in caught.value.cause


def test_a_name_like_no_other_is_answered_with_all_of_them() -> None:
    with pytest.raises(UsageError) as caught:
        find_workload("zzz")

    assert "hello" in caught.value.cause
    assert "did you mean" not in caught.value.cause


@pytest.mark.parametrize("name", ["/caf\udce9", "/mix\x1b[31m", "/a\nb", "/a\r", "/\u202e"])
def test_bytes_that_no_address_has_are_refused_and_the_address_that_was_meant_is_said(name: str) -> None:
    with pytest.raises(UsageError, match="no address has") as caught:
        find_workload(name)
    assert caught.value.next_command.isprintable()
    assert caught.value.next_command.isascii()


def test_letters_of_any_language_may_stand_in_a_path() -> None:
    assert find_workload("/é?q=東").path == "/é?q=東"


@pytest.mark.parametrize(
    "text",
    [
        "no object at all",
        "export const workloads = { unquoted: 1 };",
        'export const workloads = {"a": {"method": "GET"}};',
        'export const workloads = {"a": {"about": "", "method": "GET", "path": "/", "surprise": 1}};',
        'export const workloads = {"a": "not an object"};',
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "workloads.js"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match=r"workloads\.js cannot be read"):
        load_workloads(path)
