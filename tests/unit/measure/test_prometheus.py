"""prometheus/ agrees with compose.yaml, and its rules keep to one name and one place per figure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from wsgilab.engines import Endpoint
from wsgilab.lab.servers import load_lab
from wsgilab.measure.scrape_config import for_containers, for_processes, target

ROOT = Path(__file__).resolve().parents[3]
CONFIG = yaml.safe_load((ROOT / "prometheus/prometheus.yaml").read_text(encoding="utf-8"))
RULES = yaml.safe_load((ROOT / "prometheus/rules.yaml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVERS = load_lab(ROOT, {}).servers
EXPORTER_PORT = 9100


def jobs(config: dict[str, Any]) -> dict[str, Any]:
    """Scrape configurations by name."""
    return {job["job_name"]: job for job in config["scrape_configs"]}


IN_COMPOSE = jobs(for_containers(CONFIG, list(SERVERS.values()), Path("/etc/wsgilab")))


def records() -> list[dict[str, str]]:
    return [rule for group in RULES["groups"] for rule in group["rules"] if "record" in rule]


def alerts() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]


def test_no_server_is_named_in_the_shipped_configuration() -> None:
    text = (ROOT / "prometheus/prometheus.yaml").read_text(encoding="utf-8")
    assert [name for name in SERVERS if re.search(rf"\b{name}(?!\w)[:,\]]", text)] == []


def test_the_default_servers_are_always_scraped_under_their_own_names() -> None:
    assert {
        target: group["labels"] for group in IN_COMPOSE["servers"]["static_configs"] for target in group["targets"]
    } == {
        f"{server.name}:{EXPORTER_PORT}": {"server": server.name} | ({"via": server.via} if server.via else {})
        for server in SERVERS.values()
        if server.default
    }


def test_the_other_servers_are_looked_up_by_their_names() -> None:
    (lookup,) = IN_COMPOSE["more"]["dns_sd_configs"]
    assert lookup["names"] == [server.name for server in SERVERS.values() if not server.default]
    assert (lookup["type"], lookup["port"]) == ("A", EXPORTER_PORT)
    labels = {rule["target_label"] for rule in IN_COMPOSE["more"]["relabel_configs"]}
    assert {"server", "instance"} <= labels


def test_looked_up_servers_behind_nginx_are_charged_for_it() -> None:
    behind = {rule["regex"]: rule["replacement"] for rule in IN_COMPOSE["more"]["relabel_configs"] if "regex" in rule}
    assert behind == {server.name: server.via for server in SERVERS.values() if server.via and not server.default}


def test_a_lab_whose_servers_all_start_by_themselves_looks_nobody_up() -> None:
    five = [server for server in SERVERS.values() if server.default]
    assert "more" not in jobs(for_containers(CONFIG, five, Path("/x")))


def test_the_proxy_is_read_by_its_own_exporter() -> None:
    (group,) = IN_COMPOSE["nginx"]["static_configs"]
    assert group == {"targets": [f"nginx-exporter:{EXPORTER_PORT}"], "labels": {"server": "nginx"}}
    assert "nginx-exporter" in COMPOSE["services"]


def test_prometheus_reads_itself_with_its_password() -> None:
    assert IN_COMPOSE["prometheus"]["basic_auth"] == {"username": "lab", "password_file": "/etc/wsgilab/password"}


def test_a_local_prometheus_differs_in_places_alone(tmp_path: Path) -> None:
    local = for_processes(CONFIG, ROOT / "prometheus/rules.yaml", tmp_path, 9999)
    assert list(jobs(local)) == ["servers", "nginx", "prometheus"]
    assert local["global"] == CONFIG["global"]
    for name, job in jobs(local).items():
        places = {"static_configs", "file_sd_configs", "basic_auth"}
        here, there = jobs(local)[name], jobs(CONFIG)[name]
        assert {key: here[key] for key in job if key not in places} == {
            key: there[key] for key in there if key not in places
        }


def test_a_local_server_has_the_labels_that_it_has_in_compose() -> None:
    at = Endpoint("http://127.0.0.1:8005", "http://127.0.0.1:40001/metrics", "http://127.0.0.1:40002/metrics", "")
    assert target(SERVERS["uwsgi"], at) == {
        "targets": ["127.0.0.1:40001"],
        "labels": {"server": "uwsgi", "instance": "uwsgi:9100", "via": "nginx"},
    }


def test_a_server_of_another_machine_is_a_path_of_a_port_here() -> None:
    at = Endpoint("http://10.0.0.5:8003", "http://127.0.0.1:40001/gunicorn:9100/metrics", None)
    assert target(SERVERS["gunicorn"], at) == {
        "targets": ["127.0.0.1:40001"],
        "labels": {"server": "gunicorn", "instance": "gunicorn:9100", "__metrics_path__": "/gunicorn:9100/metrics"},
    }


def test_everything_is_recorded_every_second() -> None:
    assert CONFIG["global"]["scrape_interval"] == "1s"
    assert CONFIG["global"]["evaluation_interval"] == "1s"
    assert {group["interval"] for group in RULES["groups"]} == {"1s"}


def test_prometheus_is_started_so_that_k6_can_push_native_histograms_to_it() -> None:
    command = COMPOSE["services"]["prometheus"]["command"]
    assert "--config.file=/etc/wsgilab/prometheus.yaml" in command
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
        r"(server|server_rate|server_worker|nginx|generator|browser|host|host_cpu|prometheus):[a-z_]+(:(rate|ratio|mean|p\d\d))?",
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
