"""One server, chosen by `$server`: where a response's time goes, and what its processes do meanwhile."""

from __future__ import annotations

from blocks import (
    LOG,
    PROMETHEUS,
    SERIES_PER_SECOND,
    dashboard,
    fixed_color,
    lines,
    load_strip,
    number,
    plain_lines,
    query,
)
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import heatmap, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable, Row
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from labels import MEMORY, P99, SERVED
from palette import LIMIT_COLORS, PART_COLORS

ONE = '{server="$server"}'
FIRST_SHOWN = "gunicorn"
LIMITS = {"slots allow": "slots_limit", "CPUs allow": "cpu_limit", "offered": "offered"}


def one_server() -> Dashboard:
    """The page of one server."""
    return (
        dashboard("One server", "Where the time of one server's responses goes, and what its processes do meanwhile.")
        .with_variable(_choice())
        .with_panel(load_strip(ONE, height=4))
        .with_panel(_number(P99, "response_time_seconds:p99", "s", "One answer in 100 took longer."))
        .with_panel(_number(SERVED, "goodput:rate", "reqps", "Good answers (2xx) per second."))
        .with_panel(_number("CPU", "cpu_cores:rate", "suffix: cores", "Cores in use, nginx's share included."))
        .with_panel(_number(MEMORY, "memory_pss_bytes", "bytes", "Shared pages counted once, nginx included."))
        .with_panel(_number("Up for", "age_seconds", "s", "Since its first process started."))
        .with_panel(_number("Restarts", "restarts", "short", _RESTARTS))
        .with_row(Row("Where the time goes"))
        .with_panel(_parts())
        .with_panel(_heatmap())
        .with_row(Row("How the work is shared"))
        .with_panel(_workers())
        .with_panel(_tree())
        .with_panel(_in_flight())
        .with_row(Row("What holds it back"))
        .with_panel(_limits())
        .with_panel(_ends())
        .with_panel(_refused())
        .with_panel(_listen_queue())
        .with_panel(_overflows())
        .with_panel(_throttling())
    )


_RESTARTS = (
    "Fresh starts in the last hour: crashes, and those that the runner gives a server which is still busy when its "
    "window is over, so that the next window owes nothing to this one."
)


