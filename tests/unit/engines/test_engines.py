"""Ports of this machine."""

from __future__ import annotations

import pytest

from wsgilab.machine.ports import another


@pytest.mark.parametrize(("taken", "suggested"), [(8003, 9003), (65000, 64000)])
def test_the_port_that_is_suggested_instead_is_one(taken: int, suggested: int) -> None:
    assert another(taken) == suggested
