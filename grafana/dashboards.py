"""Builds the dashboards: `python grafana/dashboards.py` writes grafana/dashboards/*.json; commit them.

Panels name recorded series only: prometheus/rules.yaml computes every figure, so no expression is written
twice. The JSON is Grafana's classic format, which 12 and 13 both provision.
"""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import prometheus, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, FieldColor, Row, ThresholdsConfig
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    MatcherConfig,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from palette import SERVER_COLORS, STATE_COLORS

FOLDER = Path(__file__).parent / "dashboards"
PROMETHEUS = common.DataSourceRef(type_val="prometheus", uid="prometheus")
SLO_SECONDS = 0.25
SERIES_PER_SECOND = "1s"

# Beside a panel's first series per server, its second is named "SERVER · what" and drawn dashed.
SECOND = " · "


def main() -> None:
    """Writes every dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in render().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def render() -> dict[str, str]:
    """The text of every dashboard by file name."""
    return {"side-by-side.json": _json(side_by_side())}


def side_by_side() -> Dashboard:
    """The home page: every server's response times beside what they cost."""
    return (
        Dashboard("Side by side")
        .uid("side-by-side")
        .description("One app, served in different ways, under the same load: what clients see, what it costs.")
        .tags(["wsgilab"])
        .readonly()
        .time("now-5m", "now")
        # Grafana shares its CPUs with the load generator: not oftener than a window needs to be seen.
        .refresh("5s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_panel(_load_strip())
        .with_panel(_latest_values())
        .with_row(Row("What the client sees"))
        .with_panel(_quantile(50, "Half of the answers came faster: what most visitors feel."))
        .with_panel(_quantile(95, "One answer in 20 took longer: a page of 20 requests meets it every time."))
        .with_panel(_p99())
        .with_panel(_rates())
        .with_panel(_failures())
        .with_row(Row("What it costs"))
        .with_panel(_cpu_cores())
        .with_panel(_cpu_per_request())
        .with_panel(_memory())
        .with_row(Row("Where requests wait"))
        .with_panel(_in_flight())
        .with_panel(_listen_queue())
        .with_panel(_inside_the_app())
    )


# ── what is going on ────────────────────────────────────────────────────────────────────────────────────────


def _load_strip() -> statetimeline.Panel:
    states = {-1: "down", 0: "idle", 1: "warm-up", 2: "measured"}
    options = {
        str(value): ValueMappingResult(text=state, color=STATE_COLORS[state], index=index)
        for index, (value, state) in enumerate(states.items())
    }
    return (
        statetimeline.Panel()
        .title("Which server is under load")
        .description(
            "One row per server, time to the right. The load visits one server at a time: yellow is a "
            "measured window, light grey the warm-up before it, which counts nowhere. Lines in the panels "
            "below belong to the server whose row is yellow at that time. Red: Prometheus gets no answer "
            "from that server's exporter."
        )
        .datasource(PROMETHEUS)
        .height(8)
        .span(24)
        .interval(SERIES_PER_SECOND)
        .unit("none")
        .mappings([ValueMap(options=options)])
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .row_height(0.9)
        .merge_values(True)
        .show_value(common.VisibilityMode.AUTO)
        .legend(common_builders.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM))
        .with_target(_query("server:load_state"))
    )


# Heading, series and unit of each column of the table, in its order.
COLUMNS = [
    ("p50", "server:response_time_seconds:p50", "s"),
    ("p95", "server:response_time_seconds:p95", "s"),
    ("p99", "server:response_time_seconds:p99", "s"),
    ("Offered", "server:offered:rate", "reqps"),
    ("Served", "server:goodput:rate", "reqps"),
    ("Failed or dropped", "server:failed:ratio", "percentunit"),
    ("CPU per request", "server:cpu_seconds_per_request:ratio", "s"),
    ("Memory", "server:memory_pss_bytes", "bytes"),
]