def _choice() -> QueryVariable:
    return (
        QueryVariable("server")
        .label("Server")
        .datasource(PROMETHEUS)
        .query("label_values(server:load_state, server)")
        .current(VariableOption(selected=True, text=FIRST_SHOWN, value=FIRST_SHOWN))
        # A server that joins is in the list as soon as the time range moves.
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def _number(title: str, figure: str, unit: str, description: str) -> stat.Panel:
    return number(title, description, f"server:{figure}{ONE}", unit=unit, span=4)


def _parts() -> timeseries.Panel:
    panel = (
        plain_lines(
            "Mean response time, by where it goes",
            "From the client inwards: connecting; nginx's own work, where it stands in front; waiting to be taken up "
            "(accept queue, nginx, a busy worker); the app; sending and receiving. Means, because only means add up. "
            "If the app stays as high while the queue grows, there are too few slots; if the app grows too, it has too "
            "little CPU, or its requests wait for each other.",
            unit="s",
            span=12,
        )
        .min(0)
        .fill_opacity(60)
        .line_width(1)
        .stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    )
    for ref, (part, color) in zip("ABCDE", PART_COLORS.items(), strict=True):
        panel.with_target(query(f"server:{part}_seconds:mean{ONE}", legend=part).ref_id(ref))
        panel.override_by_name(part, [fixed_color(color)])
    return panel


def _heatmap() -> heatmap.Panel:
    return (
        heatmap.Panel()
        .title("Response times, all of them")
        .description(
            "Each column is a second, each cell a span of response times; the darker, the more answers. One flat "
            "band: everybody waits alike. Two bands: some requests meet a queue or a pause that others do not. A "
            "band that climbs is a queue that grows. No percentile shows this."
        )
        .datasource(PROMETHEUS)
        .height(9)
        .span(12)
        .unit("s")
        .interval(SERIES_PER_SECOND)
        .calculate(False)
        .color(_reds())
        .y_axis(heatmap.YAxisConfig().unit("s"))
        .show_legend()
        .with_target(query(f"server:response_time_seconds:rate{ONE}").format(PromQueryFormat.HEATMAP))
    )


def _reds() -> heatmap.HeatmapColorOptions:
    return heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("YlOrRd").steps(64)


def _workers() -> timeseries.Panel:
    return (
        plain_lines(
            "Requests of each worker",
            "Requests per second of each process, by its id; their order says nothing. Lines close together: the "
            "work is shared. One far above the rest: the kernel gives that worker most connections, and the others "
            "are there for nothing. A line that ends where another begins is a worker that was replaced.",
            unit="reqps",
            span=8,
        )
        .min(0)
        .with_target(query(f"server_worker:requests:rate{ONE}", legend="{{worker}}"))
    )


def _tree() -> timeseries.Panel:
    names = {"processes": "A", "threads": "B", "open_files": "C"}
    panel = plain_lines(
        "Process tree",
        "Processes, threads and open files of the server, its master included. The threaded dev server makes a "
        "thread for each connection: its line is the number of requests under way. Files that climb with every "
        "window are a leak. Log scale.",
        unit="short",
        span=8,
    ).scale_distribution(LOG)
    for name, ref in names.items():
        panel.with_target(query(f"server:{name}{ONE}", legend=name.replace("_", " ")).ref_id(ref))
    return panel


def _in_flight() -> timeseries.Panel:
    return (
        lines(
            "Requests in flight",
            "Requests inside the app at this moment. Dashed: its slots (workers x threads), as declared, configured or "
            "seen. Flat at the dashed line: every slot is taken, and all others wait.",
            unit="short",
            span=8,
        )
        .min(0)
        .with_target(query(f"server:requests_in_flight{ONE}"))
        .with_target(query(f"server:slots{ONE}", second="slots"))
    )


def _limits() -> timeseries.Panel:
    panel = plain_lines(
        "What its slots and its CPUs allow",
        "Requests per second. Slots ÷ time in the app: as many are served at once, each for that long. CPUs ÷ CPU "
        "time per request. The lower line is the knee: asked for more, a server makes requests wait. A server that "
        "makes a thread for each connection has no slots to run out of, and no such line.",
        unit="reqps",
        span=12,
        height=7,
    ).min(0)
    for ref, (name, series) in zip("ABC", LIMITS.items(), strict=True):
        panel.with_target(query(f"server:{series}:rate{ONE}", legend=name).ref_id(ref))
        panel.override_by_name(name, [fixed_color(LIMIT_COLORS[name])])
    return panel


def _ends() -> timeseries.Panel:
    return (
        plain_lines(
            "Workers that have ended",
            "Since the server started, by why. max_requests, reload, cheaper: replaced as it was planned. timeout, "
            "harakiri: killed by the server itself, for a request that took too long. exit 1, SIGKILL: the app, or the "
            "kernel. Each that is replaced starts by importing the app again.",
            unit="short",
            span=12,
            height=7,
        )
        .min(0)
        .with_target(query(f"server:worker_ends{ONE}", legend="{{why}}"))
    )


def _refused() -> timeseries.Panel:
    return (
        lines(
            "Refused before the app",
            "Errors per second (4xx, 5xx) that the client got and the app did not send: the server, or the nginx in "
            "front of it, turned the request away. A limit on the size of a request, or no free slot behind nginx. "
            "Zero is good.",
            unit="reqps",
            span=12,
            height=7,
        )
        .min(0)
        .with_target(query(f"server:refused:rate{ONE}"))
    )


def _listen_queue() -> timeseries.Panel:
    return (
        lines(
            "Connections waiting to be accepted",
            "The queue in front of the workers. For a server behind nginx, the one between the two.",
            unit="short",
            span=12,
            height=7,
        )
        .min(0)
        .with_target(query(f"server:listen_queue{ONE}"))
    )


def _overflows() -> timeseries.Panel:
    return (
        lines(
            "Connections turned away",
            "Per second, because the queue was full. The client tries again after 1 s, then 3 s, and counts that as "
            "response time; the server never hears of it. Zero is good. The kernel counts for a whole network: for "
            "local processes, those of all servers.",
            unit="short",
            span=12,
            height=7,
        )
        .min(0)
        .with_target(query(f"server:listen_overflows:rate{ONE}"))
    )


def _throttling() -> timeseries.Panel:
    return (
        lines(
            "Frozen by a CPU quota",
            "Share of each second in which threads wanted to run and a quota did not let them. The lab pins CPUs "
            "instead of limiting them, so this stays at zero until somebody sets a quota. Empty where the kernel "
            "does not say.",
            unit="percentunit",
            span=12,
            height=7,
        )
        .min(0)
        .with_target(query(f"server:cpu_throttled:rate{ONE}"))
    )
