"""The filmstrip: what a person would have seen after a click, with each server under the same load.

Its clicks are its own, for taking pictures makes a browser slower. The pictures are those that the browser itself hands
over whenever it has painted: what was on the screen at a moment is the last of them, though the page may be blocked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from wsgilab.engines import Endpoint
from wsgilab.errors import MissingError
from wsgilab.measure import quiet
from wsgilab.measure.background import Bench, offered, warmed
from wsgilab.measure.tab import Tab
from wsgilab.model.server import Server
from wsgilab.model.vitals import MOMENTS_MS, Action, BlockPlan, Film

PICTURE = {"format": "jpeg", "quality": 45, "maxWidth": 320, "maxHeight": 200, "everyNthFrame": 1}
AFTER_MS = 200
"""Pictures of the last moment are under way for so long at most."""
Shot = tuple[float, str]
"""(when it was painted, in epoch seconds; the picture, in base64)."""


def films(bench: Bench, rate_rps: float) -> Iterator[Film]:
    """A film of each button with each server under one load. A server that tells nothing any more has none."""
    servers = bench.engine.servers
    for number, server in enumerate(servers, 1):
        bench.stop.check()
        bench.listener.message(f"Taking pictures with {server.name} ({number} of {len(servers)}) …")
        plan = BlockPlan(server.name, rate_rps, 0, 0, (), 1)
        try:
            yield from _films_of(plan, server, bench)
        except MissingError as error:
            bench.listener.warning(error)


def _films_of(plan: BlockPlan, server: Server, bench: Bench) -> Iterator[Film]:
    sample = quiet.sampler(server, bench.engine)
    before = quiet.patiently(sample, server, bench.engine, bench.stop)
    if before is None:
        raise MissingError(
            f"There are no pictures with {server.name}.", "it, or its exporter, has ended", "./lab doctor"
        )
    with offered(plan, server, bench) as load:
        warmed(load, server, before, bench)
        for action in bench.actions:
            bench.stop.check()
            with bench.browser.tab() as tab:
                pictures, clicked_at = shots(tab, action, bench.engine.endpoint(server))
            frames, shown = chosen(pictures, clicked_at)
            yield Film(server.name, plan.rate_rps, action.name, frames, shown)
    _, drained = quiet.drain(sample, bench.stop, quiet.EXPORTER_PATIENCE_S)
    if not drained and bench.engine.restarts:
        bench.engine.restart(server)


def chosen(pictures: Sequence[Shot], clicked_at: float) -> tuple[tuple[str, ...], tuple[int | None, ...]]:
    """(pictures that were on the screen at one of the moments, which of them it was at each moment).

    None at a moment before the first picture.
    """
    frames: list[str] = []
    shown: list[int | None] = []
    for moment_ms in MOMENTS_MS:
        before = [picture for painted_at, picture in pictures if painted_at <= clicked_at + moment_ms / 1000]
        if not before:
            shown.append(None)
            continue
        if not frames or frames[-1] != before[-1]:
            frames.append(before[-1])
        shown.append(len(frames) - 1)
    return tuple(frames), tuple(shown)


def shots(tab: Tab, action: Action, at: Endpoint) -> tuple[list[Shot], float]:
    """Every picture from before a click until the last moment, and when it was made."""
    tab.open(at.url + action.page)
    tab.open(at.url + action.page)  # nothing was cached before: a page that is visited often is shown
    session = tab.page.context.new_cdp_session(tab.page)
    taken: list[Shot] = []

    def painted(event: dict[str, Any]) -> None:
        taken.append((float(event["metadata"]["timestamp"]), str(event["data"])))
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", painted)
    session.send("Page.startScreencast", PICTURE)
    tab.page.wait_for_timeout(AFTER_MS)  # the first picture is of the page as it is
    clicked_at = tab.press(action)
    left_ms = clicked_at * 1000 + MOMENTS_MS[-1] + AFTER_MS - time.time() * 1000
    tab.page.wait_for_timeout(max(0.0, left_ms))
    return sorted(taken), clicked_at
