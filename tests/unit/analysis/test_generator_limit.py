"""When several generators share a schedule, each of them may be what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wsgilab.analysis.generator_limit import generators_limit
from wsgilab.model.window import GeneratorShare


def shares(**of_the_second: object) -> list[GeneratorShare]:
    three = [
        GeneratorShare(f"generator {number} of 3 on this machine", "", 1, 100, 100, 0, 1000.0, 4.0, 0.3, 0.1, 2.0)
        for number in (1, 2, 3)
    ]
    three[1] = replace(three[1], **of_the_second)  # type: ignore[arg-type]
    return three


def test_three_that_shared_evenly_and_began_together_are_no_limit() -> None:
    assert generators_limit(shares()) is None
    assert generators_limit(shares(schedule_at=1000.004)) is None
    assert generators_limit(shares(scheduled=99, sent=99)) is None


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ({"schedule_at": 0.0, "scheduled": 0, "sent": 0}, "generator 2 of 3 on this machine sent nothing"),
        ({"sent": 122}, "generator 2 of 3 on this machine had 122 of 300 requests to send, and not one in 3"),
        ({"scheduled": 80, "sent": 80}, "generator 2 of 3 on this machine had 80 of 280 requests to send, and not one"),
        ({"schedule_at": 1000.031}, "began 31 ms apart (bound 20 ms): generator 2 of 3 on this machine was the last"),
        ({"schedule_at": 999.969}, "began 31 ms apart"),
        ({"k6_wait_s": 1.5}, "generator 2 of 3 on this machine: k6 was short of CPU: ready to run, it waited 1.5 s"),
        ({"lag_ms": 140.0}, "generator 2 of 3 on this machine: k6 fell behind its schedule by 140 ms"),
        ({"sent": 90}, "generator 2 of 3 on this machine: k6 fell behind its schedule: 10 of 100"),
        ({"k6_cpu_s": 3.2}, "k6 was short of CPU: it used 0.95 of its 1 core, "),
    ],
)
def test_one_that_was_held_up_is_named(second: dict[str, object], sentence: str) -> None:
    assert sentence in (generators_limit(shares(**second)) or "")


def test_that_users_were_all_waiting_for_late_answers_is_the_servers_failure() -> None:
    assert generators_limit(shares(sent=60, dropped=43)) is None


def test_cpus_are_counted_for_each_host() -> None:
    elsewhere = [replace(share, k6_cpu_s=2.0, host=f"load-{n}") for n, share in enumerate(shares())]
    assert generators_limit(elsewhere) is None
    together = [replace(share, host="load-1") for share in elsewhere]
    assert "generator 3 of 3" in (generators_limit(together) or "")
