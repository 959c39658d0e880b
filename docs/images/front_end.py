"""Chromium without a screen, and its own DevTools in a window of their own, where they can be photographed.

The tools are pages that Chromium itself serves. They need a browser context besides that of the page which they look
at: a second tab in the same window would hide that page, and a hidden page paints nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Error, FloatRect, Page, sync_playwright
from readings import NotTaken, Row, felt, milliseconds, phases

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LOOPBACK = "127.0.0.1"
SHARP = 2
"""Pixels of a picture to one of the page: letters stay readable on any screen."""
MARGIN = 8
PATIENCE_MS, MOST_LOOKS, STILL_MS = 15_000, 20, 300
ROW, NAME_CELL = ".network-log-grid tr.data-grid-data-grid-node", "td.name-column"
TIMING, SUM = ".network-timing-table", ".network-timing-table .network-timing-footer"
INTERACTION = "li.interaction"
WORDS = """function words(node) {
    if (node.nodeName === "STYLE") return "";
    const inner = node.shadowRoot ? [node.shadowRoot, ...node.childNodes] : [...node.childNodes];
    return node.nodeType === Node.TEXT_NODE ? node.data : inner.map(words).join(" ");
}"""
"""All words of an element, those of its parts in the shadow too, which innerText leaves out."""
READY = {"network": "Reload page", "timeline": "Interaction to Next Paint"}
"""What a panel offers once it knows the page, and sees what that loads."""
SETTINGS: Mapping[str, object] = {
    "screencast-enabled": False,  # else the page is shown next to the panels
    "cache-disabled": True,
    "network-log-show-overview": False,
    "network-log-columns": {
        name: {"visible": name in ("name", "time", "connection-id", "waterfall")}
        for name in ("name", "status", "type", "initiator", "size", "time", "connection-id", "waterfall")
    },
    "network-panel-split-view-waterfall": {"vertical": {"size": 280}},
}


@dataclass(frozen=True)
class Inspected:
    """A page, and the DevTools that look at it, open at one panel."""

    page: Page
    tools: Page

    def open(self, url: str) -> None:
        """Load a page while the tools record."""
        self.page.goto(url)

    def fetch(self, paths: Sequence[str]) -> None:
        """Have the page ask for these all at once, and wait for the answers."""
        self.page.evaluate("paths => Promise.all(paths.map((path) => fetch(path))).then(() => null)", paths)

    def clear(self) -> None:
        """Empty the list of the Network panel."""
        self.tools.get_by_role("button", name="Clear network log").click()
        self.tools.locator(ROW).filter(has=self.tools.locator(NAME_CELL)).first.wait_for(state="detached")

    def rows(self) -> list[Row]:
        """The requests in the list, once all are answered."""
        self.tools.locator(ROW).get_by_text("Pending").first.wait_for(state="detached")
        found = self.tools.locator(ROW).evaluate_all(
            """rows => rows.filter((row) => row.querySelector("td.name-column")).map((row) =>
                ["name", "connection-id", "time"].map((name) => row.querySelector(`td.${name}-column`).innerText))"""
        )
        return [Row(name, connection, milliseconds(time)) for name, connection, time in found if name]

    def timing(self) -> dict[str, float]:
        """How long each phase of the first request in the list took, from its tab Timing, which is open afterwards."""
        self.tools.locator(NAME_CELL).first.click()
        self.tools.locator(".tabbed-pane-header-tab", has_text="Timing").click()
        self.tools.locator(SUM).wait_for()
        return phases(
            self.tools.locator(f"{TIMING} tr").evaluate_all(
                "rows => rows.map((row) => [row.cells[0].innerText.trim(), row.cells[row.cells.length - 1].innerText])"
            )
        )

    def click(self, button: str) -> None:
        """Click the page's button of this id as a person does, and wait for the next day's orders."""
        day = self.page.locator("#answer").get_attribute("data-day")
        box = self._box(f"#{button}", self.page)
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.locator(f"#answer:not([data-day='{day}'])").wait_for()

    def interactions(self, count: int) -> dict[str, float]:
        """By the button, how long each click took until the next paint, as the live metrics list so many."""
        self.tools.locator(INTERACTION).nth(count - 1).wait_for()
        return felt(self.tools.locator(INTERACTION).evaluate_all(f"rows => rows.map({WORDS})"))

    def record(self, button: str) -> float:
        """Record a click on this button, and give its INP in ms."""
        self.tools.keyboard.press("Control+e")
        self.tools.get_by_role("button", name="Stop").first.wait_for()
        self.click(button)
        self.tools.keyboard.press("Control+e")
        self.tools.get_by_text("INP breakdown").first.wait_for()
        self.tools.locator("devtools-shortcut-dialog").get_by_role("button", name="Close").click()
        said: str = self.tools.locator(".sidebar-insights").first.evaluate(WORDS)
        return milliseconds(said.partition("INP")[2])

    def picture_of_live_metrics(self) -> bytes:
        """From the title down to the last interaction, without what stands to their right."""
        title, beside = self._box("text=Local metrics"), self._box("text=Next steps")
        last = self._box(f"{INTERACTION} >> nth=-1")
        return self._picture(
            0, title["y"] - MARGIN, beside["x"] - MARGIN, last["y"] + last["height"] - title["y"] + 2 * MARGIN
        )

    def picture_of_chart(self, height: float) -> bytes:
        """The upper part of the recording's chart."""
        chart = self._box(".flame-charts-container")
        return self._picture(chart["x"], chart["y"], chart["width"], min(height, chart["height"]))

    def picture_of_timing(self) -> bytes:
        """The tab, down to the sum."""
        tabs, end = self._box(".network-item-view .tabbed-pane-header"), self._box(SUM)
        return self._picture(tabs["x"], tabs["y"], tabs["width"], end["y"] + end["height"] + MARGIN - tabs["y"])

    def picture_of_list(self, count: int) -> bytes:
        """The first requests in the list, below its titles."""
        head, last = self._box(".network-log-grid thead"), self._box(f"{ROW} >> nth={count - 1}")
        width = (self.tools.viewport_size or {"width": 0})["width"]
        return self._picture(0, head["y"], width, last["y"] + last["height"] - head["y"])

    def _box(self, selector: str, of: Page | None = None) -> FloatRect:
        box = (of or self.tools).locator(selector).first.bounding_box()
        if box is None:
            raise NotTaken(f"there is no '{selector}', or not with this browser")
        return box

    def _picture(self, x: float, y: float, width: float, height: float) -> bytes:
        self.tools.mouse.move(1, 1)  # nothing is lit up because the mouse is there
        clip: FloatRect = {"x": x, "y": y, "width": width, "height": height}
        before = b""
        for _ in range(MOST_LOOKS):  # bars glide to their place
            picture = self.tools.screenshot(clip=clip)
            if picture == before:
                return picture
            before = picture
            self.tools.wait_for_timeout(STILL_MS)
        raise NotTaken("the panel does not come to rest")


