"""Three renderings of one verdict: nothing invented, nothing lost, the same bytes every time."""

from __future__ import annotations

import io
import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from factories import FIGURES, RUN, SERVERS, plan, story, window
from factories import manifest as described
from rich.console import Console
from support import ROOT

from wsgilab.analysis.capacity import Goal
from wsgilab.analysis.pipeline import analyse
from wsgilab.lab.servers import load_lab
from wsgilab.model import words
from wsgilab.model.floor import Floor
from wsgilab.model.interval import Interval
from wsgilab.model.manifest import Manifest, ServerEntry
from wsgilab.model.metrics import METRICS, Place, shown
from wsgilab.model.server import ServerFacts
from wsgilab.model.verdict import KEYS, Verdict
from wsgilab.model.window import Window
from wsgilab.reports import colours, html, markdown, terminal
from wsgilab.reports.bars import Bar, bar_chart
from wsgilab.reports.charts import Across, Series, latency_chart

Json = dict[str, Any]
SAID: Json = {
    "schema": 1,
    "started_at": "2026-03-01T12:00:05+00:00",
    "engine_why": "no Docker engine answers",
    "host": {"cpus": 2, "cpu_model": "a processor", "kernel": "6.1"},
    "versions": {"flask": "3.1.2", "k6": "k6 v1.1.0"},
    "servers": [{"name": "gunicorn", "command": ["gunicorn", "-w", "4", "wsgi:application"]}],
}
MANIFEST = described(**SAID)
VOID = "VOID"
ELEMENTS_WITHOUT_END = {"meta", "br", "link", "img", "hr", "input"}


def verdict_of(windows: list[Window], servers: list[ServerFacts] | None = None, **more: Any) -> Verdict:
    problems = more.pop("problems", ())
    return analyse(windows, replace(RUN, servers=SERVERS if servers is None else servers, **more), problems)


def spoiled_run() -> list[Window]:
    windows = story()
    windows[7] = replace(windows[7], void="k6 fell behind its schedule by 2000 ms (bound 100 ms)")
    windows[12] = Window(plan("gunicorn", round=2), None, None, died="killed by signal 9")
    return windows


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return verdict_of(spoiled_run(), problems=["windows.jsonl line 7 is damaged: skipped"])


