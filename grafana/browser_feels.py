"""What a browser feels, with each server, under load and idle: for `./lab vitals --prometheus`."""

from __future__ import annotations

from blocks import PROMETHEUS, dashboard, latest, lines, load_strip, query
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

WIRINGS = ("full page load", "feedback first", "nothing until answer", "blocking")
"""The lab's own page has a button for each; tests/unit/grafana holds them against the runner's list."""
COLUMNS = [("INP", "browser:inp_seconds:p75"), ("Click to content", "browser:content_seconds:p75")]


def browser_feels() -> Dashboard:
    """The page of what a browser feels."""
    page = (
        dashboard("What the browser feels", "Clicks of a real browser on each server: ./lab vitals --prometheus.")
        .with_panel(load_strip())
        .with_row(Row("Interaction to next paint: until the browser paints anything"))
    )
    for wiring in WIRINGS:
        page = page.with_panel(_of_a_click(f"INP: {wiring}", "inp", wiring, _INP))
    page = page.with_row(Row("Click to content: until what was asked for is on the screen"))
    for wiring in WIRINGS:
        page = page.with_panel(_of_a_click(f"To content: {wiring}", "content", wiring, _CONTENT))
    return (
        page.with_row(Row("Page loads"))
        .with_panel(_of_a_page("TTFB", "ttfb", _TTFB))
        .with_panel(_of_a_page("FCP", "fcp", _FCP))
        .with_panel(_of_a_page("LCP", "lcp", _LCP))
        .with_row(Row("Every button"))
        .with_panel(_every_button())
    )


_BLOCK = "75th percentile of the latest block of clicks. Dashed: while nobody else asked the server for anything."
_INP = f"Up to 200 ms is good, above 500 ms poor; browsers report nothing below 16 ms. {_BLOCK}"
_CONTENT = f"It follows the server however the button is wired; Web Vitals have no name for it. {_BLOCK}"
_TTFB = f"From the start of a page load until its first byte. Up to 800 ms is good, above 1.8 s poor. {_BLOCK}"
_FCP = f"From the start of a page load until anything is shown. Up to 1.8 s is good, above 3 s poor. {_BLOCK}"
_LCP = f"From the start of a page load until its largest part is shown. Up to 2.5 s is good, above 4 s poor. {_BLOCK}"


def _of_a_click(title: str, vital: str, wiring: str, description: str) -> timeseries.Panel:
    return _two_loads(title, vital, f'wiring="{wiring}", ', description, span=6)


def _of_a_page(title: str, vital: str, description: str) -> timeseries.Panel:
    return _two_loads(title, vital, "", description, span=8)


def _two_loads(title: str, vital: str, which: str, description: str, span: int) -> timeseries.Panel:
    series = f"browser:{vital}_seconds:p75"
    return (
        lines(title, description, unit="s", span=span, height=8)
        .min(0)
        .with_target(query(f'{series}{{{which}load!="0"}}'))
        .with_target(query(f'{series}{{{which}load="0"}}', "idle"))
    )


def _every_button() -> table.Panel:
    panel = (
        table.Panel()
        .title("Latest block of each button")
        .description(
            "The last figures in the time range shown: 75th percentiles of a block of clicks, for each server, load "
            "(requests per second of others; 0 is none) and button, those of an app of yours too. The verdict of the "
            "run, with its intervals over rounds, has the numbers to quote."
        )
        .datasource(PROMETHEUS)
        .height(10)
        .span(24)
        .unit("none")
        .sort_by([common_builders.TableSortByFieldState().display_name(COLUMNS[1][0]).desc(True)])
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(_columns_in_order())
    )
    for ref, (heading, series) in zip("AB", COLUMNS, strict=True):
        panel.with_target(latest(series, by="server, load, wiring").ref_id(ref))
        panel.override_by_name(heading, [DynamicConfigValue("unit", "s"), DynamicConfigValue("decimals", 3)])
    return panel


def _columns_in_order() -> DataTransformerConfig:
    labels = {"server": "Server", "load": "Others (rps)", "wiring": "Button"}
    values = {f"Value #{ref}": heading for ref, (heading, _) in zip("AB", COLUMNS, strict=True)}
    return DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": {"Time": True},
            "indexByName": {name: index for index, name in enumerate([*labels, *values])},
            "renameByName": {**labels, **values},
        },
    )
