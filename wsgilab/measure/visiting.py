"""Somebody who visits a server in one tab: opens pages, clicks on buttons, and keeps what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wsgilab.errors import UsageError
from wsgilab.measure.tab import Tab
from wsgilab.model.vitals import CONTENT_TIMEOUT_S, Action, Click, PageLoad

MOST_FAILED = 2
"""Of the clicks on one button in one block. More would cost ten seconds each, and tell the same."""


class Visitor:
    """A visitor of the server at `url`."""

    def __init__(self, tab: Tab, url: str) -> None:
        self.pages: list[PageLoad] = []
        self.clicks: list[Click] = []
        self._tab = tab
        self._url = url

    def arrive(self, path: str) -> None:
        """Open the first page, which is not measured: nothing is cached before."""
        self._tab.open(self._url + path)

    def use(self, action: Action, clicks: int, may_go_on: Callable[[], bool]) -> None:
        """Click so often on one button, of a page that is opened for it; less often where that fails."""
        is_open, failed = False, 0
        for _ in range(clicks):
            if failed == MOST_FAILED or not may_go_on():
                return
            is_open = is_open or self._opens(action)
            click = self._tab.click(action) if is_open else Click.never_made(action.name)
            self.clicks.append(click)
            is_open = click.content_ms is not None
            if not is_open:
                failed += 1
                self._tab = self._tab.anew()
            elif click.navigated and (load := self._tab.page_load()):
                self.pages.append(load)

    def _opens(self, action: Action) -> bool:
        load = self._tab.open(self._url + action.page)
        self.pages.append(load)
        return load.came


def rehearse(tab: Tab, url: str, actions: Sequence[Action]) -> None:
    """Click once on everything that is going to be clicked on. Raises UsageError for what cannot be measured.

    With others' load, a page that does not come is a result. While nobody else asks for anything, it is a typo.
    """
    for action in actions:
        load = tab.open(url + action.page)
        if not load.came:
            raise _useless(f"{action.page} {_how(load)}", ", or it wants a login, and nobody logs in here")
        for selector in (action.click, action.content):
            if tab.selected(selector) is None:
                raise _useless(f"'{selector}' is no selector of CSS", "; '#add' and '.basket li' are some")
        redirected = "" if tab.path == action.page.partition("?")[0] else f", or {action.page} led to {tab.path}"
        click = tab.click(action)
        if not click.made:
            raise _useless(f"On {action.page} there is nothing to see that '{action.click}' selects", redirected)
        if click.content_ms is None:
            clicked = f"After a click on '{action.click}' of {action.page}"
            raise _useless(f"{clicked}, nothing that '{action.content}' selects was new within {CONTENT_TIMEOUT_S:g} s")


def _how(load: PageLoad) -> str:
    """How a page came that cannot be used."""
    if load.status is None:
        return "did not come in time"
    return f"was answered with status {load.status}" + ("" if load.status >= 400 else ", and allows no scripts")


def _useless(what: str, otherwise: str = "") -> UsageError:
    return UsageError(f"{what}.", f"a typo under [[vitals.clicks]]{otherwise}", "./lab vitals --help")
