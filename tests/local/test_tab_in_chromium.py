"""What a tab of a real Chromium makes of pages and servers that nobody would want."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from browser import clicking
from support import ROOT

from wsgilab.errors import UsageError
from wsgilab.measure import tab
from wsgilab.measure.browser import Browser
from wsgilab.measure.tab import TIMEOUT_MS, Tab, TabCrashed
from wsgilab.measure.visiting import rehearse
from wsgilab.model.vitals import Action, PageLoad

pytest.importorskip("playwright.sync_api", reason="no Playwright: what a browser feels was not tested")
BUTTON = "<!doctype html><button id=go>Go</button>"
PAGES = {
    "/basket": BUTTON + "<ul id=basket><li>first</ul><script>"
    "go.onclick = () => setTimeout(() => basket.append(document.createElement('li'), 'one more'), 30)</script>",
    "/early": BUTTON + "<p id=said>old</p><script>go.onmousedown = () => { said.textContent += '!' }</script>",
    "/renamed": BUTTON + "<p id=said>old</p><script>go.onclick = () => { said.textContent += '!' }</script>",
    "/leaves": BUTTON + "<script>go.onclick = () => { location = '/left' }</script>",
    "/left": "<!doctype html><p id=said>on the way</p><script>onload = () => { location = '/basket' }</script>",
    "/blocks": BUTTON + "<p id=said></p><script>go.onclick = () => { const asked = new XMLHttpRequest();"
    "asked.open('GET', '/never', false); asked.send(); }</script>",
    "/cover": BUTTON + "<script>go.onclick = () => { location = '/album' }</script>",
    "/album": "<!doctype html><p id=said>an album</p><img src=/picture.svg width=90 height=90>",
    "/picture.svg": "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><path d='M0 0h9v9z'/></svg>",
    "/covered": "<!doctype html><button id=go style='display: none'>Go</button><p id=said>",
}


@dataclass
class Site:
    """Pages as they stand above. `/never` is not answered before the end, the picture once it may be."""

    url: str
    over: threading.Event = field(default_factory=threading.Event)
    picture_may_come: threading.Event = field(default_factory=threading.Event)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from clicking()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/never":
                found.over.wait()
            if self.path == "/picture.svg":
                found.picture_may_come.wait()
            page = PAGES.get(self.path)
            content = (page or "no such page").encode()
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", "image/svg+xml" if self.path.endswith(".svg") else "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Site(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    found.over.set()
    found.picture_may_come.set()
    server.shutdown()
    server.server_close()


def go(page: str, content: str, click: str = "#go") -> Action:
    return Action("go", page, click, content)


@pytest.mark.parametrize(
    "action",
    [go("/basket", "#basket li"), go("/renamed#here", "#said"), go("/early", "#said")],
    ids=["appears", "changes", "before the click"],
)
def test_content_that_comes_again_and_again_is_new_each_time(browser: Browser, site: Site, action: Action) -> None:
    with browser.tab() as visitor:
        rehearse(visitor, site.url, [action])
        assert visitor.open(site.url + action.page).came, "it is open already"
        clicks = [visitor.click(action) for _ in range(3)]
    assert all(click.content_ms is not None for click in clicks), clicks
    assert [click.interactions for click in clicks] == [1] * 3


def test_a_page_that_goes_on_to_another_one_ends_nothing(browser: Browser, site: Site) -> None:
    with browser.tab() as visitor:
        assert visitor.open(site.url + "/leaves").came
        visitor.click(go("/leaves", "#said"))  # what came of it is up to chance: the content is left at once
        assert visitor.open(site.url + "/basket").came


def test_a_page_that_a_click_led_to_is_read_once_all_of_it_is_there(browser: Browser, site: Site) -> None:
    with browser.tab() as visitor:
        visitor.open(site.url + "/cover")
        assert visitor.click(go("/cover", "#said")).navigated
        site.picture_may_come.set()
        load = visitor.page_load()
    assert load
    assert load.fcp_ms
    assert (load.lcp_ms or 0.0) > load.fcp_ms, "the picture is the largest part"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (go("/nowhere", "#said"), "/nowhere was answered with status 404"),
        (go("/basket", "#basket li", click="#["), "'#[' is no selector of CSS"),
        (go("/covered", "#said"), "On /covered there is nothing to see that '#go' selects"),
        (go("/renamed", "#basket"), "nothing that '#basket' selects was new"),
    ],
)
def test_a_typo_is_told_before_anything_is_measured(
    browser: Browser, site: Site, action: Action, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab, "TIMEOUT_MS", 500.0)
    with browser.tab() as visitor, pytest.raises(UsageError) as refused:
        rehearse(visitor, site.url, [action])
    assert words in refused.value.what


def test_a_page_that_waits_for_an_answer_that_never_comes_is_given_up(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tab, "PATIENCE_S", 1.0)
    with browser.tab() as visitor:
        visitor.open(site.url + "/blocks")
        click = visitor.click(go("/blocks", "#said"))
        assert (click.inp_ms, click.content_ms, click.interactions) == (TIMEOUT_MS, None, 1)
        assert visitor.anew().open(site.url + "/basket").came


def test_a_tab_that_crashes_is_no_page_that_failed_and_the_next_tab_works(browser: Browser, site: Site) -> None:
    with browser.tab() as visitor:
        visitor.open(site.url + "/basket")
        for pid in tab._pages():
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(TabCrashed):
            visitor.click(go("/basket", "#basket li"))
    with browser.tab() as visitor:
        assert visitor.open(site.url + "/basket").came


VISIT = """
import os, signal, sys
from contextlib import suppress
from pathlib import Path
from wsgilab.errors import MissingError
from wsgilab.machine.cpu_time import descendants
from wsgilab.machine.tools import find_browser
from wsgilab.measure.browser import launched
from wsgilab.model.vitals import Action
url, driver_too = sys.argv[1], sys.argv[2] == "driver"
try:
    with launched(find_browser(), cpus=set()) as found, found.tab() as visitor:
        visitor.open(url)
        for pid in descendants(os.getpid()):
            with suppress(OSError):  # it has just ended, with the one before
                if (b"run-driver" in Path(f"/proc/{pid}/cmdline").read_bytes()) == driver_too:
                    os.kill(pid, signal.SIGKILL)
        visitor.click(Action("go", "/basket", "#go", "#basket li"))
except MissingError as error:
    print(error.what)
"""
"""Who has a Playwright cannot have a second one: this is run by another process."""


@pytest.mark.parametrize("gone", ["browser", "driver"])
def test_a_browser_that_is_gone_is_no_server_that_failed_and_is_told_once(site: Site, gone: str) -> None:
    command = [sys.executable, "-c", VISIT, f"{site.url}/basket", gone]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The browser does not answer any more: ")


def test_nobody_there_is_a_page_that_does_not_come(browser: Browser) -> None:
    with browser.tab() as visitor:
        assert visitor.open("http://127.0.0.1:1/") == PageLoad()
        assert isinstance(visitor, Tab)
