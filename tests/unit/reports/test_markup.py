"""What stands in a text is shown in Markdown, whatever it is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from factories import manifest, window
from markdown_it import MarkdownIt

from wsgilab.analysis.pipeline import RunFacts, analyse
from wsgilab.model.slo import Slo
from wsgilab.reports import markdown
from wsgilab.reports.markup import bold, code, plain

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![beacon](http://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "[ref]: http://evil.example",
    "**bold** _emphasis_ ~~gone~~",
    "`code` ``more``",
    "a|b",
    "a\\|b",
    "a\\\\|b",
    "# heading",
    "- list",
    "+ list",
    "12. list",
    "3) list",
    "---",
    "&lt;b&gt; &amp; &#64;",
    "first line\n\n# second\n\n| a | b |\n| --- | --- |",
    "http://evil.example/",
    "``` fence",
    "</details>",
    "\\",
]
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def text_of(html: str) -> str:
    """What a reader sees."""
    seen = re.sub("<[^>]*>", "", html).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    return seen.replace("&amp;", "&").replace("\u200b", "").strip()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("write", [plain, bold, code])
def test_a_reader_sees_the_text_itself(text: str, write: object) -> None:
    written = write(text)  # type: ignore[operator]
    assert "\n" not in written
    page = MARKDOWN.render(f"- {written}")
    assert text_of(page) == " ".join(text.split())
    assert not re.findall("<(a|img|h1|hr|script|s|em|ol|table)[ >/]", page)
    assert page.count("<li>") == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_stays_one_cell(text: str) -> None:
    page = MARKDOWN.render(f"| a | b |\n| --- | --- |\n| {plain(text)} | {bold(text)} |")
    cells = re.findall("<td>(.*?)</td>", page)
    assert [text_of(cell) for cell in cells] == [" ".join(text.split())] * 2


def test_nobody_is_called_and_nothing_is_referred_to() -> None:
    text = plain("@somebody, see #12 at https://x.example or WWW.x.example")
    assert not re.search(r"(?i)@\w|#12|https?://|www\.", text)
    assert plain("p99 24.1 ms (18.0–37.7), x86_64") == "p99 24.1 ms (18.0–37.7), x86_64"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_report_is_one_page_whatever_its_run_holds(text: str) -> None:
    """Every text of a run: its names, what happened, what the manifest says."""
    evil = replace(window("uwsgi"), plan=replace(window("uwsgi").plan, server=text), void=text)
    ill = replace(window("gunicorn"), died=text, notes=(text,))
    run = RunFacts([], Slo(), rounds=1)
    verdict = analyse([evil, ill], replace(run, engine=text, workload=text), [text])
    said = manifest(engine_why=text, workload=text, host={text: text}, versions={"k6": text})
    page = MARKDOWN.render(markdown.render(verdict, said))
    usual = analyse([window("uwsgi"), ill], run)
    headings = len(re.findall("<h[12]>", MARKDOWN.render(markdown.render(usual, manifest()))))
    assert len(re.findall("<h[12]>", page)) == headings + 1, "one more: about the data"
    assert not re.findall("<(a|img|script|hr|s|em|ol)[ >/]", page)
    assert page.count("</details>") == 1
