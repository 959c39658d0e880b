"""One tab of a browser: opens a page, clicks on it as a person does, and tells what the browser itself saw of that.

The figures are the browser's own entries (observer.js); nothing is asked of the page between a click and its content
but whether that is there.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from wsgilab.errors import MissingError
from wsgilab.machine.cpu_time import descendants
from wsgilab.model.vitals import CONTENT_TIMEOUT_S, Action, Click, PageLoad

if TYPE_CHECKING:
    from playwright.sync_api import Error as DriverError
    from playwright.sync_api import Page

TIMEOUT_MS = CONTENT_TIMEOUT_S * 1000
PATIENCE_S = 3 * CONTENT_TIMEOUT_S
"""How long a page may keep the browser from answering."""
DELIVERY_MS = 250
"""Entries of an event come after it has ended: 9 ms in the median, 73 ms at worst of those that were watched. A click
whose own came too late would seem short."""
PAINTED_MS = 100
"""Those of a page that has loaded come as late. They tell of themselves where they are missing."""
ASK_EVERY_MS = 50
"""By a timer of the page. Asked at each frame, the browser would paint frames that nobody else wants."""
ALIVE_WITHIN_MS = 1_000
"""A page whose timers stand still for so long is blocked."""
OF_A_PAGE = b"--type=renderer"
"""In the command line of a process that shows pages."""


class TabCrashed(MissingError):
    """The process of a page has ended by itself. The browser goes on, and other tabs work."""

    def __init__(self) -> None:
        cause = "it ran out of memory, was killed, or met a fault of the browser"
        super().__init__("The browser's tab crashed.", cause, "./lab vitals")


@dataclass(frozen=True)
class Tab:
    """One tab."""

    page: Page

    def open(self, url: str) -> PageLoad:
        """Load a page. What did not come within the timeout is None. Raises TabCrashed."""
        from playwright.sync_api import Error

        with _patience() as ended:
            try:
                answer = self.page.goto(url, timeout=TIMEOUT_MS)
                if answer is None:  # the address of the page that is open, but for what follows a "#"
                    answer = self.page.reload(timeout=TIMEOUT_MS)
                if answer is None or not answer.ok:
                    return PageLoad(status=answer.status if answer else None)
                self.page.wait_for_timeout(PAINTED_MS)
                return self._loaded() or PageLoad(status=answer.status)
            except Error as error:  # no answer in time, or none at all
                self._require_life(error, ended)
                return PageLoad()

    def page_load(self) -> PageLoad | None:
        """How the page that is open, or comes, was loaded; None where it is left already. Raises TabCrashed."""
        from playwright.sync_api import Error
        from playwright.sync_api import TimeoutError as NotInTime

        with _patience() as ended:
            try:
                self.page.wait_for_load_state(timeout=TIMEOUT_MS)  # a picture may be the largest part
                self.page.wait_for_timeout(PAINTED_MS)
                return self._loaded()
            except NotInTime:
                return PageLoad()
            except Error as error:
                self._require_life(error, ended)
                return None

    def click(self, action: Action) -> Click:
        """Click, and wait for the content. Raises TabCrashed."""
        from playwright.sync_api import Error

        with _patience() as ended:
            try:
                at = self._middle(action)
                if at is None or not self._arms(action):
                    return Click.never_made(action.name)
                self._press(*at)
                self.page.wait_for_function(
                    "() => window.wsgilab && wsgilab.isShown()", timeout=TIMEOUT_MS, polling=ASK_EVERY_MS
                )
                self._hear_of_all()
                return _click(action, self.page.evaluate("wsgilab.click()"))
            except Error as error:
                self._require_life(error, ended)
                return self._unanswered(action, ended)

    def anew(self) -> Tab:
        """Another tab of the same visitor in place of this one, in which something may still be under way."""
        from playwright.sync_api import Error

        fresh = replace(self, page=self.page.context.new_page())
        with suppress(Error):  # it may have crashed
            self.page.close()
        return fresh

    def press(self, action: Action) -> float:
        """Click, wait for nothing, and give the epoch second. Raises MissingError where there is nothing to click."""
        with _patience():
            at = self._middle(action)
            if at is None:
                what = f"{action.page} came without what '{action.click}' selects."
                raise MissingError(what, "the server was too slow for it", "./lab vitals --no-film")
            clicked_at = time.time()
            self._press(*at)
        return clicked_at

    def selected(self, selector: str) -> int | None:
        """How many elements of the page that is open a selector of CSS selects; None where it is no selector."""
        from playwright.sync_api import Error

        count = "text => { try { return document.querySelectorAll(text).length; } catch { return null; } }"
        with _patience() as ended:
            try:
                found: int | None = self.page.evaluate(count, selector)
                return found
            except Error as error:  # it is just being left
                self._require_life(error, ended)
                return 0

    @property
    def path(self) -> str:
        """Where the page that is open comes from, without server and query."""
        path: str = urlsplit(self.page.url).path
        return path

    def _press(self, x: float, y: float) -> None:
        self.page.mouse.click(x, y)

    def _loaded(self) -> PageLoad | None:
        found = self.page.evaluate("window.wsgilab ? wsgilab.page() : null")
        return PageLoad(**found) if found else None

    def _middle(self, action: Action) -> tuple[float, float] | None:
        """Where to click; None where there is nothing to click on, or where it cannot be seen.

        Asked for before the click: Playwright's own way of clicking makes the page work.
        """
        from playwright.sync_api import TimeoutError as NotInTime

        button = self.page.locator(f"css={action.click}").first
        try:
            button.scroll_into_view_if_needed(timeout=TIMEOUT_MS)
            box = button.bounding_box(timeout=TIMEOUT_MS)
        except NotInTime:
            return None
        return (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) if box else None

    def _arms(self, action: Action) -> bool:
        """Whether the page that is open is one that is watched; from now on it is watched for the content."""
        return bool(self.page.evaluate("content => window.wsgilab ? wsgilab.arm(content) : false", action.content))

    def _hear_of_all(self) -> None:
        """Wait until the browser has told everything of a click, or for as long as that may take."""
        from playwright.sync_api import TimeoutError as NotInTime

        told = "() => window.wsgilab && wsgilab.isTold()"
        with suppress(NotInTime):
            self.page.wait_for_function(told, timeout=DELIVERY_MS, polling=ASK_EVERY_MS)

    def _unanswered(self, action: Action, ended: threading.Event) -> Click:
        """A click whose content did not come in time."""
        from playwright.sync_api import Error

        unknown = Click(action.name, None, None, None, "", interactions=1)
        if ended.is_set() or _blocks(self.page):  # it tells nothing: what is known is that it took so long
            return replace(unknown, inp_ms=TIMEOUT_MS)
        try:
            found = self.page.evaluate("window.wsgilab ? wsgilab.click() : null")
        except Error as error:  # it has just been left
            self._require_life(error, ended)
            return unknown
        # The page of an error, which the browser shows by itself, is not watched.
        return replace(_click(action, found), content_ms=None, content_by="") if found else unknown

    def _require_life(self, error: DriverError, ended: threading.Event) -> None:
        """Raise what an error means where it is the browser that failed, and not what it was asked for.

        `ended`: set where the page was ended here.
        """
        browser = self.page.context.browser
        if not browser or not browser.is_connected():
            raise error
        if not ended.is_set() and (self.page.is_closed() or "crashed" in error.message):
            raise TabCrashed from error


@contextmanager
def _patience() -> Iterator[threading.Event]:
    """End the pages that are open, and set the event, where the block takes too long.

    A script that blocks on a request which nobody answers keeps whoever talks to its page waiting, without an end.
    """
    ended = threading.Event()

    def end_pages() -> None:
        ended.set()
        for pid in _pages():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(PATIENCE_S, end_pages)
    timer.daemon = True
    timer.start()
    try:
        yield ended
    finally:
        timer.cancel()


def _pages() -> Iterator[int]:
    """The processes of this lab's browser that show pages; those of its other tabs, which nobody looks at, too."""
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it has just ended
            if OF_A_PAGE in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield pid


def _click(action: Action, found: Mapping[str, Any]) -> Click:
    worst = max(found["events"], key=lambda event: float(event["ms"]), default=None)
    by = next((way for way in ("element", "frame") if found["shown"].get(way, TIMEOUT_MS) < TIMEOUT_MS), "")
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
    from playwright.sync_api import TimeoutError as NotInTime

    try:
        page.wait_for_function("() => true", timeout=ALIVE_WITHIN_MS, polling=ASK_EVERY_MS)
    except NotInTime:
        return True
    return False
