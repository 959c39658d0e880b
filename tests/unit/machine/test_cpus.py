"""Which CPUs are asked for, which there are, and the lines that bring the two together."""

from __future__ import annotations

import pytest

from wsgilab.errors import MissingError
from wsgilab.machine.cpus import listed, proposed, require


@pytest.mark.parametrize(("cpus", "text"), [({0}, "0"), ({0, 1, 2, 5}, "0-2,5"), ({7, 3}, "3,7"), (set(), "")])
def test_cpus_are_written_as_taskset_takes_them(cpus: set[int], text: str) -> None:
    assert listed(cpus) == text


@pytest.mark.parametrize(
    ("usable", "servers", "proposal"),
    [
        ({0}, 1, ({0}, {0})),
        ({0, 1}, 4, ({0}, {1})),
        ({4, 5, 6, 7}, 2, ({4, 5}, {7})),
        ({0, 1, 2, 3}, 9, ({0, 1, 2}, {3})),
    ],
)
def test_the_load_gets_the_last_and_servers_as_many_as_they_wanted(
    usable: set[int], servers: int, proposal: tuple[set[int], set[int]]
) -> None:
    assert proposed(usable, servers) == proposal


@pytest.mark.parametrize("usable", [frozenset[int](), {0, 1}, {0, 1, 2}])
def test_cpus_that_are_there_or_cannot_be_told_are_taken(usable: set[int]) -> None:
    require({"SERVER_CPUS": {0}, "LOAD_CPUS": {1}}, usable)


def test_on_one_cpu_both_lines_for_dotenv_are_given_with_what_they_cost() -> None:
    with pytest.raises(MissingError) as raised:
        require({"SERVER_CPUS": {0}, "LOAD_CPUS": {1}}, {0})
    assert raised.value.what == "SERVER_CPUS=0 and LOAD_CPUS=1, but only CPU 0 can be used here."
    assert raised.value.cause.endswith("k6 slows down what it measures:\n    SERVER_CPUS=0\n    LOAD_CPUS=0")
    assert raised.value.next_command == "SERVER_CPUS=0 LOAD_CPUS=0 ./lab run"


def test_more_servers_cpus_than_there_are() -> None:
    with pytest.raises(MissingError) as raised:
        require({"SERVER_CPUS": {0, 1, 2, 3, 4, 5}, "LOAD_CPUS": {6}}, {0, 1, 2, 3})
    assert raised.value.cause.endswith(":\n    SERVER_CPUS=0-2\n    LOAD_CPUS=3")
    assert "only CPUs 0-3" in raised.value.what