def _latest_values() -> table.Panel:
    panel = (
        table.Panel()
        .title("Latest values, worst p99 first")
        .description(
            "The last value of each figure in the time range shown, so that servers whose window is over "
            "stay in the picture. They may stem from windows at different rates: compare rows with the "
            "same offered rate. Each is a 5 s view of one window; the verdict of a run, with its "
            "intervals, is the number to quote. CPU per request and memory include the share of nginx "
            "where a server stands behind it."
        )
        .datasource(PROMETHEUS)
        .height(9)
        .span(24)
        .unit("none")
        .sort_by([common_builders.TableSortByFieldState().display_name("p99").desc(True)])
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(_columns_in_order())
        .override_by_name("Server", [DynamicConfigValue("mappings", _server_mappings()), *_colored_text()])
    )
    for ref, (heading, series, unit) in zip("ABCDEFGH", COLUMNS, strict=True):
        # `unit` of a column; the panel's own is for the names.
        panel.with_target(_latest(series).ref_id(ref))
        panel.override_by_name(heading, [DynamicConfigValue("unit", unit), DynamicConfigValue("decimals", 2)])
    return panel


def _columns_in_order() -> DataTransformerConfig:
    values = {f"Value #{ref}": heading for ref, (heading, _, _) in zip("ABCDEFGH", COLUMNS, strict=True)}
    return DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": {"Time": True},
            "indexByName": {name: index for index, name in enumerate(["server", *values])},
            "renameByName": {"server": "Server", **values},
        },
    )


def _server_mappings() -> list[ValueMapping]:
    options = {
        server: ValueMappingResult(text=server, color=color, index=index)
        for index, (server, color) in enumerate(SERVER_COLORS.items())
    }
    return [ValueMap(options=options)]


def _colored_text() -> list[DynamicConfigValue]:
    return [DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"})]


# ── what the client sees ────────────────────────────────────────────────────────────────────────────────────


def _quantile(percentile: int, reading: str) -> timeseries.Panel:
    return (
        _lines(
            f"Response time, p{percentile}",
            f"{reading} As the client measures it, connecting included. Log scale: each grid line is ten "
            "times the one below. Requests that failed or were dropped have no response time: see those "
            "panels too.",
            unit="s",
            span=8,
        )
        .scale_distribution(common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10))
        .thresholds(_slo_threshold())
        .with_target(_query(f"server:response_time_seconds:p{percentile}"))
    )


def _p99() -> timeseries.Panel:
    reading = (
        "One answer in 100 took longer. The dashed line is the default SLO, 250 ms. A line that climbs "
        "steadily is a queue that grows: requests arrive faster than they are served."
    )
    dashed = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
    return _quantile(99, reading).thresholds_style(dashed)


def _rates() -> timeseries.Panel:
    return (
        _lines(
            "Offered and served rate",
            "Dashed: requests per second that the schedule asks for, whatever the server does. Solid: good "
            "answers (2xx) per second. Where the solid line stays below the dashed one, the server cannot "
            "keep up.",
            unit="reqps",
            span=12,
        )
        .min(0)
        .with_target(_query("server:goodput:rate"))
        .with_target(_query("server:offered:rate", second="offered"))
    )


def _failures() -> timeseries.Panel:
    return (
        _lines(
            "Failures and drops",
            "Solid: requests per second that were refused, reset, timed out or answered with an error. "
            "Dashed: requests that could not even be sent, because every virtual user was still waiting "
            "for an answer. Zero is good.",
            unit="reqps",
            span=12,
        )
        .min(0)
        .with_target(_query("server:failed:rate"))
        .with_target(_query("server:dropped:rate", second="dropped"))
    )


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────


