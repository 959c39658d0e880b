"""`./lab vitals` with a real Chromium, real servers and real clicks."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from browser import clicking
from panel_data import faults, targets
from served import SERVERS, Running, serving
from support import ROOT, Lab, lab_environment

from wsgilab.engines import Endpoint
from wsgilab.machine.ports import free_ports
from wsgilab.measure.browser import Browser
from wsgilab.measure.filming import chosen, shots
from wsgilab.measure.tab import Tab
from wsgilab.model.vitals import (
    BLOCKING,
    FEEDBACK_FIRST,
    FULL_PAGE_LOAD,
    MOMENTS_MS,
    NOTHING_UNTIL_ANSWER,
    WIRINGS,
    Action,
    Click,
    PageLoad,
)
from wsgilab.view.dashboards import Span

pytest.importorskip("playwright.sync_api", reason="no Playwright: what a browser feels was not tested")
STALL_S = 0.7
WITHIN_MS = 50.0
TIMES, TIMES_OF_A_PAGE = 3, 5
"""So often a button is clicked. Whole pages vary more, and come sooner after a stall: the browser has prepared."""
WEB_VITALS, WEB_VITALS_SHA256 = "web-vitals@6.2.3", "0345c05eceae57e921485b0696ab979ef559f3c3dda56abad6ad8145e399a262"
TELL = """
window.told = {};
for (const [name, tell] of Object.entries({
  inp_ms: webVitals.onINP, ttfb_ms: webVitals.onTTFB, fcp_ms: webVitals.onFCP, lcp_ms: webVitals.onLCP,
})) {
  tell((metric) => { told[name] = metric.value; }, { reportAllChanges: true, durationThreshold: 16 });
}
// It tells of a page that is left when that is hidden, to listeners that came before this one.
addEventListener("visibilitychange", () => sessionStorage.setItem("left", JSON.stringify(told)));
"""


SHOP = """
from flask import Flask
app = Flask(__name__)
app.get("/shop")(lambda: '''<!doctype html>
<h1>Shop</h1><button id=add>Add</button><ul id=basket></ul><a href=/shop>Next</a>
<script>add.onclick = async () => {
  basket.append(Object.assign(document.createElement("li"), {textContent: await (await fetch("/item")).text()}));
}</script>''')
app.get("/item", endpoint="item")(lambda: "an item")
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from clicking()


@dataclass(frozen=True)
class Stalling(Tab):
    """A tab whose server is stopped as it clicks, and goes on a while later."""

    group: int
    stalls_ms: list[float]

    def _press(self, x: float, y: float) -> None:
        began = time.monotonic()
        os.killpg(self.group, signal.SIGSTOP)
        on = threading.Timer(STALL_S, self._go_on, (began,))
        on.start()
        try:
            super()._press(x, y)
        finally:
            on.join()

    def _go_on(self, began: float) -> None:
        os.killpg(self.group, signal.SIGCONT)
        self.stalls_ms.append((time.monotonic() - began) * 1000)


