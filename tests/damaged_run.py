"""`./lab report` of a spoilt run, in this process: what it says, how it ends, and what is wrong with that."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from pathlib import Path

import mutations
from markdown_it import MarkdownIt

from wsgilab.commands import cli
from wsgilab.commands.streams import Shown
from wsgilab.errors import EXIT_DONE, EXIT_MISSING, EXIT_NO_VALID_WINDOW, EXIT_USAGE
from wsgilab.model.controls import OBEYED

ENDS = (EXIT_DONE, EXIT_USAGE, EXIT_MISSING, EXIT_NO_VALID_WINDOW)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKDOWN_ELEMENTS = {
    *["h1", "h2", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "details", "summary"]
}
OWN_HTML = ["<details><summary>Method and machine</summary>", "</details>"]
ACTIVE_ELEMENTS = {"a", "audio", "base", "embed", "form", "iframe", "img", "input", "link", "object", "script", "video"}


class _Elements(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}


def spoil_and_report(golden: Path, folder: Path, seed: int) -> list[str]:
    """Spoil a copy of a golden run by a seed and report it, by each third seed as JSON or beside the whole run."""
    mutations.copy_of(golden, folder)
    done = mutations.Mutator(seed).spoil(folder)
    more = ((), ("--json",), (str(golden), "--anyway"))[seed // 3 % 3]
    return [f"seed {seed} ({', '.join(done)}): {fault}" for fault in faults(folder, *more)]


def faults(folder: Path, *more: str) -> list[str]:
    """`./lab report` of the run in `folder`: everything that is wrong with what came of it."""
    out, err = (Shown(io.BytesIO(), encoding="utf-8") for _ in range(2))
    code: object = None
    found = []
    with redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main(["report", str(folder), *more])
        except SystemExit as end:
            code = end.code
        except BaseException:
            found.append(traceback.format_exc())
    printed = _written(out) + _written(err)
    if code not in ENDS:
        found.append(f"exit code {code}:\n{printed[-2000:]}")
    if "Traceback" in printed:
        found.append(f"a traceback:\n{printed[-2000:]}")
    if OBEYED.search(printed):
        found.append(f"control characters: {OBEYED.findall(printed)}")
    return [*found, *_faults_of_files(folder)]


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def _faults_of_files(folder: Path) -> Iterator[str]:
    if (folder / "verdict.json").is_file():
        text = (folder / "verdict.json").read_text(encoding="utf-8")
        if "NaN" in text or "Infinity" in text:
            yield "verdict.json is no JSON"
        json.loads(text)
    for name in ("report.md", "report.html"):
        if not (folder / name).is_file():
            continue
        text = (folder / name).read_text(encoding="utf-8")
        if OBEYED.search(text):
            yield f"{name}: control characters {OBEYED.findall(text)}"
        if name == "report.html":
            page = _Elements(text)
            if odd := page.elements & ACTIVE_ELEMENTS | {each for each in page.attributes if each.startswith("on")}:
                yield f"report.html: markup {odd}"
            continue
        page = _Elements(MARKDOWN.render(text))
        if odd := page.elements - MARKDOWN_ELEMENTS:
            yield f"report.md: markup {odd}"
        blocks = MARKDOWN.parse(text)
        html = [
            token.content.strip()
            for block in blocks
            for token in (block, *(block.children or ()))
            if "html" in token.type
        ]
        if html != OWN_HTML:
            yield f"report.md: HTML {html}"