def on_terminal(verdict: Verdict, width: int = 100, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="truecolor" if colour else None
    )
    terminal.render(verdict, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def all_renderings(verdict: Verdict, manifest: Manifest) -> list[str]:
    return [on_terminal(verdict), markdown.render(verdict, manifest), html.render(verdict, manifest)]


class TestWords:
    @pytest.mark.parametrize(
        ("figure", "said"),
        [
            (Interval(24.11, 23.8, 24.6), "24.1 ms (23.8–24.6)"),
            (Interval(2400.0, 2300.0, 2600.0), "2.4 s (2.3–2.6)"),
            (Interval(983.0, 870.0, 1200.0), "983 ms (870–1200)"),
            (Interval(999.7), "1.0 s"),
            (Interval(10_000.0, 10_000.0, None, censored=True), "> 10 s"),
            (Interval(6_400.0, 5_000.0, None, censored=True), "> 6.4 s"),
            (Interval(0.284), "0.28 ms"),
            (Interval(2.414), "2.41 ms"),
            (None, "—"),
        ],
    )
    def test_durations(self, figure: Interval | None, said: str) -> None:
        assert words.full_duration(figure) == said

    @pytest.mark.parametrize(
        ("figure", "said"),
        [
            (Interval(0.0, 0.0, 0.002), "0 % (0–0.2)"),
            (Interval(0.574, 0.56, 0.59), "57 % (56–59)"),
            (Interval(0.0004), "0.04 %"),
            (None, "—"),
        ],
    )
    def test_percentages(self, figure: Interval | None, said: str) -> None:
        assert METRICS["failed_ratio"].full(figure) == said

    @pytest.mark.parametrize(
        ("figure", "said"),
        [
            (Interval(1.3, 1.2, 1.45), "1.30 (1.20–1.45)"),
            (Interval(410.0, 350.0, None, censored=True), "at least 410"),
            (Interval(0.02, None, 0.03, censored=True), "at most 0.02"),
            (Interval(410.0, censored=True), "at least 410"),
            (Interval(0.02, censored=True), "at most 0.02"),
            (None, "—"),
        ],
    )
    def test_ratios(self, figure: Interval | None, said: str) -> None:
        assert words.full_ratio(figure) == said

    def test_lists(self) -> None:
        assert [words.listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


class TestAll:
    def test_hold_every_server_verdict_claim_void_window_and_problem(self, verdict: Verdict) -> None:
        for text in all_renderings(verdict, MANIFEST):
            plain = " ".join(re.sub(r"<[^>]+>", " ", text.replace("&gt;", ">").replace("&#39;", "'")).split())
            for row in verdict.servers:
                assert row.server in plain
            for claim in verdict.claims:
                assert claim.text in plain
                assert claim.result in plain
            assert "k6 fell behind its schedule by 2000 ms" in plain
            assert "windows.jsonl line 7 is damaged" in plain
            assert "died in 1 window of 3: killed by signal 9" in plain
            assert "> 10 s" in plain

    def test_count_the_claims_about_servers_that_are_not_in_the_run(self) -> None:
        alone = verdict_of([window("gunicorn", 250.0, number) for number in (1, 2, 3)], servers=[])
        for text in all_renderings(alone, MANIFEST):
            plain = " ".join(text.split())
            needed = "dev, uwsgi, uwsgi-single and gunicorn-gthread"
            assert f"7 more cannot be judged: they need {needed} in the same run." in plain
            assert "Gunicorn with several workers handles requests in parallel." in plain
            assert "was not measured in this run" not in plain

    def test_are_the_same_bytes_for_the_same_input(self, verdict: Verdict) -> None:
        again = verdict_of(spoiled_run(), problems=verdict.problems)
        assert all_renderings(again, described(**SAID)) == all_renderings(verdict, MANIFEST)

    @pytest.mark.parametrize(
        "windows",
        [
            [],
            [window("uwsgi")],
            [replace(each, void=VOID) for each in story(rounds=1)],
            [Window(plan("dev"), None, None, died="gone")],
            [replace(each, usage=None) for each in story(rounds=2)],
        ],
        ids=["nothing", "one window", "all void", "dead at once", "no usage"],
    )
    def test_work_for_poor_runs_too(self, windows: list[Window]) -> None:
        for text in all_renderings(verdict_of(windows), Manifest()):
            assert "uwsgi" in text

    @pytest.mark.parametrize(("rounds", "shown"), [(1, False), (3, True)])
    def test_speak_of_intervals_only_where_some_are_shown(self, rounds: int, shown: bool) -> None:
        printed, pasted, page = all_renderings(verdict_of(story(rounds), rounds=rounds), MANIFEST)
        assert ("Below each figure its 95 % interval" in printed) is shown
        assert ("In parentheses: 95 % intervals" in pasted) is shown
        assert ("Figures in parentheses are 95&nbsp;% intervals" in page) is shown
        assert ("Whiskers are 95&nbsp;% intervals" in page) is shown

    def test_say_nothing_that_is_not_in_the_verdict(self, verdict: Verdict) -> None:
        """Change one figure, and each rendering shows the changed one."""
        others, uwsgi = verdict.servers[:-1], verdict.servers[-1]
        odd = {**uwsgi.loads[0].figures, "p99_ms": Interval(77.7, 66.6, 88.8)}
        loads = (replace(uwsgi.loads[0], figures=odd), *uwsgi.loads[1:])
        changed = replace(verdict, servers=(*others, replace(uwsgi, loads=loads)))
        for before, after in zip(all_renderings(verdict, MANIFEST), all_renderings(changed, MANIFEST), strict=True):
            assert "77.7 ms" not in before
            assert "77.7 ms" in after
            assert "66.6–88.8" in after


class TestFirst:
    def test_comes_what_to_use_and_why_then_the_servers(self, verdict: Verdict) -> None:
        terms, marked, page = all_renderings(verdict, MANIFEST)
        use = verdict.answer[0]
        assert terms.index(use) < terms.index("100 rps offered") < terms.index("The lesson's claims")
        assert marked.index(f"**{use}**") < marked.index("## 100 rps offered")
        headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
        assert headings == [
            use,
            "The lesson's table, measured",
            "What load does to latency",
            "What a server costs",
            "The lesson's claims",
            "Void windows",
            "All figures",
            "Method",
            "Machine and settings",
        ]

    def test_what_is_wrong_with_the_data_is_seen_at_once(self, verdict: Verdict) -> None:
        page = html.render(verdict, MANIFEST)
        assert page.index("windows.jsonl line 7 is damaged") < page.index("The lesson's table")

    def test_without_a_valid_window_the_page_says_that_there_is_no_answer(self) -> None:
        page = html.render(verdict_of([replace(each, void=VOID) for each in story(rounds=1)]), Manifest())
        assert "No window was valid: there is no answer." in page


class TestTerminal:
    def test_fits_100_columns_with_eleven_servers_and_long_names(self) -> None:
        windows = story(rounds=2)
        names = ["gunicorn-gthread", "gunicorn-gevent", "gunicorn-nginx", "uwsgi-http", "waitress", "granian"]
        windows += [replace(each, plan=replace(each.plan, server=name)) for name in names for each in windows[:1]]
        windows[0] = replace(windows[0], void="spoiled")
        text = on_terminal(verdict_of(windows))
        assert max(len(line.rstrip()) for line in text.splitlines()) <= 100
        assert "…" not in text

    def test_is_readable_without_colour(self, verdict: Verdict) -> None:
        text = on_terminal(verdict)
        assert "\x1b" not in text
        assert re.search(r"uwsgi-single +3\.9 s +> 10 s +> 10 s +44 rps +42 % .* bad", text)
        assert "\x1b[" in on_terminal(verdict, colour=True)

    @pytest.mark.parametrize(
        ("width", "there", "gone"),
        [(100, "p95", ""), (80, "Memory", "p95"), (60, "Served", "p95, Memory and Failed")],
    )
    def test_leaves_out_whole_columns_where_there_is_no_room(
        self, verdict: Verdict, width: int, there: str, gone: str
    ) -> None:
        text = on_terminal(verdict, width)
        assert max(len(line.rstrip()) for line in text.splitlines()) <= width
        assert "…" not in text
        assert there in text
        assert ("No room for" in text) == bool(gone)
        assert f"No room for {gone}: see report.html." in " ".join(text.split()) or not gone

    def test_fits_a_search_with_the_longest_words_too(self) -> None:
        longest: Json = {"limited_by": "neither slots nor CPU", "slots_allow_rps": 12345.0, "cpu_allows_rps": 12345.0}
        longest |= {"server": "gunicorn-gthread", "capacity_rps": Interval(12345.0, 12300.0, 12400.0, censored=True)}
        searched = verdict_of(story(rounds=1), command="capacity", goal=Goal())
        text = on_terminal(replace(searched, servers=tuple(replace(row, **longest) for row in searched.servers)))
        assert max(len(line.rstrip()) for line in text.splitlines()) <= 100
        assert "…" not in text
        assert "neither slots nor CPU" in text

    def test_has_an_interval_below_each_figure(self, verdict: Verdict) -> None:
        lines = on_terminal(verdict).splitlines()
        below = lines[next(number for number, line in enumerate(lines) if line.startswith("uwsgi ")) + 1]
        assert len(re.findall(r"[\d.]+–[\d.]+", below)) == len(shown(Place.COLUMN))


class TestMarkdown:
    def test_fits_a_pull_request_comment(self, verdict: Verdict) -> None:
        assert len(markdown.render(verdict, MANIFEST)) < 65_536

    def test_tables_have_as_many_cells_in_every_row(self, verdict: Verdict) -> None:
        blocks = re.findall(r"(?:^\|.*\|\n)+", markdown.render(verdict, MANIFEST), re.MULTILINE)
        assert len(blocks) == 4
        for block in blocks:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1

    def test_text_from_elsewhere_breaks_neither_table_nor_page(self) -> None:
        windows = [replace(window("uwsgi"), void="odd | <b>reason</b>\nsecond line")]
        text = markdown.render(verdict_of(windows), Manifest(engine_why="a | b <script>"))
        assert "- uwsgi, 100 rps, round 1: odd \\| &lt;b&gt;reason&lt;/b&gt; second line" in text
        assert "a \\| b &lt;script&gt;" in text


class Page(HTMLParser):
    """Checks that every element is closed where it should be, and gathers what a browser would fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        self.ids += [str(value) for name, value in attrs if name == "id"]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in ELEMENTS_WITHOUT_END:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text(verdict: Verdict) -> str:
    return html.render(verdict, MANIFEST)


class TestHtml:
    def test_needs_no_network_and_no_script(self, text: str) -> None:
        page = Page(text)
        assert page.addresses == []
        assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
        assert "url(" not in text
        assert "@import" not in text

    def test_is_well_formed_with_unique_ids_and_one_first_heading(self, text: str) -> None:
        page = Page(text)
        assert len(page.ids) == len(set(page.ids))
        assert page.tags.count("h1") == 1
        assert set(re.findall(r'aria-labelledby="([^"]+)"', text)) <= set(page.ids)

    def test_is_small_even_with_eleven_servers_and_six_rates(self) -> None:
        many = [
            replace(each, plan=replace(each.plan, server=f"{each.plan.server}{copy}"))
            for each in story(rates=(20.0, 40.0, 60.0, 80.0, 100.0, 120.0))
            for copy in ("", "-x", "-y")
        ]
        assert len(html.render(verdict_of(many), MANIFEST).encode()) <= 400_000

    def test_charts_are_named_and_described_for_screen_readers(self, text: str) -> None:
        charts = re.findall(r'<svg class="chart"[^>]*role="img" aria-label="([^"]+)"><desc>([^<]+)</desc>', text)
        assert {name for name, _ in charts} >= {
            "p99 response time against offered rate",
            "CPU per request at 100 rps",
            "Memory at 100 rps",
        }
        assert any("uwsgi: 100 24.8 ms (24.1–25.5)" in description for _, description in charts)

    def test_has_the_lessons_columns(self, text: str) -> None:
        titles = re.findall(r'role="columnheader">([^<]+)<', text)
        assert titles == ["Pattern", "At once", "Request latency", "Resource use", "Verdict"]

    def test_is_made_for_dark_light_and_paper(self, text: str) -> None:
        assert "prefers-color-scheme: dark" in text
        assert "size: A4" in text

    def test_text_from_elsewhere_stays_text(self) -> None:
        evil = "<script>alert(1)</script>"
        windows = [replace(window("uwsgi"), void=evil), replace(window("uwsgi"), plan=plan(evil))]
        text = html.render(
            verdict_of(windows, workload=evil, problems=[evil]), Manifest(engine_why=evil, host={"os": evil})
        )
        assert evil not in text
        Page(text)

    def test_nothing_is_drawn_outside_its_chart(self, text: str) -> None:
        for chart in re.findall(r'<svg class="chart".*?</svg>', text, re.DOTALL):
            width, height = (float(number) for number in re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', chart)[0])
            for x, y in re.findall(r"translate\(([-\d.]+) ([-\d.]+)\)", chart):
                assert 0 <= float(x) <= width
                assert 0 <= float(y) <= height


def numbers(chart: str, pattern: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, chart)]


class TestCharts:
    LOOK = colours.looks(["gunicorn"], [])["gunicorn"]

    def chart(self, *figures: Interval | None, at: list[float] | None = None, **more: Any) -> str:
        labels = [f"{value:g}" for value in at] if at else [str(number) for number in range(len(figures))]
        return latency_chart("a title", Across(labels, "x", at), [Series("gunicorn", self.LOOK, figures)], **more)

    def test_an_interval_of_hours_leaves_the_figures_readable(self) -> None:
        plain = self.chart(Interval(30.0), Interval(560.0))
        wide = self.chart(Interval(30.0), Interval(560.0, 0.02, 9e6))
        heights = [numbers(each, r'class="mark" transform="translate\([\d.]+ ([\d.]+)') for each in (plain, wide)]
        assert abs(heights[1][0] - heights[1][1]) > abs(heights[0][0] - heights[0][1]) / 2

    def test_an_end_beyond_the_picture_has_no_bar(self) -> None:
        (inside,) = re.findall(r'class="whisker" d="([^"]+)"', self.chart(Interval(30.0, 20.0, 40.0), Interval(31.0)))
        (beyond,) = re.findall(r'class="whisker" d="([^"]+)"', self.chart(Interval(30.0, 20.0, 9e6), Interval(31.0)))
        assert inside.count("h6") == 2
        assert beyond.count("h6") == 1

    @pytest.mark.parametrize("high", [40.0, 400.0, 40_000.0, 100_000.0])
    def test_figures_of_an_axis_do_not_touch(self, high: float) -> None:
        chart = self.chart(Interval(0.9), Interval(high), bound_ms=250.0)
        heights = numbers(chart, r'class="tick" x="44" y="([\d.]+)" text-anchor="end"')
        assert len(heights) >= 3
        assert min(abs(a - b) for a, b in pairwise(heights)) >= 11

    def test_offered_rates_stand_where_their_size_puts_them(self) -> None:
        chart = self.chart(*map(Interval, (30.0, 31.0, 32.0)), at=[50.0, 100.0, 400.0])
        low, middle, high = numbers(
            chart, r'class="mark" transform="translate\(([\d.]+) [\d.]+\)" d="[^"]+" fill="[^"]+"><'
        )
        assert (high - middle) / (middle - low) == pytest.approx(2.0, abs=0.05), "twice and four times as much"

    def test_a_single_rate_is_drawn_too(self) -> None:
        assert numbers(self.chart(Interval(30.0), at=[100.0]), r"translate\(([\d.]+)")

    def test_bars_of_servers_that_cost_nothing_measurable_are_drawn_too(self) -> None:
        assert "0.00 ms" in bar_chart("a title", [Bar("gunicorn", self.LOOK, Interval(0.0), "0.00 ms")])

    def test_a_long_name_is_shortened_in_the_picture_and_whole_in_its_words(self) -> None:
        name = "a-variant-with-a-name-as-long-as-allowed"
        across = Across(["p50"], "percentile")
        chart = latency_chart("a title", across, [Series(name, self.LOOK, [Interval(30.0)])])
        assert ">a-variant-with-…</text>" in chart
        assert f"<desc>{name}: p50 30.0 ms</desc>" in chart


class TestColours:
    SHIPPED = tuple(
        ServerEntry(server.name, colour=server.colour, marker=server.marker)
        for server in load_lab(ROOT, {}).servers.values()
    )

    def test_a_server_keeps_its_look_whoever_else_was_measured(self) -> None:
        alone = colours.looks(["uwsgi"], self.SHIPPED)
        assert alone["uwsgi"] == colours.looks(["mine", "dev", "uwsgi"], self.SHIPPED)["uwsgi"]
        assert alone["uwsgi"] == colours.Look("#009E73", colours.MARKERS["triangle-down"])

    def test_no_two_servers_look_alike(self) -> None:
        names = [*(entry.name for entry in self.SHIPPED), "twin", "eight", "mine"]
        looks = colours.looks(names, self.SHIPPED)
        assert len({look.colour for look in looks.values()}) == len(names)

    def test_a_spare_colour_that_a_server_has_is_no_longer_spare(self) -> None:
        looks = colours.looks(["mine", "twin"], [ServerEntry("mine", colour=colours.SPARE[0])])
        assert looks["mine"].colour == colours.SPARE[0] != looks["twin"].colour

    @pytest.mark.parametrize("colour", ["red", "#12345", '#123456"/><script>', None])
    def test_what_is_no_colour_is_not_drawn(self, colour: str | None) -> None:
        assert colours.looks(["dev"], [ServerEntry("dev", colour=colour)])["dev"].colour in colours.SPARE


def test_verdict_json_holds_all_that_a_report_may_show(verdict: Verdict) -> None:
    kept = verdict.to_json()
    row, load = kept["servers"][0], kept["servers"][0]["loads"][0]
    pairs: list[tuple[Any, Json]] = [
        (verdict, kept),
        (verdict.servers[0], row),
        (verdict.servers[0].loads[0], load),
        (verdict.comparisons[0], kept["comparisons"][0]),
        (verdict.claims[0], kept["claims"][0]),
        (verdict.void_windows[0], kept["void_windows"][0]),
        (verdict.windows[0], kept["windows"][0]),
    ]
    for record, written in pairs:
        names = {KEYS.get(field.name, field.name) for field in fields(record)}
        assert names - {"figures", "needs"} <= written.keys()
    assert {*FIGURES} <= load.keys()
    assert {metric.key for metric in shown(Place.WINDOW)} == kept["windows"][0]["figures"].keys()


def test_every_report_of_a_search_says_what_is_not_the_servers() -> None:
    searched = verdict_of(story(rounds=1), command="capacity", goal=Goal())
    known = replace(searched, floor=(Floor(128.0, {"p50_ms": 0.4, "p99_ms": 1.2}),))
    said = "k6, the connection and this machine take about this much: p50 0.40 ms and p99 1.20 ms at 128 rps."
    for rendered in all_renderings(known, Manifest()):
        assert said in " ".join(rendered.split())
    for rendered in all_renderings(searched, Manifest()):
        assert "Of every response time" not in rendered


def test_every_report_says_how_far_the_load_was_from_the_servers() -> None:
    floor = (Floor(100.0, {"p50_ms": 0.7, "p99_ms": 1.9}),)
    far = replace(analyse(story(), RUN), floor=floor, paths_ms={"load-1": 0.31, "load-2": 12.5})
    for rendered in all_renderings(far, Manifest()):
        text = " ".join(rendered.split())
        assert "k6, the connection, the network and both machines take about this much: p50 0.70 ms" in text
        assert " machine takes 0.31 ms from load-1 and 12.5 ms from load-2." in text


def test_a_reason_that_is_a_question_ends_as_one() -> None:
    asked = [replace(row, why="does it call itself?") for row in analyse(story(), RUN).servers]
    report = markdown.render(replace(analyse(story(), RUN), servers=tuple(asked)), Manifest())
    assert "does it call itself?\n" in report
