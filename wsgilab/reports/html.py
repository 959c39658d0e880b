"""The verdict as one HTML file: no network, no script, light and dark, for a screen, a phone and a sheet of A4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from wsgilab.model import slo, words
from wsgilab.model.manifest import Manifest
from wsgilab.model.metrics import METRICS, TABLE, Place, shown
from wsgilab.model.outcomes import Finding, Rating
from wsgilab.model.verdict import Comparison, ServerRow, Verdict
from wsgilab.model.window_row import WindowRow
from wsgilab.reports import by_request, notes
from wsgilab.reports.bars import Bar, bar_chart
from wsgilab.reports.by_request import Listing
from wsgilab.reports.charts import Across, Series, latency_chart
from wsgilab.reports.colours import Look, looks
from wsgilab.reports.svg import NARROW, WIDE, swatch
from wsgilab.reports.timelines import timeline

HERE = Path(__file__).parent
MOST_DISTRIBUTIONS = 4
MOST_COMPARISONS = 240
"""Enough for the default run. More would fill the page before anybody reads it; verdict.json has all of them."""
MOST_WINDOWS, MOST_REMARKS = 240, 4
MOST_REQUESTS = 200
"""By name, at each rate; of more than FEW_REQUESTS the table is folded."""
FEW_REQUESTS = 24
PERCENTILES = [metric for metric in TABLE if metric.percentile is not None]
MARKS = {Rating.GOOD: "✓", Rating.BAD: "✕", Rating.INCONCLUSIVE: "?", Finding.HOLDS: "✓", Finding.DOES_NOT_HOLD: "✕"}
"""Next to the word: no rating is told by colour alone."""

BEST_FIRST = (Rating.GOOD, Rating.INCONCLUSIVE, Rating.BAD)


def render(verdict: Verdict, manifest: Manifest) -> str:
    """report.html, from the verdict and manifest.json; the same bytes for the same input."""
    look = looks([row.server for row in verdict.servers], manifest.servers)
    page = environment().get_template("report.html.j2")
    return page.render(
        verdict=verdict,
        started=minute(manifest.started_at),
        css=Markup((HERE / "report.css").read_text(encoding="utf-8")),
        swatches={name: swatch(look[name]) for name in look},
        decided=any(row.rating == Rating.GOOD for row in verdict.servers),
        headline=_headline(verdict),
        latency=_latency_over_rates(verdict, look),
        distributions=_distributions(verdict, look),
        cost_charts=_cost_charts(verdict, look),
        requests=_requests(verdict),
        few_requests=FEW_REQUESTS,
        timelines=() if verdict.is_search else _timelines(verdict, look),
        windows=_worth_a_line(verdict),
        voids=verdict.void_windows[:MOST_WINDOWS],
        capacities=_capacities(verdict, look),
        comparisons=_comparisons(verdict),
        turns=notes.turns(verdict),
        turn_columns=notes.TURNS,
        not_asked=list(notes.not_asked(verdict)),
        connections=notes.connections(verdict),
        floor=notes.about_load(verdict),
        method=notes.method(verdict),
        facts=notes.facts(manifest),
        commands=notes.commands(manifest),
    )


def lesson_table(verdict: Verdict, manifest: Manifest) -> Markup:
    """The lesson's table alone, for another page that has the report's styles."""
    look = looks([row.server for row in verdict.servers], manifest.servers)
    table = environment().get_template("lesson_table.html.j2")
    return Markup(table.render(verdict=verdict, swatches={name: swatch(look[name]) for name in look}))


@cache
def environment() -> Environment:
    """The templates, and what all of them use."""
    made = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals |= {
        "words": words,
        "marks": MARKS,
        "metrics": METRICS,
        "columns": shown(Place.COLUMN),
        "costs": shown(Place.COST),
        "best": [metric.name for metric in TABLE if metric.best],
        "window_columns": shown(Place.WINDOW),
        "request_columns": by_request.COLUMNS,
    }
    return made


def minute(moment: object) -> str:
    """An ISO time as a person writes it, where it is one in UTC."""
    text = str(moment or "")
    return f"{text[:16].replace('T', ' ')} UTC" if text.endswith("+00:00") else text


def _headline(verdict: Verdict) -> list[tuple[float, list[tuple[Rating, list[str]]]]]:
    """For each rate: (rating, the servers that had it), the good ones first."""
    found = []
    for rate in verdict.rates_rps:
        ratings = {row.server: load.rating for row in verdict.servers if (load := row.at(rate))}
        groups = [(rating, [name for name in ratings if ratings[name] == rating]) for rating in BEST_FIRST]
        found.append((rate, [(rating, names) for rating, names in groups if names]))
    return found


def _latency_over_rates(verdict: Verdict, look: Mapping[str, Look]) -> tuple[Markup, Markup]:
    """The same chart for wide and for narrow screens; the page shows one of them."""
    shown = {row.server: _decided(verdict, row) for row in verdict.servers}
    rates = [rate for rate in verdict.rates_rps if any(rate in own for own in shown.values())]
    series = []
    for row in verdict.servers:
        loads = (row.at(rate) if rate in shown[row.server] else None for rate in rates)
        series.append(Series(row.server, look[row.server], [load["p99_ms"] if load else None for load in loads]))
    across = Across([f"{rate:g}" for rate in rates], "offered rate, rps", rates)
    title, bound_ms = "p99 response time against offered rate", dict(slo.parse(verdict.slo).terms).get("p99")
    wide, narrow = (latency_chart(title, across, series, bound_ms, width) for width in (WIDE, NARROW))
    return wide, narrow


def _decided(verdict: Verdict, row: ServerRow) -> set[float]:
    """The rates of a server that a chart may join by a line.

    In a search, near its end, a short window looks better than a long one at a lower rate: only long ones count there.
    """
    own = [window for window in verdict.windows if window.server == row.server]
    longest_s = max((window.duration_s for window in own), default=0.0)
    long = {window.rate_rps for window in own if window.duration_s == longest_s}
    if not verdict.is_search or not long:
        return {load.rate_rps for load in row.loads}
    return {load.rate_rps for load in row.loads if load.rate_rps in long or load.rate_rps < min(long)}


def _distributions(verdict: Verdict, look: Mapping[str, Look]) -> list[tuple[float, Markup]]:
    """(offered rate, chart of the percentiles) for each rate, or for a few from the lowest to the highest."""
    charts = []
    for rate in _spread(verdict.rates_rps, MOST_DISTRIBUTIONS):
        loads = [(row.server, load) for row in verdict.servers if (load := row.at(rate))]
        series = [Series(name, look[name], [load[metric.key] for metric in PERCENTILES]) for name, load in loads]
        across = Across([metric.label for metric in PERCENTILES], "percentile of scheduled requests")
        charts.append((rate, latency_chart(f"Response time by percentile at {words.rps(rate)}", across, series)))
    return charts


def _spread(rates: Sequence[float], most: int) -> list[float]:
    if len(rates) <= most:
        return list(rates)
    return [rates[round(number * (len(rates) - 1) / (most - 1))] for number in range(most)]


def _cost_charts(verdict: Verdict, look: Mapping[str, Look]) -> list[tuple[str, Markup]]:
    """(title, bars) of each cost at the lowest rate, where most servers still keep up."""
    if not verdict.rates_rps:
        return []
    rate = verdict.rates_rps[0]
    loads = [(row.server, load) for row in verdict.servers if (load := row.at(rate))]
    charts = []
    for metric in shown(Place.COST):
        figures = [(name, load[metric.key]) for name, load in loads]
        title = f"{metric.label} at {words.rps(rate)}"
        bars = [Bar(name, look[name], figure, metric.full(figure)) for name, figure in figures]
        charts.append((title, bar_chart(title, bars)))
    return [(title, chart) for title, chart in charts if chart]


def _requests(verdict: Verdict) -> list[Listing]:
    """One listing for each rate that was given."""
    rates = () if verdict.is_search else verdict.rates_rps
    return [found for rate in rates if (found := by_request.listing(verdict, rate, MOST_REQUESTS))]


def _timelines(verdict: Verdict, look: Mapping[str, Look]) -> list[tuple[str, list[tuple[float, Markup, list[str]]]]]:
    """For each server: (rate, chart, remarks) of a few rates, from the lowest to the highest."""
    rates = _spread(verdict.rates_rps, MOST_DISTRIBUTIONS)
    found = []
    for row in verdict.servers:
        cells = []
        for rate in rates:
            own = [window for window in verdict.windows if (window.server, window.rate_rps) == (row.server, rate)]
            windows = [window for window in own if not window.turns_with]
            remarks = [f"round {window.round}: {remark}" for window in windows for remark in window.remarks]
            cells.append((rate, timeline(row.server, rate, look[row.server], windows), remarks[:MOST_REMARKS]))
        if any(chart for _, chart, _ in cells):
            found.append((row.server, cells))
    return found


def _worth_a_line(verdict: Verdict) -> list[WindowRow]:
    """Every window; of a long run, those with something to say besides figures."""
    if len(verdict.windows) <= MOST_WINDOWS:
        return list(verdict.windows)
    return [window for window in verdict.windows if window.remarks][:MOST_WINDOWS]


def _capacities(verdict: Verdict, look: Mapping[str, Look]) -> Markup:
    """Bars of the highest rates that kept the SLO, from a search."""
    bars = []
    for row in verdict.servers:
        bars.append(Bar(row.server, look[row.server], row.capacity_rps, METRICS["capacity_rps"].full(row.capacity_rps)))
    return bar_chart(f"Highest offered rate that keeps {verdict.slo}", bars)


def _comparisons(verdict: Verdict) -> list[tuple[Comparison, str]]:
    """(comparison, its ratio in words) by what tells servers apart first; in long runs, at the highest rate."""
    asked = [comparison for comparison in verdict.comparisons if METRICS[comparison.metric].best]
    if len(asked) > MOST_COMPARISONS:
        asked = [comparison for comparison in asked if comparison.rate_rps == asked[-1].rate_rps][:MOST_COMPARISONS]
    return [(comparison, words.full_ratio(comparison.ratio)) for comparison in asked]
