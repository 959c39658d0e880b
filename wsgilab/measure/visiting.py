"""Somebody who visits a server in one tab: opens pages, clicks on buttons, and keeps what came of it."""

from __future__ import annotations

from collections.abc import Callable

from wsgilab.measure.browser import Tab
from wsgilab.model.vitals import Action, Click, PageLoad

MOST_FAILED = 2
"""Of the clicks on one button in one block. More would cost ten seconds each, and tell the same."""


class Visitor:
    """A visitor of the server at `url`. Nothing is cached before the first page, which is not measured."""

    def __init__(self, tab: Tab, url: str, first_page: str) -> None:
        self.pages: list[PageLoad] = []
        self.clicks: list[Click] = []
        self._tab = tab
        self._url = url
        tab.open(url + first_page)

    def use(self, action: Action, clicks: int, may_go_on: Callable[[], bool]) -> None:
        """Click so often on one button, of a page that is opened for it; less often where that fails."""
        is_open, failed = False, 0
        for _ in range(clicks):
            if failed == MOST_FAILED or not may_go_on():
                return
            is_open = is_open or self._opens(action)
            click = self._tab.click(action) if is_open else _not_made(action)
            self.clicks.append(click)
            is_open = click.content_ms is not None
            failed += not is_open
            if is_open and click.navigated:
                self.pages.append(self._tab.page_load())

    def _opens(self, action: Action) -> bool:
        load = self._tab.open(self._url + action.page)
        self.pages.append(load)
        return load.ttfb_ms is not None


def _not_made(action: Action) -> Click:
    return Click(action.name, None, None, None, "", interactions=0, made=False)