@dataclass(frozen=True)
class Served:
    """A page that is open, and the server that it is from."""

    tab: Tab
    server: Running

    def plain(self, action: Action) -> Click:
        """The click of median length out of a few."""
        return self._median(self.tab, action)

    def stalled(self, action: Action) -> tuple[Click, float]:
        """(the same of a server that is stopped at the click, how long it was in ms)."""
        stalls_ms: list[float] = []
        tab = Stalling(self.tab.page, self.server.process.pid, stalls_ms)
        return self._median(tab, action), statistics.median(stalls_ms)

    def _median(self, tab: Tab, action: Action) -> Click:
        times = TIMES_OF_A_PAGE if action == FULL_PAGE_LOAD else TIMES
        made = []
        for _ in range(times):
            made.append(tab.click(action))
            if made[-1].navigated:
                tab.page_load()  # as a visitor does: in a page that still loads, a click is late
        return sorted(made, key=_content_ms)[times // 2]


def _content_ms(click: Click) -> float:
    return click.content_ms or 0.0


@pytest.fixture(scope="module")
def page(
    request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp(request.param)
    with (
        serving(SERVERS[request.param], folder, LAB_APP_DIR=str(ROOT / "services/app")) as server,
        browser.tab() as tab,
    ):
        assert tab.open(server.url + BLOCKING.page).ttfb_ms
        yield Served(tab, server)


# On another server the law is the same; its most telling case is enough.
CASES = [*(("dev", wiring) for wiring in WIRINGS), ("gunicorn", BLOCKING)]


@pytest.mark.parametrize(
    ("page", "action"), CASES, indirect=["page"], ids=[f"{server}, {wiring.name}" for server, wiring in CASES]
)
def test_a_stall_shows_in_the_content_and_in_inp_only_where_the_page_blocks(page: Served, action: Action) -> None:
    plain = page.plain(action)
    stalled, stall_ms = page.stalled(action)
    assert plain.interactions == stalled.interactions == 1
    assert plain.content_ms is not None
    assert stalled.content_ms is not None
    assert stalled.content_ms - plain.content_ms == pytest.approx(stall_ms, abs=WITHIN_MS)
    inp_longer = (stalled.inp_ms or 0.0) - (plain.inp_ms or 0.0)
    if action == BLOCKING:
        assert inp_longer == pytest.approx(stall_ms, abs=WITHIN_MS)
    else:
        assert inp_longer < WITHIN_MS


@pytest.mark.parametrize("page", ["dev"], indirect=True)
def test_a_click_is_told_apart_from_one_that_was_lost_although_it_has_no_entry(page: Served) -> None:
    page.tab.open(page.server.url + FEEDBACK_FIRST.page)
    clicks = [page.tab.click(NOTHING_UNTIL_ANSWER) for _ in range(3)]
    assert [click.interactions for click in clicks] == [1] * 3
    assert clicks[0].inp_ms is not None, "the first of a page is told however short it was"
    assert statistics.median(click.content_ms or 0.0 for click in clicks) > 20, "what the answer waits for"


@pytest.mark.parametrize("page", ["dev"], indirect=True)
def test_a_film_shows_a_page_that_blocks_as_it_stands(page: Served) -> None:
    tab = Stalling(page.tab.page, page.server.process.pid, [])
    frames, shown = chosen(*shots(tab, BLOCKING, Endpoint(page.server.url, "", None)))
    at = dict(zip(MOMENTS_MS, shown, strict=True))
    assert None not in at.values()
    assert at[250] == at[500] != at[1_000], "the server is stopped for 700 ms"
    assert len(set(frames)) == len(frames)


@pytest.fixture(scope="module")
def clicked(browser: Browser, own_ports: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab with one run, which a Prometheus recorded where there is one."""
    results = tmp_path_factory.mktemp("vitals") / "results"
    results.mkdir()
    lab = Lab(lab_environment(results, own_ports), results)
    asked = ("--servers", "gunicorn", "--rate", "0,40", "--rounds", "1", "--clicks", "2", "--no-film")
    done = lab("vitals", *asked, "--prometheus", "--json")
    assert done.returncode == (0 if valid(lab) else 5), done.stdout + done.stderr
    assert json.loads(done.stdout) == json.loads((folder_of(lab) / "vitals.json").read_text())
    return lab


def folder_of(lab: Lab) -> Path:
    """That of the one run. Prometheus has a folder of its own next to it."""
    (lines,) = lab.results.glob("*/blocks.jsonl")
    return lines.parent


def valid(lab: Lab) -> list[float]:
    """The rates whose block counts; where other programs take the browser's CPUs, some or all do not."""
    blocks = [json.loads(line) for line in (folder_of(lab) / "blocks.jsonl").read_text().splitlines()]
    assert sorted(block["plan"]["rate_rps"] for block in blocks) == [0, 40]
    assert all(block["void"] is None or "other programs" in block["void"] for block in blocks), blocks
    return [block["plan"]["rate_rps"] for block in blocks if block["void"] is None]


def test_from_the_command_line_to_the_report(clicked: Lab) -> None:
    folder = folder_of(clicked)
    verdict = json.loads((folder / "vitals.json").read_text())
    assert verdict["servers"] == ["gunicorn"]
    counted = [(row["rate_rps"], row["action"], row["count"]) for row in verdict["rows"] if row["vital"] == "inp_ms"]
    assert sorted(counted) == sorted((rate, wiring.name, 2) for rate in valid(clicked) for wiring in WIRINGS)
    blocks = [json.loads(line) for line in (folder / "blocks.jsonl").read_text().splitlines()]
    for block in blocks:
        assert not block["plan"]["rate_rps"] or block["served_rps"] > 30, "the load was there"
    before = {name: (folder / name).read_bytes() for name in ("vitals.json", "report.md", "report.html")}
    again = clicked("report", folder)
    assert again.returncode == 0, again.stderr
    assert before == {name: (folder / name).read_bytes() for name in before}


def test_every_panel_of_what_a_browser_feels_has_data(clicked: Lab) -> None:
    address = clicked.results / ".prometheus/url"
    if not address.is_file():
        pytest.skip("no Prometheus: the dashboard of what a browser feels was not looked at")
    if len(valid(clicked)) < 2:
        pytest.skip("other programs had the browser's CPUs: the dashboard of what a browser feels was not looked at")
    manifest = json.loads((folder_of(clicked) / "manifest.json").read_text())
    since, until = (datetime.fromisoformat(manifest[key]).timestamp() for key in ("started_at", "finished_at"))
    span = Span(since, since + math.ceil(until - since), 1.0)
    (port,) = free_ports(1)
    view = clicked.start("view", "--port", port)
    try:
        view.says("Ctrl-C ends this.")
        asked = [target for target in targets(["gunicorn"], span) if "browser:" in target.expression]
        assert len(asked) == 2 * (2 * len(WIRINGS) + 3) + 2
        found = [text for target in asked for text in faults(address.read_text(), target, ["gunicorn"], span)]
        assert found == []
    finally:
        clicked.stop()


def test_ctrl_c_keeps_what_was_clicked_in_an_app_of_ones_own(lab: Lab, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "app.py").write_text(SHOP)
    (shop / "lab.toml").write_text(
        'app = {app = "app:app"}\nvitals = {clicks = [\n'
        '  {name = "add", page = "/shop", click = "#add", content = "#basket li"},\n'
        '  {name = "next", page = "/shop", click = "a", content = "h1"},\n]}\n'
    )
    asked = ("--servers", "gunicorn", "--app-dir", shop, "--rate", "0", "--rounds", "90", "--clicks", "2")
    running = lab.start("vitals", *asked)
    running.says("[2/90]")
    running.signal(signal.SIGINT)
    assert running.ends() == 130, running.output
    assert "what was measured until then is kept" in running.output
    first = json.loads((folder_of(lab) / "blocks.jsonl").read_text().splitlines()[0])
    assert sorted(click["action"] for click in first["clicks"]) == ["add", "add", "next", "next"]
    assert all(click["content_ms"] for click in first["clicks"])
    assert "add" in (folder_of(lab) / "report.md").read_text()


def test_without_a_browser_it_says_how_to_get_one(lab: Lab, tmp_path: Path) -> None:
    done = lab("vitals", "--servers", "dev", PATH=str(tmp_path))
    assert done.returncode == 3
    assert "apt-get install chromium" in done.stderr
    done = lab("vitals", "--servers", "dev", LAB_BROWSER=str(tmp_path / "nothing"))
    assert done.returncode == 3
    assert "Next: unset LAB_BROWSER" in done.stderr


@pytest.fixture(scope="session")
def web_vitals(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Google's own library, as its package has it for a browser, from npm. Skips where it cannot be had."""
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("npm")
    if not npm:
        pytest.skip("no npm: figures were not held against those of web-vitals")
    fetch = [npm, "pack", WEB_VITALS, "--silent", "--pack-destination", str(folder)]
    done = subprocess.run(fetch, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm could not fetch {WEB_VITALS}: figures were not held against its own")
    (package,) = folder.glob("*.tgz")
    assert hashlib.sha256(package.read_bytes()).hexdigest() == WEB_VITALS_SHA256
    with tarfile.open(package) as archive:
        script = archive.extractfile("package/dist/web-vitals.iife.js")
        assert script
        return script.read().decode()


@pytest.mark.parametrize("page", ["dev"], indirect=True)
def test_the_figures_are_those_of_web_vitals(browser: Browser, page: Served, web_vitals: str) -> None:
    with browser.tab() as tab:
        tab.page.add_init_script(web_vitals + TELL)
        for action in (BLOCKING, FEEDBACK_FIRST, NOTHING_UNTIL_ANSWER):
            assert_told(tab, tab.open(page.server.url + action.page))
            click = tab.click(action)
            tab.page.wait_for_function("ms => told.inp_ms === ms", arg=click.inp_ms)  # it tells when the page is idle
        assert_told(tab, tab.open(page.server.url + FULL_PAGE_LOAD.page))
        click = tab.click(FULL_PAGE_LOAD)
        assert_told(tab, tab.page_load())
        assert tab.page.evaluate("JSON.parse(sessionStorage.getItem('left')).inp_ms") == click.inp_ms


def assert_told(tab: Tab, load: PageLoad | None) -> None:
    """The page that is open was loaded as its web-vitals tell."""
    told = tab.page.evaluate("told")
    for name in ("ttfb_ms", "fcp_ms", "lcp_ms"):
        assert told[name] == pytest.approx(getattr(load, name), abs=0.1), name