@dataclass(frozen=True)
class Chromium:
    """A browser that can inspect its own pages."""

    driven: Browser
    port: int

    @contextmanager
    def inspected(self, panel: str, width: int, height: int) -> Iterator[Inspected]:
        """An empty page, and the tools open at this panel in a window of that size."""
        looked_at = self.driven.new_context(viewport={"width": 1000, "height": 700})
        looking = self.driven.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=SHARP, color_scheme="light"
        )
        try:
            page = looked_at.new_page()
            target = looked_at.new_cdp_session(page).send("Target.getTargetInfo")["targetInfo"]["targetId"]
            tools = looking.new_page()
            tools.set_default_timeout(PATIENCE_MS)
            tools.add_init_script(f"Object.entries({json.dumps(_stored())}).forEach(([k, v]) => localStorage[k] = v)")
            socket_of_page = f"{LOOPBACK}:{self.port}/devtools/page/{target}"
            tools.goto(f"http://{LOOPBACK}:{self.port}/devtools/inspector.html?ws={socket_of_page}&panel={panel}")
            tools.get_by_text(READY[panel]).first.wait_for()
            yield Inspected(page, tools)
        except Error as error:
            raise NotTaken(f"the browser: {error.message.splitlines()[0]}") from error
        finally:
            looking.close()
            looked_at.close()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """The system's browser, for as long as the block lasts. Raises NotTaken where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise NotTaken(f"no browser on PATH: {', '.join(NAMES)}")
    with socket.create_server((LOOPBACK, 0)) as probe:
        port = probe.getsockname()[1]
    arguments = [f"--remote-debugging-port={port}", f"--remote-allow-origins=http://{LOOPBACK}:{port}", "--lang=en-US"]
    with sync_playwright() as playwright:
        driven = playwright.chromium.launch(
            executable_path=found,
            args=arguments,
            chromium_sandbox=os.geteuid() != 0,  # root may not have a sandbox
        )
        try:
            yield Chromium(driven, port)
        finally:
            driven.close()


def _stored() -> dict[str, str]:
    return {name: json.dumps(value) for name, value in SETTINGS.items()}
