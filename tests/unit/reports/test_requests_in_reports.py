"""Requests by name in every report: figures with intervals, their own objective, and never more than a page holds."""

from __future__ import annotations

import io
import re
from dataclasses import replace

from factories import RUN, SERVERS, named_window
from rich.console import Console

from wsgilab.analysis.pipeline import analyse
from wsgilab.model import slo
from wsgilab.model.conditions import Conditions
from wsgilab.model.manifest import Manifest
from wsgilab.model.verdict import Verdict
from wsgilab.reports import by_request, html, markdown, terminal

GUNICORN = [facts for facts in SERVERS if facts.name == "gunicorn"]


def verdict_of(objective: str = "p99<250ms", conditions: Conditions | None = None) -> Verdict:
    run = replace(RUN, servers=GUNICORN, objective=slo.parse(objective), conditions=conditions or Conditions())
    return analyse([named_window(number) for number in (1, 2, 3)], run)


def on_terminal(verdict: Verdict, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    terminal.render(verdict, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_report_has_a_row_for_each_name_with_its_intervals() -> None:
    verdict = verdict_of()
    (said,) = re.findall(r"^gunicorn +look .*$", on_terminal(verdict), re.MULTILINE)
    assert "22.0 ms (" in said
    (row,) = re.findall(r"^\| \*\*gunicorn\*\* \| buy \|.*$", markdown.render(verdict, Manifest()), re.MULTILINE)
    assert "80.0 ms (80.0–80.0)" in row
    assert "75 % (75–75)" in row
    page = html.render(verdict, Manifest())
    assert '<h2 id="requests">By request</h2>' in page
    assert "<td><bdi>buy</bdi></td>" in page
    assert "Its SLO" not in page


def test_an_objective_of_its_own_stands_next_to_what_came_of_it() -> None:
    verdict = verdict_of("p99<250ms; buy: p95<50ms")
    assert re.search(r"^gunicorn +buy .* bad *$", on_terminal(verdict), re.MULTILINE)
    text = markdown.render(verdict, Manifest())
    assert re.search(r"^\| \*\*gunicorn\*\* \| buy \|.*\| ❌ bad `p95<50ms` \|$", text, re.MULTILINE)
    assert "buy: p95 80.0 ms" in text
    page = html.render(verdict, Manifest())
    assert '<span class="note">p95&lt;50ms</span>' in page


def test_a_narrow_terminal_leaves_columns_out_and_no_line_is_too_long() -> None:
    for width in (60, 80, 100):
        lines = on_terminal(verdict_of("p99<250ms; buy: p95<50ms"), width).splitlines()
        assert max(map(len, lines)) <= width


def test_where_there_is_no_room_the_ones_that_missed_stay_and_the_rest_is_counted() -> None:
    found = by_request.listing(verdict_of("p99<250ms; look: p95<5ms"), 100.0, most=1)
    assert found
    assert ([row.request for _, row in found.rows], found.left_out) == (["look"], 1)
    slowest = by_request.listing(verdict_of(), 100.0, most=1)
    assert slowest
    assert [row.request for _, row in slowest.rows] == ["buy"]


def test_one_name_alone_says_nothing_new() -> None:
    verdict = verdict_of()
    (server,) = verdict.servers
    (load,) = server.loads
    alone = replace(verdict, servers=(replace(server, loads=(replace(load, requests=load.requests[:1]),)),))
    assert by_request.listing(alone, 100.0, most=10) is None


def test_the_first_lines_say_what_became_of_connections() -> None:
    for keep_alive, said in ((False, "a new connection for each request"), (True, "reused connections")):
        verdict = verdict_of(conditions=Conditions(keep_alive=keep_alive))
        first = on_terminal(verdict).splitlines()[0]
        assert first.endswith(f"· {said}")
        assert f", {said}" in markdown.render(verdict, Manifest())
        assert f", {said}" in html.render(verdict, Manifest())
    assert "connection" not in on_terminal(verdict_of()).splitlines()[0], "nobody knows"


def test_how_many_connections_were_really_used_again_is_said_of_each_server() -> None:
    verdict = verdict_of(conditions=Conditions(keep_alive=True))
    (server,) = verdict.servers
    (load,) = server.loads
    seen = replace(verdict, servers=(replace(server, loads=(replace(load, reused_ratio=0.764),)),))
    said = "Answers that came over a connection opened by an earlier request, at 100 rps: gunicorn 76 %."
    for text in (" ".join(on_terminal(seen).split()), html.render(seen, Manifest())):
        assert said in text
    assert "an earlier request" not in on_terminal(verdict)
