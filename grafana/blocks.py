"""What every dashboard is made of: lines, strips, numbers, and how they name Prometheus's series."""

from __future__ import annotations

from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, prometheus, stat, statetimeline, timeseries, trend
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DynamicConfigValue,
    FieldColorModeId,
    MatcherConfig,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from palette import SERVER_COLORS, STATE_COLORS

PROMETHEUS = common.DataSourceRef(type_val="prometheus", uid="prometheus")
TAG = "wsgilab"
SLO_SECONDS = 0.25
SERIES_PER_SECOND = "1s"
LOG = common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10)

# A panel's second series for a server is named "SERVER · what" and drawn dashed.
SECOND = " · "

P = TypeVar("P", bargauge.Panel, timeseries.Panel, trend.Panel)


def dashboard(title: str, description: str) -> Dashboard:
    """An empty dashboard, read-only and linked to the others; its uid is its title in lower case with dashes."""
    return (
        Dashboard(title)
        .uid(title.lower().replace(" ", "-"))
        .description(description)
        .tags([TAG])
        .link(
            DashboardLink("Dashboards")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
        .readonly()
        .time("now-5m", "now")
        # Grafana shares its CPUs with the load generator: not oftener than a window needs to be seen.
        .refresh("5s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
    )


# ── which window is which ───────────────────────────────────────────────────────────────────────────────────


def load_strip(selector: str = "", *, height: int = 8) -> statetimeline.Panel:
    """The windows of a run as a strip of one row per server, or of the servers that `selector` picks."""
    states = {-1: "down", 0: "idle", 1: "warm-up", 2: "measured"}
    options = {
        str(value): ValueMappingResult(text=state, color=STATE_COLORS[state], index=index)
        for index, (value, state) in enumerate(states.items())
    }
    return (
        statetimeline.Panel()
        .title("Which server is under load" if not selector else "When $server was under load")
        .description(
            "One row per server, time to the right. The load visits one server at a time: yellow is a "
            "measured window, light grey the warm-up before it, which counts nowhere. Lines in the panels "
            "below belong to the server whose row is yellow at that time. Red: Prometheus gets no answer "
            "from that server's exporter."
        )
        .datasource(PROMETHEUS)
        .height(height)
        .span(24)
        .interval(SERIES_PER_SECOND)
        .unit("none")
        .mappings([ValueMap(options=options)])
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .row_height(0.9)
        .merge_values(True)
        .show_value(common.VisibilityMode.AUTO)
        .legend(common_builders.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM))
        .with_target(query(f"server:load_state{selector}"))
    )


# ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────


def lines(title: str, description: str, *, unit: str, span: int, height: int = 9) -> timeseries.Panel:
    """Lines, one colour per server, gaps left open: between its windows a server has no figures."""
    return dashed_second(in_server_colors(plain_lines(title, description, unit=unit, span=span, height=height)))


def plain_lines(title: str, description: str, *, unit: str, span: int, height: int = 9) -> timeseries.Panel:
    """Lines of something other than servers."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .height(height)
        .span(span)
        .unit(unit)
        .interval(SERIES_PER_SECOND)
        .line_width(2)
        .fill_opacity(0)
        # A window may be a few points long: a line alone could be missed.
        .show_points(common.VisibilityMode.AUTO)
        .span_nulls(False)
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
        .legend(legend_below())
    )


def legend_below() -> common_builders.VizLegendOptions:
    """Names in one line under the chart."""
    return (
        common_builders.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )


def in_server_colors(panel: P) -> P:
    """Each server's series, first and second, in its colour."""
    for server, color in SERVER_COLORS.items():
        panel.override_by_regexp(f"/^{server}({SECOND}.*)?$/", [fixed_color(color)])
    return panel


def dashed_second(panel: timeseries.Panel) -> timeseries.Panel:
    """The second series of each server dashed and thinner."""
    dashed = DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 8]})
    return panel.with_override(
        MatcherConfig(id_val="byRegexp", options=f"/{SECOND}/"), [dashed, DynamicConfigValue("custom.lineWidth", 1)]
    )


def fixed_color(color: str) -> DynamicConfigValue:
    """One colour, whatever the value."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})


def dashed_line_at(value: float) -> ThresholdsConfig:
    """A line at this value and no colour below it; goes with `as_dashed_line`."""
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color="transparent"), Threshold(value=value, color="#888888")])
    )


def as_dashed_line() -> common_builders.GraphThresholdsStyleConfig:
    """How a threshold is drawn."""
    return common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────


def number(title: str, description: str, series: str, *, unit: str, span: int) -> stat.Panel:
    """One figure in large print, with its course behind it."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .height(4)
        .span(span)
        .unit(unit)
        .interval(SERIES_PER_SECOND)
        .color_mode(common.BigValueColorMode.NONE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(last_value())
        .with_target(query(series))
    )


def last_value() -> common_builders.ReduceDataOptions:
    """Of a series, its newest value that is one."""
    return common_builders.ReduceDataOptions().calcs(["lastNotNull"])


# ── queries ─────────────────────────────────────────────────────────────────────────────────────────────────


def query(series: str, second: str = "", *, legend: str = "{{server}}") -> prometheus.Dataquery:
    """A recorded series over time."""
    return (
        prometheus.Dataquery()
        .datasource(PROMETHEUS)
        .expr(series)
        .legend_format(legend + (f"{SECOND}{second}" if second else ""))
        .range()
        .ref_id("B" if second else "A")
    )


def latest(series: str, over: str = "last", by: str = "server") -> prometheus.Dataquery:
    """A recorded series as a table: its last value in the time range shown, or its mean (`avg`), by these labels.

    `max by` picks the labels and nothing else: last_over_time keeps the series' name, which would be a column of the
    table and keep rows of different figures apart.
    """
    return (
        prometheus.Dataquery()
        .datasource(PROMETHEUS)
        .expr(f"max by ({by}) ({over}_over_time({series}[$__range]))")
        .format(PromQueryFormat.TABLE)
        .instant()
        .ref_id("A")
    )
