"""prometheus/ agrees with compose.yaml, and its rules keep to one name and one place per figure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
CONFIG = yaml.safe_load((ROOT / "prometheus/prometheus.yaml").read_text(encoding="utf-8"))
RULES = yaml.safe_load((ROOT / "prometheus/rules.yaml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVERS = {name: service for name, service in COMPOSE["services"].items() if "lab.pattern" in service.get("labels", {})}
EXPORTER_PORT = 9100


def scrape_config(job: str) -> dict[str, Any]:
    return next(config for config in CONFIG["scrape_configs"] if config["job_name"] == job)


def static_targets(job: str) -> dict[str, dict[str, Any]]:
    """Labels by target, "HOST:PORT"."""
    return {target: config["labels"] for config in scrape_config(job)["static_configs"] for target in config["targets"]}


def looked_up() -> dict[str, Any]:
    (config,) = scrape_config("more")["dns_sd_configs"]
    return dict(config)


def records() -> list[dict[str, str]]:
    return [rule for group in RULES["groups"] for rule in group["rules"] if "record" in rule]


def alerts() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]


def test_the_default_servers_are_always_scraped() -> None:
    default = {name for name, service in SERVERS.items() if not service.get("profiles")}
    targets = static_targets("servers")
    assert set(targets) == {f"{name}:{EXPORTER_PORT}" for name in default}
    assert all(target == f"{labels['server']}:{EXPORTER_PORT}" for target, labels in targets.items())


def test_the_other_servers_are_looked_up() -> None:
    more = {name for name, service in SERVERS.items() if service.get("profiles") == ["more"]}
    assert set(looked_up()["names"]) == more
    assert (looked_up()["type"], looked_up()["port"]) == ("A", EXPORTER_PORT)


def test_every_server_is_scraped() -> None:
    scraped = {labels["server"] for labels in static_targets("servers").values()} | set(looked_up()["names"])
    assert scraped == set(SERVERS)


def test_servers_behind_nginx_are_charged_for_it() -> None:
    static = {labels["server"] for labels in static_targets("servers").values() if labels.get("via") == "nginx"}
    relabelled = {
        rule["regex"]
        for rule in scrape_config("more")["relabel_configs"]
        if rule["target_label"] == "via" and rule["replacement"] == "nginx"
    }
    behind = {name for name, service in SERVERS.items() if service["labels"].get("lab.via") == "nginx"}
    assert static | relabelled == behind


def test_the_proxy_is_read_by_its_own_exporter() -> None:
    assert static_targets("nginx") == {f"nginx-exporter:{EXPORTER_PORT}": {"server": "nginx"}}
    assert "nginx-exporter" in COMPOSE["services"]


def test_everything_is_recorded_every_second() -> None:
    assert CONFIG["global"]["scrape_interval"] == "1s"
    assert CONFIG["global"]["evaluation_interval"] == "1s"
    assert {group["interval"] for group in RULES["groups"]} == {"1s"}


def test_prometheus_is_started_so_that_k6_can_push_native_histograms_to_it() -> None:
    command = COMPOSE["services"]["prometheus"]["command"]
    assert "--config.file=/etc/prometheus/prometheus.yaml" in command
    assert "--web.enable-remote-write-receiver" in command
    # Before 3.9 a push that holds a native histogram is refused as a whole without it.
    assert "--enable-feature=native-histograms" in command


def test_a_figure_is_recorded_once() -> None:
    names = [rule["record"] for rule in records()]
    expressions = [" ".join(rule["expr"].split()) for rule in records()]
    assert len(names) == len(set(names))
    assert len(expressions) == len(set(expressions))


@pytest.mark.parametrize("rule", records(), ids=lambda rule: rule["record"])
def test_a_recorded_series_is_named_level_metric_operation(rule: dict[str, str]) -> None:
    assert re.fullmatch(
        r"(server|server_rate|server_worker|nginx|generator|host|host_cpu|prometheus):[a-z_]+(:(rate|ratio|mean|p\d\d))?",
        rule["record"],
    )


@pytest.mark.parametrize("rule", [*records(), *alerts()], ids=lambda rule: rule.get("record") or rule["alert"])
def test_a_rule_uses_only_series_that_are_recorded(rule: dict[str, str]) -> None:
    used = set(re.findall(r"\b[a-z_]+:[a-z_]+(?::[a-z0-9]+)?\b", rule["expr"]))
    assert used <= {known["record"] for known in records()}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_what_happens_and_why_it_matters(alert: dict[str, Any]) -> None:
    assert {"summary", "description"} <= set(alert["annotations"])


def test_k6_has_the_metrics_that_the_rules_read() -> None:
    script = (ROOT / "k6/load.js").read_text(encoding="utf-8")
    suffix = {"Counter": "_total", "Trend": "_seconds", "Gauge": ""}
    own = {name + suffix[kind] for kind, name in re.findall(r"new (Counter|Trend|Gauge)\('(\w+)'", script)}
    built_in = {"http_reqs_total", "dropped_iterations_total", "vus"}
    built_in |= {f"http_req_{part}_seconds" for part in ("blocked", "sending", "waiting", "receiving")}
    read = {name for rule in records() for name in re.findall(r"\bk6_(\w+)", rule["expr"])}
    assert read <= own | built_in


def test_the_rules_read_the_scenario_and_the_phase_that_k6_runs() -> None:
    script = (ROOT / "k6/load.js").read_text(encoding="utf-8")
    assert re.search(r"^  measure: \{$", script, re.MULTILINE), "drops are read by the name of their scenario"
    assert "tags: { phase: 'measure' }" in script


def test_every_alert_and_every_recorded_series_has_a_test() -> None:
    tests = (ROOT / "prometheus/rules_test.yaml").read_text(encoding="utf-8")
    rules = (ROOT / "prometheus/rules.yaml").read_text(encoding="utf-8")
    # A step on the way to other figures is tested through them.
    steps = {rule["record"] for rule in records() if rules.count(rule["record"]) > 1}
    untested = [rule["record"] for rule in records() if rule["record"] not in tests]
    assert set(untested) <= steps
    assert [alert["alert"] for alert in alerts() if f"alertname: {alert['alert']}" not in tests] == []
