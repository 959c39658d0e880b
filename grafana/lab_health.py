"""Can the measurement be trusted? The load generator, the machine, and what records."""

from __future__ import annotations

from blocks import as_dashed_line, dashboard, dashed_line_at, fixed_color, lines, load_strip, number, plain_lines, query
from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row


def lab_health() -> Dashboard:
    """The page to look at before a number is quoted."""
    return (
        dashboard("Lab health", "Can the measurement be trusted? k6, the machine, and what records.")
        .with_panel(load_strip())
        .with_row(Row("The load generator"))
        .with_panel(_k6_cpu())
        .with_panel(_lag())
        .with_panel(_windows())
        .with_panel(_vus())
        .with_panel(_drops())
        .with_row(Row("The machine"))
        .with_panel(_cpus())
        .with_panel(_memory())
        .with_panel(_scrapes())
        .with_row(Row("Prometheus"))
        .with_panel(_number("Its CPU", "cpu_cores:rate", "suffix: cores", _ITS_CPU))
        .with_panel(_number("Its memory", "memory_bytes", "bytes", "Of its one process. Its limit is in .env."))
        .with_panel(
            _number(
                "Samples",
                "samples:rate",
                "suffix: per s",
                "What it takes in: every scrape, every push of k6, every rule.",
            )
        )
        .with_panel(_number("Round of rules", "rules_seconds", "s", _ROUND))
        .with_panel(_number("Rules missed", "rule_failures:rate", "suffix: per s", _FAILURES))
        .with_panel(_number("Exporters silent", "targets_missing", "short", _SILENT))
    )


_ITS_CPU = "It shares its CPUs with k6, not with the servers. More than a tenth of a core would be worth a look."
_ROUND = "Due every second: near 1 s, figures come late and charts have holes."
_SILENT = "Targets without an answer within a second. Their own figures have a hole; what the client saw has none."
_FAILURES = (
    "Per second. Not 0: some figure is missing from the dashboards. Prometheus names it under Status, Rule health."
)


def _number(title: str, figure: str, unit: str, description: str) -> stat.Panel:
    return number(title, description, f"prometheus:{figure}", unit=unit, span=4)


def _k6_cpu() -> timeseries.Panel:
    return (
        plain_lines(
            "k6's CPU",
            "What k6 uses of the CPUs that it may use, 1 for all of them, as the runner reads it. Beyond 90 % it is "
            "k6 that is measured, and the runner does not count the window. Waiting: how many of its threads were "
            "ready to run and got no CPU, because others were on it. Above what k6 uses, it is starved.",
            unit="percentunit",
            span=8,
        )
        .min(0)
        .thresholds(dashed_line_at(0.9))
        .thresholds_style(as_dashed_line())
        .with_target(query("generator:cpu_used:ratio", legend="used"))
        .with_target(query("generator:cpu_wait:rate", legend="waiting for a CPU").ref_id("B"))
    )


def _windows() -> timeseries.Panel:
    panel = plain_lines(
        "Windows of this run",
        "Valid: counted. Void: the measurement failed, and the report says how; what this page shows for that time is "
        "the reason. Died: the server did not live through it, which is a result.",
        unit="short",
        span=8,
    ).min(0)
    for result, color in {"valid": "#4477AA", "void": "#DDCC77", "died": "#BB5566"}.items():
        panel.override_by_name(result, [fixed_color(color)])
    return panel.with_target(query("generator:windows", legend="{{result}}"))


def _lag() -> timeseries.Panel:
    return (
        plain_lines(
            "How late k6 is",
            "By a clock of its own that sends nothing, so no server can hold it up: the p99 of its lateness. Beyond "
            "50 ms, k6 is short of CPU and what it measures is its own waiting. The runner does not count a window "
            "in which it was 100 ms late.",
            unit="s",
            span=8,
        )
        .min(0)
        .with_target(query("generator:clock_lag_seconds:p99", legend="k6's clock"))
    )


def _vus() -> timeseries.Panel:
    return (
        plain_lines(
            "Virtual users",
            "Those at work at this moment: each waits for an answer. As many as there are requests under way, until "
            "all that k6 has are waiting, one for each request that can be under way at once: then requests can no "
            "longer be sent.",
            unit="short",
            span=12,
            height=7,
        )
        .min(0)
        .with_target(query("generator:vus", legend="virtual users"))
    )


def _drops() -> timeseries.Panel:
    return (
        plain_lines(
            "Requests that could not be sent",
            "Per second, because every virtual user was still waiting for an answer. A server that is overloaded "
            "causes them, and they count as its failures. If the server answers fast, they are k6's fault.",
            unit="reqps",
            span=12,
            height=7,
        )
        .min(0)
        .with_target(query("generator:dropped:rate", legend="dropped"))
    )


def _cpus() -> timeseries.Panel:
    return (
        plain_lines(
            "CPUs of the machine",
            "1: not a moment to spare. SERVER_CPUS in .env says which run the servers, LOAD_CPUS which run k6 and what "
            "records. A full CPU of the servers' is their limit and a result. A full one of the load's while k6 "
            "uses little of it: another program is on it.",
            unit="percentunit",
            span=8,
        )
        .min(0)
        .max(1)
        .with_target(query("host_cpu:busy:ratio", legend="CPU {{cpu}}"))
    )


def _memory() -> timeseries.Panel:
    return (
        plain_lines(
            "Memory of the machine in use",
            "What could not be given to another program at once. Near 100 %, the kernel begins to take its time, or "
            "to kill processes.",
            unit="percentunit",
            span=8,
        )
        .min(0)
        .max(1)
        .with_target(query("host:memory_used:ratio", legend="in use"))
    )


def _scrapes() -> timeseries.Panel:
    return (
        lines(
            "How long a scrape takes",
            "Of each server's exporter, which shares the server's CPUs: milliseconds while it is idle, tens of them "
            "while its CPUs are full. At 1 s scrapes begin to fail, and charts have holes.",
            unit="s",
            span=8,
        )
        .min(0)
        .with_target(query("server:scrape_seconds"))
    )
