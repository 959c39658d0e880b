"""The home page: every server's response times next to what they cost."""

from __future__ import annotations

from blocks import (
    LOG,
    PROMETHEUS,
    SLO_SECONDS,
    as_dashed_line,
    dashboard,
    dashed_line_at,
    latest,
    lines,
    load_strip,
    query,
)
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from labels import CPU_PER_REQUEST, FAILED, MEMORY, P50, P95, P99, SERVED, TIME_IN_THE_APP
from palette import SERVER_COLORS


def side_by_side() -> Dashboard:
    """The home page: every server's response times next to what they cost."""
    return (
        dashboard(
            "Side by side", "One app, served in different ways, under the same load: what clients see, what it costs."
        )
        .with_panel(load_strip())
        .with_panel(_latest_values())
        .with_row(Row("What the client sees"))
        .with_panel(_quantile(50, "Half of the answers came faster: what most visitors feel."))
        .with_panel(
            _quantile(95, "One answer in 20 took longer: most pages that make 20 requests wait for one of these.")
        )
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

# Heading, series and unit of each column of the table, in its order.
COLUMNS = [
    (P50, "server:response_time_seconds:p50", "s"),
    (P95, "server:response_time_seconds:p95", "s"),
    (P99, "server:response_time_seconds:p99", "s"),
    ("Offered", "server:offered:rate", "reqps"),
    (SERVED, "server:goodput:rate", "reqps"),
    (FAILED, "server:failed:ratio", "percentunit"),
    (CPU_PER_REQUEST, "server:cpu_seconds_per_request:ratio", "s"),
    (MEMORY, "server:memory_pss_bytes", "bytes"),
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
        .height(7)
        .span(24)
        .unit("none")
        .sort_by([common_builders.TableSortByFieldState().display_name(P99).desc(True)])
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(_columns_in_order())
        .override_by_name("Server", [DynamicConfigValue("mappings", _server_mappings()), *_colored_text(), _link()])
    )
    for ref, (heading, series, unit) in zip("ABCDEFGH", COLUMNS, strict=True):
        # `unit` of a column; the panel's own is for the names.
        panel.with_target(latest(series).ref_id(ref))
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


def _link() -> DynamicConfigValue:
    url = "/d/one-server?var-server=${__value.raw}"
    return DynamicConfigValue("links", [{"title": "One server", "url": url}])


# ── what the client sees ────────────────────────────────────────────────────────────────────────────────────


def _quantile(percentile: int, reading: str) -> timeseries.Panel:
    return (
        lines(
            f"Response time, p{percentile}",
            f"{reading} As the client measures it, connecting included. Log scale: each grid line is ten "
            "times the one below. Requests that failed or were dropped have no response time: see those "
            "panels too.",
            unit="s",
            span=8,
        )
        .scale_distribution(LOG)
        .thresholds(dashed_line_at(SLO_SECONDS))
        .with_target(query(f"server:response_time_seconds:p{percentile}"))
    )


def _p99() -> timeseries.Panel:
    reading = (
        "One answer in 100 took longer. The dashed line is the default SLO, 250 ms. A line that climbs "
        "steadily is a queue that grows: requests arrive faster than they are served."
    )
    return _quantile(99, reading).thresholds_style(as_dashed_line())


def _rates() -> timeseries.Panel:
    return (
        lines(
            "Offered and served rate",
            "Dashed: requests per second that the schedule asks for, whatever the server does. Solid: good "
            "answers (2xx) per second. Where the solid line stays below the dashed one, the server cannot "
            "keep up.",
            unit="reqps",
            span=12,
        )
        .min(0)
        .with_target(query("server:goodput:rate"))
        .with_target(query("server:offered:rate", second="offered"))
    )


def _failures() -> timeseries.Panel:
    return (
        lines(
            "Failures and drops",
            "Solid: requests per second that were refused, reset, timed out or answered with an error. "
            "Dashed: requests that could not even be sent, because every virtual user was still waiting "
            "for an answer. Zero is good.",
            unit="reqps",
            span=12,
        )
        .min(0)
        .with_target(query("server:failed:rate"))
        .with_target(query("server:dropped:rate", second="dropped"))
    )


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────


def _cpu_cores() -> timeseries.Panel:
    return (
        lines(
            "CPU",
            "Cores in use by the server's processes and its share of nginx. A server with one Python process "
            "cannot pass 1, however many cores there are. Flat at its limit: CPU is the bottleneck. "
            "Low while response times are high: requests wait for a free worker, not for CPU.",
            unit="suffix: cores",
            span=8,
        )
        .min(0)
        .with_target(query("server:cpu_cores:rate"))
    )


def _cpu_per_request() -> timeseries.Panel:
    return (
        lines(
            CPU_PER_REQUEST,
            "What one request costs, app and server together. The app costs the same everywhere, so the "
            "difference between two lines is the difference between two servers. It varies less between "
            "runs than any response time does.",
            unit="s",
            span=8,
        )
        .min(0)
        .with_target(query("server:cpu_seconds_per_request:ratio"))
    )


def _memory() -> timeseries.Panel:
    return (
        lines(
            MEMORY,
            "Proportional set size: pages that forked workers share are counted once. Servers behind nginx "
            "include it. A line that climbs with every window is a leak; one that jumps is a worker more.",
            unit="bytes",
            span=8,
        )
        .min(0)
        .with_target(query("server:memory_pss_bytes"))
    )


# ── where requests wait ─────────────────────────────────────────────────────────────────────────────────────


def _in_flight() -> timeseries.Panel:
    return (
        lines(
            "Requests in flight",
            "Requests inside the app at this moment. A line that stays flat under rising load has reached "
            "the server's slots (workers x threads): everything else queues outside. The threaded dev "
            "server has no such limit.",
            unit="short",
            span=8,
        )
        .min(0)
        .with_target(query("server:requests_in_flight"))
    )


def _listen_queue() -> timeseries.Panel:
    return (
        lines(
            "Connections waiting to be accepted",
            "The queue in front of the workers. It is what a response time consists of once every slot is "
            "taken. When it is full, the kernel turns connections away, which only the client notices.",
            unit="short",
            span=8,
        )
        .min(0)
        .with_target(query("server:listen_queue"))
    )


def _inside_the_app() -> timeseries.Panel:
    return (
        lines(
            TIME_IN_THE_APP,
            "Solid: p99, dashed: p50, as the app's own middleware times them. Small here and large for the "
            "client means that the time went by in a queue, where the app's own metrics never look.",
            unit="s",
            span=8,
        )
        .scale_distribution(LOG)
        .with_target(query("server:app_duration_seconds:p99"))
        .with_target(query("server:app_duration_seconds:p50", second="p50"))
    )
