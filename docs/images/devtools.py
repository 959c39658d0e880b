"""Takes the pictures of docs/devtools.md: the lab's own pages, from the lab's own servers, in Chromium's DevTools.

    python docs/images/devtools.py [NAME…]

It needs Playwright, Pillow and a Chromium or Chrome on PATH, and takes a minute on an idle machine. What a picture
shows is read before it is kept: one that would not show what its caption says is taken again, and then refused.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]

import readings  # noqa: E402
from crowd import full_queue, visitors  # noqa: E402
from front_end import Chromium, chromium  # noqa: E402
from readings import CONNECTING, WAITING, NotTaken  # noqa: E402

from wsgilab.engines.local import LocalEngine  # noqa: E402
from wsgilab.errors import LabError  # noqa: E402
from wsgilab.lab.servers import load_lab  # noqa: E402
from wsgilab.machine.waiting import Stop  # noqa: E402

START_TIMEOUT_S, ATTEMPTS, COLOURS = 60.0, 4, 96
OTHERS, PAUSE_S = 90, 1.5
"""Visitors, and how long each reads an answer: at most 60 requests a second."""
MOSTLY, SLOW_MS, QUICK_MS, ENDLESS_MS = 0.8, 250.0, 100.0, 10_000.0
SLOW_PATH, KNOCKS_AGAIN_MS = "/io?ms=900", 900.0
"""What holds a slot while the queue is full; a client whose connection was not taken tries again after a second."""
TWELVE, EACH_MS = 12, 300.0
FEEDBACK_FIRST, BLOCKING = "feedback-first", "blocking"
TIMING_SIZE, LIST_SIZE, LIVE_SIZE, CHART_SIZE, CHART_HEIGHT = (900, 600), (820, 600), (1000, 760), (1000, 700), 170

Take = Callable[[Chromium, int], bytes]
"""Takes a picture of what a server on this port does to a page. Raises NotTaken."""


@dataclass(frozen=True)
class Scene:
    """A picture: of which server, and how it is taken."""

    server: str
    take: Take


def main(names: Sequence[str]) -> int:
    """Take these pictures, or all."""
    try:
        scenes = {name: SCENES[name] for name in names or SCENES}
    except KeyError as error:
        print(f"There is no picture {error}; there are {', '.join(SCENES)}.", file=sys.stderr)
        return 2
    try:
        with serving({scene.server for scene in scenes.values()}) as ports, chromium() as browser:
            for name, scene in scenes.items():
                keep(name, taken(scene.take, browser, ports[scene.server]))
    except (NotTaken, LabError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


@contextmanager
def serving(names: set[str]) -> Iterator[Mapping[str, int]]:
    """The ports of these servers, which run while the block lasts."""
    lab = load_lab(ROOT, os.environ)
    servers = lab.select(sorted(names))
    with LocalEngine(lab, servers, Stop(), START_TIMEOUT_S) as engine:
        engine.start()
        yield {server.name: server.port for server in servers}


def taken(take: Take, browser: Chromium, port: int) -> bytes:
    """A picture, of which some may fail: another program can disturb what it was to show. Raises NotTaken."""
    for left in reversed(range(ATTEMPTS)):
        try:
            return take(browser, port)
        except NotTaken as error:
            if not left:
                raise
            print(f"once more: {error}", file=sys.stderr, flush=True)
    raise NotTaken("nothing was tried")


def keep(name: str, picture: bytes) -> None:
    """Write a picture. Raises NotTaken for one that a page should not have to load."""
    small = packed(picture)
    width, height = readings.require_picture(small)
    (HERE / f"{name}.png").write_bytes(small)
    print(f"{name}.png: {width} x {height}, {len(small) / 1000:.0f} kB", flush=True)


def packed(picture: bytes) -> bytes:
    """The same picture with few colours, which a panel of letters and bars can do with: a third of the size."""
    small = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as full:
        full.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def waiting(browser: Chromium, port: int, slow: bool) -> bytes:
    """The Timing tab of the page while others ask as well: with one slot nearly all of it is waiting for the server."""
    with visitors(port, "/mix", OTHERS, PAUSE_S), browser.inspected("network", *TIMING_SIZE) as seen:
        seen.open(address(port))
        found = seen.timing()
        if slow:
            readings.require_share(found, WAITING, MOSTLY)
        readings.require_between(found, WAITING, *((SLOW_MS, ENDLESS_MS) if slow else (0.0, QUICK_MS)))
        return seen.picture_of_timing()


def connecting(browser: Chromium, port: int) -> bytes:
    """The Timing tab of the page where the listen queue is full: the kernel does not take the connection at first."""
    with browser.inspected("network", *TIMING_SIZE) as seen, full_queue(port, SLOW_PATH):
        seen.open(address(port))
        readings.require_between(seen.timing(), CONNECTING, KNOCKS_AGAIN_MS, ENDLESS_MS)
        return seen.picture_of_timing()


def twelve(browser: Chromium, port: int, at_once: int, connections: int) -> bytes:
    """The list of twelve requests that the page sends at once, with their connections and a waterfall."""
    with browser.inspected("network", *LIST_SIZE) as seen:
        seen.open(address(port))
        seen.clear()
        seen.fetch([f"/io?ms={EACH_MS:.0f}&n={number}" for number in range(1, TWELVE + 1)])
        readings.require_turns(seen.rows(), EACH_MS, at_once, connections)
        return seen.picture_of_list(TWELVE)


def clicks(browser: Chromium, port: int, slow: bool) -> bytes:
    """The live metrics after two clicks while others ask as well: one is answered at once, one blocks the page."""
    with visitors(port, "/mix", OTHERS, PAUSE_S), browser.inspected("timeline", *LIVE_SIZE) as seen:
        seen.open(address(port))
        for button in (FEEDBACK_FIRST, BLOCKING):
            seen.click(button)
        found = seen.interactions(count=2)
        readings.require_between(found, FEEDBACK_FIRST, 0.0, QUICK_MS)
        readings.require_between(found, BLOCKING, *((SLOW_MS, ENDLESS_MS) if slow else (0.0, QUICK_MS)))
        return seen.picture_of_live_metrics()


def recorded(browser: Chromium, port: int) -> bytes:
    """What the page's thread did during the click that blocks it, as a recording shows it."""
    with visitors(port, "/mix", OTHERS, PAUSE_S), browser.inspected("timeline", *CHART_SIZE) as seen:
        seen.open(address(port))
        readings.require_between({BLOCKING: seen.record(BLOCKING)}, BLOCKING, SLOW_MS, ENDLESS_MS)
        return seen.picture_of_chart(CHART_HEIGHT)


def address(port: int) -> str:
    """The lab's own page."""
    return f"http://127.0.0.1:{port}/page"


SCENES: Mapping[str, Scene] = {
    "devtools-waiting-dev-single": Scene("dev-single", partial(waiting, slow=True)),
    "devtools-waiting-gunicorn": Scene("gunicorn", partial(waiting, slow=False)),
    "devtools-twelve-dev-single": Scene("dev-single", partial(twelve, at_once=1, connections=12)),
    "devtools-twelve-dev": Scene("dev", partial(twelve, at_once=6, connections=12)),
    "devtools-twelve-gunicorn": Scene("gunicorn", partial(twelve, at_once=4, connections=12)),
    "devtools-twelve-uwsgi": Scene("uwsgi", partial(twelve, at_once=6, connections=6)),
    "devtools-connecting-dev-single": Scene("dev-single", connecting),
    "devtools-clicks-dev-single": Scene("dev-single", partial(clicks, slow=True)),
    "devtools-clicks-gunicorn": Scene("gunicorn", partial(clicks, slow=False)),
    "devtools-recorded-dev-single": Scene("dev-single", recorded),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