def _cpu_cores() -> timeseries.Panel:
    return (
        _lines(
            "CPU",
            "Cores in use by the server's processes and its share of nginx. A server with one process of "
            "Python cannot pass 1, however many cores there are. Flat at its limit: CPU is the bottleneck. "
            "Low while response times are high: requests wait for a free worker, not for CPU.",
            unit="suffix: cores",
            span=8,
        )
        .min(0)
        .with_target(_query("server:cpu_cores:rate"))
    )


def _cpu_per_request() -> timeseries.Panel:
    return (
        _lines(
            "CPU time per request",
            "What one request costs, app and server together. The app costs the same everywhere, so the "
            "difference between two lines is the difference between two servers. It varies less between "
            "runs than any response time does.",
            unit="s",
            span=8,
        )
        .min(0)
        .with_target(_query("server:cpu_seconds_per_request:ratio"))
    )


def _memory() -> timeseries.Panel:
    return (
        _lines(
            "Memory",
            "Proportional set size: pages that forked workers share are counted once. Servers behind nginx "
            "include it. A line that climbs with every window is a leak; one that jumps is a worker more.",
            unit="bytes",
            span=8,
        )
        .min(0)
        .with_target(_query("server:memory_pss_bytes"))
    )


# ── where requests wait ─────────────────────────────────────────────────────────────────────────────────────


def _in_flight() -> timeseries.Panel:
    return (
        _lines(
            "Requests in flight",
            "Requests inside the app at this moment. A line that stays flat under rising load has reached "
            "the server's slots (workers x threads): everything else queues outside. The threaded dev "
            "server has no such limit.",
            unit="short",
            span=8,
        )
        .min(0)
        .with_target(_query("server:requests_in_flight"))
    )


def _listen_queue() -> timeseries.Panel:
    return (
        _lines(
            "Connections waiting to be accepted",
            "The queue in front of the workers. It is what a response time consists of once every slot is "
            "taken. When it is full, the kernel turns connections away, which only the client notices.",
            unit="short",
            span=8,
        )
        .min(0)
        .with_target(_query("server:listen_queue"))
    )


def _inside_the_app() -> timeseries.Panel:
    return (
        _lines(
            "Time inside the app",
            "Solid: p99, dashed: p50, as the app's own middleware times them. Small here and large for the "
            "client means that the time went by in a queue, where the app's own metrics never look.",
            unit="s",
            span=8,
        )
        .scale_distribution(common_builders.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10))
        .with_target(_query("server:app_duration_seconds:p99"))
        .with_target(_query("server:app_duration_seconds:p50", second="p50"))
    )


# ── building blocks ─────────────────────────────────────────────────────────────────────────────────────────


def _lines(title: str, description: str, *, unit: str, span: int) -> timeseries.Panel:
    """Lines, one colour per server, gaps left open: between its windows a server has no figures."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .height(9)
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
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
    )
    for server, color in SERVER_COLORS.items():
        fixed = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})
        panel.override_by_regexp(f"/^{server}({SECOND}.*)?$/", [fixed])
    dashed = DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 8]})
    return panel.with_override(
        MatcherConfig(id_val="byRegexp", options=f"/{SECOND}/"),
        [dashed, DynamicConfigValue("custom.lineWidth", 1)],
    )


def _query(series: str, second: str = "") -> prometheus.Dataquery:
    legend = "{{server}}" + (f"{SECOND}{second}" if second else "")
    return (
        prometheus.Dataquery()
        .datasource(PROMETHEUS)
        .expr(series)
        .legend_format(legend)
        .range()
        .ref_id("B" if second else "A")
    )


def _latest(series: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(PROMETHEUS)
        .expr(f"last_over_time({series}[$__range])")
        .format(PromQueryFormat.TABLE)
        .instant()
    )


def _slo_threshold() -> ThresholdsConfig:
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color="transparent"), Threshold(value=SLO_SECONDS, color="#888888")])
    )


def _json(dashboard: Dashboard) -> str:
    built = dashboard.build()
    # Without an id of its own a panel gets one at random each time it is read, and links to it break.
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
