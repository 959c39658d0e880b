"""Response time against offered rate: where each server's knee is, as a sweep over rates finds it."""

from __future__ import annotations

from blocks import (
    LOG,
    PROMETHEUS,
    SLO_SECONDS,
    as_dashed_line,
    dashboard,
    dashed_line_at,
    in_server_colors,
    last_value,
    latest,
    legend_below,
    lines,
    load_strip,
    query,
)
from grafana_foundation_sdk.builders import bargauge, text, timeseries, trend
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

RATE = "rate\\server"
"""How Grafana names the first column of a table with a row for each rate and a column for each server."""


def capacity() -> Dashboard:
    """The page of a sweep."""
    return (
        dashboard("Capacity", "Response time against offered rate: how much each server carries before it queues.")
        .time("now-15m", "now")
        .with_panel(load_strip())
        .with_panel(_p99_by_rate())
        .with_panel(_goodput_by_rate())
        .with_panel(_kept())
        .with_panel(_knee())
        .with_panel(_reading())
        .with_panel(_offered())
        .with_panel(_burn())
    )


def _p99_by_rate() -> trend.Panel:
    return (
        _by_rate(
            "p99 against offered rate",
            "One point for each rate that a server was asked for in the time range shown: the p99 of the last seconds "
            "of its last window. Flat, then a wall: the knee is where the line crosses the dashed SLO of 250 ms. Log "
            "scale. Points appear as a sweep runs.",
            unit="s",
        )
        .scale_distribution(LOG)
        .thresholds(dashed_line_at(SLO_SECONDS))
        .thresholds_style(as_dashed_line())
        .with_target(latest("server_rate:response_time_seconds:p99", by="server, rate"))
    )


def _goodput_by_rate() -> trend.Panel:
    return (
        _by_rate(
            "Served against offered rate",
            "Good answers per second, the mean over the windows at that rate. As long as a server keeps up, it lies on "
            "the diagonal. Where it bends away and stays level is all that the server has; where it falls again, the "
            "server spends its time on requests that nobody waits for any more.",
            unit="reqps",
        )
        .min(0)
        .with_target(latest("server_rate:goodput:rate", over="avg", by="server, rate"))
    )


def _by_rate(title: str, description: str, *, unit: str) -> trend.Panel:
    panel = (
        trend.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .height(12)
        .span(12)
        .unit(unit)
        .x_field(RATE)
        .line_width(2)
        .fill_opacity(0)
        .show_points(common.VisibilityMode.ALWAYS)
        .point_size(8)
        # Servers need not have been asked for the same rates.
        .span_nulls(True)
        .legend(legend_below())
        .override_by_name(RATE, [])
    )
    # k6's tag is text; as numbers they sort and scale, and each server becomes a column. The matrix makes text of its
    # first column again.
    matrix = {"columnField": "server", "rowField": "rate", "valueField": "Value", "emptyValue": "null"}
    for name, options in (
        ("convertFieldType", _as_number("rate")),
        ("sortBy", {"sort": [{"field": "rate"}]}),
        ("groupingToMatrix", matrix),
        ("convertFieldType", _as_number(RATE)),
    ):
        panel.with_transformation(DataTransformerConfig(id_val=name, options=options))
    return in_server_colors(panel)


def _as_number(field: str) -> dict[str, object]:
    return {"conversions": [{"targetField": field, "destinationType": "number"}], "fields": {}}


def _kept() -> bargauge.Panel:
    return _bars(
        "Highest rate that kept the SLO so far",
        "Of the rates that a server was asked for in the time range shown, the highest whose last window ended "
        "with p99 < 250 ms and at most 1 % failed or dropped: the knee lies between this and the next rate. 0: "
        "it kept none. A search for the capacity itself, with an interval, is what a run's report is for.",
        "server_rate:slo_kept:rate",
    )


def _knee() -> bargauge.Panel:
    return _bars(
        "Where the knee must be",
        "What a server can do at most, whatever was asked of it: slots ÷ time in the app, or CPUs ÷ CPU time per "
        "request, whichever is lower, as of its last load. Known from the first window on. A server that missed the "
        "SLO far below it is held back by something else: a backlog, a proxy, a lock.",
        "server:knee:rate",
    )


def _bars(title: str, description: str, series: str) -> bargauge.Panel:
    panel = (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .height(9)
        .span(8)
        .unit("reqps")
        .decimals(0)
        .min(0)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .reduce_options(last_value().calcs(["max"]))
        .with_target(latest(series).format(PromQueryFormat.TIME_SERIES).legend_format("{{server}}"))
    )
    return in_server_colors(panel)


def _reading() -> text.Panel:
    return (
        text.Panel()
        .title("How to read it")
        .height(9)
        .span(8)
        .mode(TextMode.MARKDOWN)
        .content(
            "A server with *s* slots and a service time of *t* seconds serves at most **s / t** requests per second."
            "\n\n"
            "Four sync workers and 22 ms: about 180 per second. More than that, and a queue grows as long as the load "
            "lasts. The CPUs have such a limit too: **CPUs / CPU time per request**. The lower one is the knee.\n\n"
            "To fill this page: `./lab capacity --prometheus`, or `./lab run --prometheus --rate 25,50,100,200`"
        )
    )


def _offered() -> timeseries.Panel:
    return (
        lines(
            "Offered rate, and the knee",
            "The steps of the sweep: requests per second that the schedule asks for, whatever the server does. Dashed: "
            "what the server can do at most. A step above the dashed line is one that it cannot carry.",
            unit="reqps",
            span=12,
        )
        .min(0)
        .with_target(query("server:offered:rate"))
        .with_target(query("server:knee:rate", "knee"))
    )


def _burn() -> timeseries.Panel:
    return (
        lines(
            "Error budget burn",
            "1: exactly 1 request in 100 is slower than 250 ms, fails or is dropped. 100: all of them. A step of the "
            "sweep that a server carries stays near 0.",
            unit="suffix: ×",
            span=12,
        )
        .min(0)
        .with_target(query("server:slo_burn:ratio"))
    )
