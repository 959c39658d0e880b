"""A real browser: opens a page, clicks on it as a person does, and tells what the browser itself saw of that.

The figures are the browser's own entries (observer.js); nothing is asked of the page between a click and its content
but whether that is there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsgilab.errors import MissingError, UsageError
from wsgilab.machine.cpu_time import descendants
from wsgilab.machine.cpus import pinned
from wsgilab.measure.load import scheduled_s
from wsgilab.model.vitals import CONTENT_TIMEOUT_S, Action, Click, PageLoad

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Driven
    from playwright.sync_api import Page

OBSERVER = Path(__file__).with_name("observer.js")
TIMEOUT_MS = CONTENT_TIMEOUT_S * 1000
DELIVERY_MS = 250
"""Entries of an event come after it has ended: 9 ms in the median, 73 ms at worst of those that were watched."""
PAINTED_MS = 100
"""Those of a page that has loaded tell of themselves where they are missing; a click's would only seem short."""
ASK_EVERY_MS = 50
"""By a timer of the page. Asked at each frame, the browser would paint frames that nobody else wants."""
WIDTH, HEIGHT = 1280, 800
DRIVER = b"run-driver"
"""In the command line of the program that starts the browser."""


@dataclass(frozen=True)
class Browser:
    """A browser that runs, without a screen."""

    driven: Driven
    name: str

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """A tab of somebody who was never here, with nothing cached. Raises MissingError where the browser is gone."""
        from playwright.sync_api import Error

        try:
            context = self.driven.new_context(viewport={"width": WIDTH, "height": HEIGHT})
            context.add_init_script(path=OBSERVER)
            try:
                yield Tab(context.new_page())
            finally:
                context.close()
        except Error as error:
            what = f"The browser does not answer any more: {error.message.splitlines()[0]}"
            cause = "it crashed, or it was killed by the kernel (out of memory) or by hand"
            raise MissingError(what, cause, "./lab vitals") from error

    @property
    def waited_s(self) -> float:
        """How long its threads that still run have waited for a CPU while ready to run, in sum."""
        return sum(scheduled_s(pid)[1] for pid in _processes())


@contextmanager
def launched(executable: Path, cpus: Set[int], contained: bool = False) -> Iterator[Browser]:
    """Start the browser on `cpus`, and end it with the block. Raises MissingError where it cannot be driven.

    `contained`: in a container of its own, which is its sandbox; it is not allowed to make another there.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        cause = "it is installed the first time that ./lab vitals is called, and something else was"
        raise MissingError("Playwright, which drives the browser, is not there.", cause, "./lab vitals") from error
    with pinned(cpus):  # what is started now inherits it
        playwright = sync_playwright().start()
        try:
            # Chromium's own sandbox refuses to work for root.
            driven = playwright.chromium.launch(
                executable_path=executable,
                chromium_sandbox=os.geteuid() != 0 and not contained,
                handle_sigint=False,  # Ctrl-C is for the lab, which then ends everything in order
                handle_sigterm=False,
                handle_sighup=False,
            )
        except Error as error:
            playwright.stop()
            what = f"{executable} could not be started: {error.message.splitlines()[0]}"
            cause = "no Chromium, or one whose sandbox this system does not allow"
            raise MissingError(what, cause, "./lab doctor") from error
    try:
        yield Browser(driven, f"{executable.name} {driven.version}")
    finally:
        with suppress(Error):  # it may be gone already
            driven.close()
        playwright.stop()


@dataclass(frozen=True)
class Tab:
    """One tab."""

    page: Page

    def open(self, url: str) -> PageLoad:
        """Load a page. What did not come within the timeout is None."""
        from playwright.sync_api import Error

        try:
            answer = self.page.goto(url, timeout=TIMEOUT_MS)
            if answer is None or not answer.ok:
                return PageLoad()
            self.page.wait_for_timeout(PAINTED_MS)
            return self.page_load()
        except Error:  # no answer in time, or none at all
            return PageLoad()

    def page_load(self) -> PageLoad:
        """What is known of how the page that is open was loaded."""
        return PageLoad(**self.page.evaluate("wsgilab.page()"))

    def click(self, action: Action) -> Click:
        """Click, and wait for the content. Raises UsageError where there is nothing to click on."""
        from playwright.sync_api import Error

        x, y = self._middle(action)
        self.page.evaluate("content => wsgilab.arm(content)", action.content)
        self._press(x, y)
        try:
            self.page.wait_for_function(
                "() => window.wsgilab && wsgilab.isShown()", timeout=TIMEOUT_MS, polling=ASK_EVERY_MS
            )
            self.page.wait_for_timeout(DELIVERY_MS)
            found = self.page.evaluate("wsgilab.click()")
        except Error:
            return self._unanswered(action)
        return _click(action, found)

    def _unanswered(self, action: Action) -> Click:
        """A click whose content did not come in time."""
        if _blocks(self.page):  # it tells nothing: what is known is that it took so long
            return Click(action.name, TIMEOUT_MS, None, None, "", interactions=1)
        found = self.page.evaluate("window.wsgilab ? wsgilab.click() : null")
        if not found:  # the page of an error, which the browser shows by itself
            return Click(action.name, None, None, None, "", interactions=1)
        return replace(_click(action, found), content_ms=None, content_by="")

    def press(self, action: Action) -> float:
        """Click, wait for nothing, and give the epoch second. Raises UsageError where there is nothing to click on."""
        x, y = self._middle(action)
        clicked_at = time.time()
        self._press(x, y)
        return clicked_at

    def _press(self, x: float, y: float) -> None:
        self.page.mouse.click(x, y)

    def _middle(self, action: Action) -> tuple[float, float]:
        """Where to click. Asked for before the click: Playwright's own way of clicking makes the page work."""
        from playwright.sync_api import Error

        button = self.page.locator(action.click).first
        try:
            button.scroll_into_view_if_needed(timeout=TIMEOUT_MS)
            box = button.bounding_box()
        except Error:
            box = None
        if box is None:
            what = f"On {action.page} there is nothing that '{action.click}' selects."
            raise UsageError(what, "a typo in lab.toml, or an element that is hidden or comes later", "./lab doctor")
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _click(action: Action, found: Mapping[str, Any]) -> Click:
    worst = max(found["events"], key=lambda event: float(event["ms"]), default=None)
    by = next((way for way in ("element", "frame") if way in found["shown"]), "")
    return Click(
        action=action.name,
        inp_ms=worst["ms"] if worst else None,
        delay_ms=round(worst["delay_ms"], 1) if worst else None,
        content_ms=round(found["shown"][by], 1) if by else None,
        content_by=by,
        interactions=found["interactions"],
        hidden=found["hidden"],
        navigated=found["navigated"],
    )


def _blocks(page: Page) -> bool:
    """Whether nothing at all happens in the page: its script waits for an answer."""
    from playwright.sync_api import Error

    try:
        page.wait_for_function("() => true", timeout=DELIVERY_MS, polling=ASK_EVERY_MS)
    except Error:
        return True
    return False


def _processes() -> Iterator[int]:
    """The browser's, and those of the program that drives it."""
    for pid in descendants(os.getpid()):
        try:
            is_driver = DRIVER in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if is_driver:
            yield from (pid, *descendants(pid))
