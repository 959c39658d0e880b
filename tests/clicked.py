"""A run of `./lab vitals`, for tests of what is made of it."""

from __future__ import annotations

from wsgilab.model.manifest import Manifest, ServerEntry
from wsgilab.model.vitals import WIRINGS, Block, BlockPlan, Click, Film, PageLoad

NAMES = tuple(wiring.name for wiring in WIRINGS)
MANIFEST = Manifest(
    command="vitals",
    engine="local",
    workload="mix",
    rates_rps=(0.0, 100.0),
    rounds=2,
    servers=(ServerEntry("dev"), ServerEntry("<b>twin</b>")),
)
FILM = Film("dev", 100.0, "blocking", ("AAAA", "BBBB"), (0, 0, 1, 1, 1, 1))


def blocks() -> list[Block]:
    """Of both servers, idle and under load, in two rounds; two clicks on each button."""
    return [
        Block(
            BlockPlan(server.name, rate, number, 0, NAMES, clicks=2),
            tuple(
                Click(name, 8.0, 1.0, 40.0 + number + rate, "element", interactions=1)
                for name in NAMES
                for _ in range(2)
            ),
            (PageLoad(30.0, 90.0, 90.0),),
        )
        for number in (1, 2)
        for rate in MANIFEST.rates_rps
        for server in MANIFEST.servers
    ]
