"""The grammar of an objective."""

from __future__ import annotations

import pytest

from wsgilab.errors import UsageError
from wsgilab.model import slo


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("p99<250ms", (("p99", 250.0),)),
        (" P99 < 0.25 s ", (("p99", 250.0),)),
        ("p99.9<1.5s", (("p99.9", 1500.0),)),
        ("p50<30ms and p95<100ms and failed<0.5%", (("p50", 30.0), ("p95", 100.0), ("failed", 0.005))),
        ("p90<.5s AND failed < 1 %", (("p90", 500.0), ("failed", 0.01))),
    ],
)
def test_objectives_are_read(text: str, terms: tuple[tuple[str, float], ...]) -> None:
    assert slo.parse(text).terms == terms


@pytest.mark.parametrize("text", ["p99.9<1.5s and failed<0.5%", "p50<5000s", "failed<0.00001%"])
def test_what_is_printed_can_be_read_again(text: str) -> None:
    objective = slo.parse(text)
    assert slo.parse(str(objective)) == objective


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("fast", "'fast'"),
        ("p99<=250ms", "'p99<=250ms'"),
        ("p99>250ms", "'p99>250ms'"),
        ("p99<250", "'p99<250'"),
        ("p99<250%", "'p99<250%'"),
        ("failed<10ms", "'failed<10ms'"),
        ("p42<10ms", "'p42'"),
        ("p99<0ms", "'p99<0ms'"),
        ("failed<200%", "'failed<200%'"),
        ("p99<-5ms", "'p99<-5ms'"),
        ("p99<250ms and", "''"),
        ("p99<250ms, p50<10ms", "'p99<250ms, p50<10ms'"),
        ("p99<250ms and p99<100ms", "twice"),
        ("p99<1e999ms", "'p99<1e999ms'"),
        ("p99<nanms", "'p99<nanms'"),
    ],
)
def test_what_cannot_be_read_is_named_and_answered_with_an_example(text: str, named: str) -> None:
    with pytest.raises(UsageError) as raised:
        slo.parse(text)
    assert named in raised.value.what
    assert "--slo 'p99<250ms" in raised.value.next_command
    assert raised.value.exit_code == 2


def test_requests_of_one_name_may_have_an_objective_besides() -> None:
    objective = slo.parse("p99<250ms; check out: p95<100ms and failed<1%; look.1:p50<20ms")
    assert objective.terms == (("p99", 250.0),)
    assert objective.by_request["check out"].terms == (("p95", 100.0), ("failed", 0.01))
    assert objective.by_request["look.1"].terms == (("p50", 20.0),)
    assert slo.parse(str(objective)) == objective


def test_without_an_objective_for_all_that_is_the_usual_one() -> None:
    assert str(slo.parse("look: p50<20ms")) == "p99<250ms; look: p50<20ms"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("p99<250ms; look: fast", "'fast'"),
        ("p99<250ms; look: p50<9ms; look: p95<20ms", "two parts for requests named 'look'"),
        ("p99<250ms; p50<9ms", "two parts for all requests"),
        ("p99<250ms;", "empty"),
        ("look:", "empty"),
    ],
)
def test_what_is_wrong_with_that_of_a_name_is_named(text: str, named: str) -> None:
    with pytest.raises(UsageError) as raised:
        slo.parse(text)
    assert named in raised.value.what
