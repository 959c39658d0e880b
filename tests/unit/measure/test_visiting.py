"""What a visitor does where pages do not open, and clicks lead nowhere."""

from __future__ import annotations

from typing import Any, cast

from wsgilab.measure.browser import Tab
from wsgilab.measure.visiting import MOST_FAILED, Visitor
from wsgilab.model.vitals import BLOCKING, FULL_PAGE_LOAD, Action, Click, PageLoad

OPENED = PageLoad(30.0, 90.0, 90.0)


class Scripted:
    """A tab whose pages and clicks come out as they are told to."""

    def __init__(self, opens: list[PageLoad], clicks: list[Click]) -> None:
        self.opens, self.clicks = opens, clicks
        self.opened: list[str] = []

    def open(self, url: str) -> PageLoad:
        self.opened.append(url)
        return self.opens.pop(0) if self.opens else OPENED

    def page_load(self) -> PageLoad:
        return OPENED

    def click(self, _action: Action) -> Click:
        return self.clicks.pop(0)


def click(content_ms: float | None, navigated: bool = False) -> Click:
    return Click(BLOCKING.name, 40.0, 1.0, content_ms, "element", interactions=1, navigated=navigated)


def visitor(tab: Scripted) -> Visitor:
    return Visitor(cast(Tab, tab), "http://server", "/first")


def always() -> bool:
    return True


def test_a_page_is_opened_once_and_the_first_of_all_is_not_measured() -> None:
    tab = Scripted([], [click(40.0), click(41.0)])
    found = visitor(tab)
    found.use(BLOCKING, 2, always)
    assert tab.opened == ["http://server/first", f"http://server{BLOCKING.page}"]
    assert (len(found.clicks), found.pages) == (2, [OPENED])


def test_a_click_that_leads_to_another_page_loads_that() -> None:
    found = visitor(Scripted([], [click(40.0, navigated=True)] * 2))
    found.use(FULL_PAGE_LOAD, 2, always)
    assert found.pages == [OPENED] * 3


def test_after_a_click_without_content_the_page_is_opened_anew_and_soon_given_up() -> None:
    tab = Scripted([], [click(None)] * 9)
    found = visitor(tab)
    found.use(BLOCKING, 9, always)
    assert len(found.clicks) == MOST_FAILED
    assert tab.opened[1:] == [f"http://server{BLOCKING.page}"] * MOST_FAILED


def test_where_the_page_does_not_open_there_is_no_click() -> None:
    nothing: list[Any] = []
    found = visitor(Scripted([OPENED, PageLoad(), PageLoad()], nothing))
    found.use(BLOCKING, 9, always)
    assert [(made.made, made.content_ms) for made in found.clicks] == [(False, None)] * MOST_FAILED


def test_nobody_clicks_when_the_load_is_over() -> None:
    found = visitor(Scripted([], []))
    found.use(BLOCKING, 9, lambda: False)
    assert found.clicks == []
