"""A gate as a screen, as JUnit XML, as a comment and as annotations: short, whole, and nothing in a text is obeyed."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from wsgilab.model.gate import OBJECTIVE, Check, Gate
from wsgilab.model.interval import Interval
from wsgilab.model.outcomes import Outcome
from wsgilab.model.verdict import Verdict
from wsgilab.reports import gate_screen, github, junit, pull_request

VERDICT = Verdict("gate", "local", "mix", 20, "p99<250ms", (), (), (), ())
RATIO = Interval(1.1, 1.081, 1.12)
FIGURES = ("p50_ms", "p99_ms", "failed_ratio", "cpu_ms_per_request", "memory_mb")
HOSTILE = [
    "100 % :: ::error::x",
    "a\n::error title=x::injected\r\n# heading",
    "<script>alert(1)</script> & <b>",
    "a|b `c` **d** [e](http://evil.example) @somebody #1",
    "\x1b[31mred\ufffe\x00",
    "]]> <!-- --> &amp;",
]


def check(about: str, outcome: Outcome = Outcome.PASSED, sentence: str = "as it was", rate_rps: float = 100.0) -> Check:
    figure = Interval(0.0, 0.0, 0.001) if about == "failed_ratio" else Interval(3.3, 3.26, 3.34)
    ratio = None if about in ("failed_ratio", OBJECTIVE) else RATIO
    return Check("gunicorn", rate_rps, about, outcome, sentence, figure, figure, ratio)


def gate(*special: Check, rates: tuple[float, ...] = (100.0,), **changes: object) -> Gate:
    """Every check there is, with these in the place of the usual ones."""
    instead = {(one.rate_rps, one.about): one for one in special}
    checks = tuple(
        instead.get((rate, about), check(about, rate_rps=rate)) for rate in rates for about in (OBJECTIVE, *FIGURES)
    )
    usual = Gate("p99<250ms", checks, "gunicorn got worse.", "main (1f2e3d4)", 0.05)
    return replace(usual, **changes)  # type: ignore[arg-type]


WORSE = check("cpu_ms_per_request", Outcome.WORSE, "CPU per request 3.30 ms against 3.00 ms: +10 %")
NOISY = check("p50_ms", Outcome.NOISY, "p50 24.0 ms against 24.0 ms: 0 % (−20 to +25)")
UNJUDGED = check("memory_mb", Outcome.NOT_JUDGED, "memory, of one start of the server each")


def screen(found: Gate, width: int = 100) -> str:
    out = io.StringIO()
    gate_screen.render(found, VERDICT, Console(file=out, width=width))
    return out.getvalue()


# ── JUnit ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_junit_counts_failures_errors_and_what_was_skipped() -> None:
    root = ElementTree.fromstring(junit.render(gate(WORSE, NOISY, UNJUDGED, rates=(50.0, 100.0))))
    assert root.attrib == {"name": "wsgilab gate", "tests": "12", "failures": "1", "errors": "1"}
    assert [suite.get("skipped") for suite in root] == ["0", "1"]
    assert [suite.get("name") for suite in root] == ["gunicorn at 50 rps", "gunicorn at 100 rps"]
    (failure,) = root.iter("failure")
    assert (failure.get("type"), failure.get("message")) == ("got worse", WORSE.sentence)
    assert len(list(root.iter("error"))) == len(list(root.iter("skipped"))) == 1
    assert {one.get("value") for one in root.iter("property")} == {"main (1f2e3d4)", "5 %"}
    names = [case.get("name") for case in root.iter("testcase")]
    assert names[:6] == ["SLO", "p50", "p99", "Failed", "CPU per request", "Memory"]


ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time", "group"},
    "skipped": {"type", "message"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "system-out": set(),
}
"""What the schema of Jenkins knows (junit-10.xsd), of which others know more."""
PARENTS = {"properties": "testsuite", "property": "properties", "testcase": "testsuite", "testsuite": "testsuites"}


def test_junit_keeps_to_the_schema_of_jenkins() -> None:
    root = ElementTree.fromstring(junit.render(gate(WORSE, NOISY, UNJUDGED, rates=(50.0, 100.0))))
    for parent in root.iter():
        assert set(parent.attrib) <= ATTRIBUTES[parent.tag], parent.tag
        for child in parent:
            assert PARENTS.get(child.tag, "testcase") == parent.tag


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_holds_any_text(text: str) -> None:
    found = gate(replace(WORSE, sentence=text), against=text)
    root = ElementTree.fromstring(junit.render(found))
    (failure,) = root.iter("failure")
    writable = "".join(character for character in text if character not in "\x1b\ufffe\x00\r")
    assert (failure.text or "").replace("\ufffd", "") in (writable, text.replace("\r\n", "\n").replace("\r", "\n"))
    assert not list(root.iter("script"))


# ── a comment ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_comment_is_short_and_says_what_failed_with_its_numbers() -> None:
    text = pull_request.render(gate(WORSE, NOISY, rounds_wanted=33), VERDICT)
    assert text.startswith(pull_request.FIND_ME)
    assert len(text.splitlines()) < 20
    assert "| ❌ 3.30 ms, +10 % (+8.1 to +12) |" in text
    assert "- ❌ **gunicorn at 100 rps**: CPU per request 3.30 ms against 3.00 ms: +10 %" in text
    assert "About 33 rounds would tell" in text
    assert "against `main (1f2e3d4)`, tolerance 5 %" in text
    tables = [
        line for line in text.splitlines() if line.startswith("| ---") or line.startswith("|---") or "---" in line
    ]
    assert len(tables) == 1, "one table"


def test_a_comment_without_anything_to_compare_with_has_the_objective_alone() -> None:
    only = Gate("p99<250ms", (check(OBJECTIVE),), "The SLO p99<250ms is kept by gunicorn at 100 rps.")
    text = pull_request.render(only, VERDICT)
    assert "| Server | SLO `p99<250ms` |" in text
    assert "| **gunicorn at 100 rps** | ✅ kept |" in text
    assert "against" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_comment_obeys_no_text(text: str) -> None:
    found = gate(replace(WORSE, sentence=text), summary=text, against=text)
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(pull_request.render(found, VERDICT))
    assert not re.findall("<(a|img|h1|script|s|em)[ >/]", page)
    assert page.count("<tr>") == 2
    assert "@somebody" not in re.sub("<code>.*?</code>", "", page), "in code a mention calls nobody"


# ── annotations ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_failed_is_an_error_and_what_is_unsure_a_warning() -> None:
    lines = github.render(gate(WORSE, NOISY, UNJUDGED)).splitlines()
    place = "title=WSGI Lab%3A gunicorn at 100 rps"
    assert lines == [
        f"::error {place}::got worse: CPU per request 3.30 ms against 3.00 ms: +10 %25",
        f"::warning {place}::too noisy to say: p50 24.0 ms against 24.0 ms: 0 %25 (−20 to +25)",
    ]
    assert github.render(gate()) == "::notice title=WSGI Lab::gunicorn got worse.\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_an_annotation_is_one_line_and_says_the_text_whole(text: str) -> None:
    (line,) = github.render(gate(replace(WORSE, sentence=text))).rstrip("\n").split("\n")
    assert "\r" not in line
    said = line.split("::", 2)[2]
    decoded = said.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    assert decoded == f"got worse: {text}"


# ── a screen ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_screen_shows_what_failed_first_with_every_number() -> None:
    lines = screen(gate(WORSE, NOISY, UNJUDGED)).splitlines()
    assert lines[0] == "mix · p99<250ms · 20 rounds · local · against main (1f2e3d4), tolerance 5 %"
    assert lines[2] == "got worse  gunicorn got worse."
    body = "\n".join(lines[4:])
    assert body.index(WORSE.sentence) < body.index("p50 24.0 ms") < body.index("as it was")
    assert all(len(line) <= 100 for line in lines)


def test_the_screen_stays_one_however_many_rates_there_are() -> None:
    lines = screen(gate(WORSE, rates=tuple(float(rate) for rate in range(91, 101)))).splitlines()
    assert len(lines) < 24
    assert "and 59 checks passed" in "\n".join(lines)
    assert "CPU per request 3.30 ms" in "\n".join(lines)


def test_the_screen_obeys_no_markup() -> None:
    assert "[bold]x[/]" in screen(gate(replace(WORSE, sentence="[bold]x[/]"), summary="[bold]x[/]"))
