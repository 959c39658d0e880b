"""Chromium without a screen: what a page looks like to a script, and to a person."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wsgilab.errors import MissingError
from wsgilab.machine.tools import find_browser
from wsgilab.measure.browser import Browser, launched

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
INKS = {"#1b1f24", "#54555a", "#e3e7eb", "#000"}
"""Of axes, grids and letters: no marks."""


def require_chromium() -> str:
    """The browser. Skips where there is none: nothing is installed for a test."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"no Chromium on PATH ({', '.join(NAMES)}): what the dashboards look like was not tested")
    return found


def clicking() -> Iterator[Browser]:
    """A browser that clicks, for a fixture. Skips where there is none."""
    try:
        executable = find_browser()
    except MissingError as error:
        pytest.skip(f"{error.what} What a browser feels was not tested")
    with launched(executable, cpus=set()) as found:
        yield found


def visit(
    chromium: str, url: str, profile: Path, *flags: str, size: str = "1280,720", picture: Path | None = None
) -> str:
    """The page's elements once its scripts have run; with `picture`, also as a PNG."""
    # Virtual time: the clock of the page jumps to the next timer, and stands still while an answer is under way.
    command = [chromium, *FLAGS, f"--user-data-dir={profile}", f"--window-size={size}", "--virtual-time-budget=4000"]
    command += flags
    if picture:
        subprocess.run([*command, f"--screenshot={picture}", url], capture_output=True, timeout=120, check=True)
    done = subprocess.run([*command, "--dump-dom", url], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def measured(chromium: str, page: str, folder: Path, *, width: int, dark: bool, script: str, alive: bool = True) -> Any:
    """What a script, a function of a document, finds in a page that is so many pixels wide.

    The page is shown in a frame: no window of a headless Chromium is narrower than 500 pixels. Not `alive`: none of its
    own scripts run.
    """
    frame = "" if alive else 'sandbox="allow-same-origin"'
    around = f"""<!doctype html><html style="color-scheme: light dark"><body style="margin: 0">
<iframe {frame} style="border: 0; width: {width}px; height: 900px" srcdoc="{html.escape(page)}"></iframe><pre></pre>
<script>
const examine = {script};
onload = () => {{
  document.querySelector("pre").textContent = JSON.stringify(examine(document.querySelector("iframe").contentDocument));
}};
</script></body></html>"""
    (folder / "around.html").write_text(around, encoding="utf-8")
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    seen = visit(chromium, (folder / "around.html").as_uri(), folder / "profile", scheme, size="1400,1000")
    return json.loads(html.unescape(re.search(r"<pre>(.*?)</pre>", seen, re.DOTALL)[1]))  # type: ignore[index]


def marks(page: str) -> dict[int, int]:
    """By panel, how many marks it has: shapes of a chart in other colours than its axes, or words."""
    found = {}
    for section in page.split("<section ")[1:]:
        number = int(re.search(r'data-panel="(\d+)"', section)[1])  # type: ignore[index]
        kind = re.search(r'data-type="([\w-]+)"', section)[1]  # type: ignore[index]
        drawing = section.split('class="drawing"')[1].split('class="legend"')[0]
        if kind in ("table", "stat", "text"):
            words = re.sub(r"<[^>]*>", " ", drawing)
            found[number] = 0 if "Nothing recorded" in words else len(re.findall(r"\d", words))
        else:
            colors = re.findall(r'<(?:path|rect)[^>]* (?:stroke|fill)="(#\w+)"', drawing)
            found[number] = sum(color.lower() not in INKS for color in colors)
    return found
