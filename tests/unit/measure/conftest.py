"""What several tests of measuring share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from windows_world import FakeK6, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    clock = SimpleNamespace(monotonic=lambda: world.now)
    for module in ("measure.windows", "measure.driving", "measure.lineup", "machine.waiting"):
        monkeypatch.setattr(f"wsgilab.{module}.time", clock)
    monkeypatch.setattr("wsgilab.measure.quiet.take_reading", world.read)
    monkeypatch.setattr("wsgilab.measure.k6.load.start", lambda *_: FakeK6(world))
    return world
