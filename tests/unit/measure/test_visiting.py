"""What a visitor does where pages do not open, and clicks lead nowhere."""

from __future__ import annotations

from typing import Any, cast

import pytest

from wsgilab.errors import UsageError
from wsgilab.measure.tab import Tab
from wsgilab.measure.visiting import MOST_FAILED, Visitor, rehearse
from wsgilab.model.vitals import BLOCKING, FULL_PAGE_LOAD, Action, Click, PageLoad

OPENED = PageLoad(30.0, 90.0, 90.0)


class Scripted:
    """A tab whose pages and clicks come out as they are told to."""

    def __init__(self, opens: list[PageLoad], clicks: list[Click]) -> None:
        self.opens, self.clicks = opens, clicks
        self.opened: list[str] = []
        self.renewed = 0
        self.path = BLOCKING.page.partition("?")[0]

    def open(self, url: str) -> PageLoad:
        self.opened.append(url)
        return self.opens.pop(0) if self.opens else OPENED

    def page_load(self) -> PageLoad | None:
        return OPENED

    def anew(self) -> Scripted:
        self.renewed += 1
        return self

    def selected(self, selector: str) -> int | None:
        return None if selector.endswith("[") else 1

    def click(self, _action: Action) -> Click:
        return self.clicks.pop(0)


def click(content_ms: float | None, navigated: bool = False) -> Click:
    return Click(BLOCKING.name, 40.0, 1.0, content_ms, "element", interactions=1, navigated=navigated)


def visitor(tab: Scripted) -> Visitor:
    found = Visitor(cast(Tab, tab), "http://server")
    found.arrive("/first")
    return found


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


def test_a_page_that_is_left_at_once_has_no_figures() -> None:
    tab = Scripted([], [click(40.0, navigated=True)])
    tab.page_load = lambda: None  # type: ignore[method-assign]
    found = visitor(tab)
    found.use(FULL_PAGE_LOAD, 1, always)
    assert found.pages == [OPENED]


def test_after_a_click_without_content_the_page_is_opened_in_a_new_tab_and_soon_given_up() -> None:
    tab = Scripted([], [click(None)] * 9)
    found = visitor(tab)
    found.use(BLOCKING, 9, always)
    assert (len(found.clicks), tab.renewed) == (MOST_FAILED, MOST_FAILED)
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


NOT_FOUND, LATE = PageLoad(status=404), PageLoad()
NOTHING_THERE = Click.never_made(BLOCKING.name)


def refused(tab: Scripted, action: Action = BLOCKING) -> UsageError:
    with pytest.raises(UsageError) as refusal:
        rehearse(cast(Tab, tab), "http://server", [action])
    return refusal.value


def test_clicks_that_work_are_tried_once() -> None:
    tab = Scripted([], [click(40.0), click(40.0, navigated=True)])
    rehearse(cast(Tab, tab), "http://server", [BLOCKING, FULL_PAGE_LOAD])
    assert tab.clicks == []


@pytest.mark.parametrize(("load", "words"), [(NOT_FOUND, "answered with status 404"), (LATE, "did not come in time")])
def test_a_page_that_is_not_there_is_a_typo_and_no_result(load: PageLoad, words: str) -> None:
    assert f"{BLOCKING.page} " in (what := refused(Scripted([load], [])).what)
    assert words in what


def test_what_selects_nothing_is_named() -> None:
    assert f"nothing to see that '{BLOCKING.click}' selects" in refused(Scripted([], [NOTHING_THERE])).what
    assert f"nothing that '{BLOCKING.content}' selects was new" in refused(Scripted([], [click(None)])).what
    wrong = Action("a", "/page", "#a", "li[")
    assert refused(Scripted([], []), wrong).what == "'li[' is no selector of CSS."


def test_a_page_that_leads_to_a_login_is_named() -> None:
    tab = Scripted([], [NOTHING_THERE])
    tab.path = "/login"
    assert refused(tab).cause.endswith(f"or {BLOCKING.page} led to /login")
