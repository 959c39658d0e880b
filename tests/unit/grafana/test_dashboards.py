"""The committed dashboards are what grafana/dashboards.py builds, and every panel can be read."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from wsgilab.lab.servers import load_lab
from wsgilab.model.vitals import WIRINGS

ROOT = Path(__file__).resolve().parents[3]
GRAFANA = ROOT / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
RULES = yaml.safe_load((ROOT / "prometheus/rules.yaml").read_text(encoding="utf-8"))
RECORDED = {rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
DATASOURCE = {"type": "prometheus", "uid": "prometheus"}


def load(path: Path) -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return dashboard


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that shows data, those in folded rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] not in ("row", "text"):
            yield panel
        yield from panel.get("panels", [])


PANELS = {f"{path.stem}: {panel['title']}": panel for path in FILES for panel in panels(load(path))}
CHARTS = {
    name: panel
    for name, panel in PANELS.items()
    if panel["type"] in ("timeseries", "bargauge") and "{{server}}" in panel["targets"][0].get("legendFormat", "")
}
every_panel = pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS.keys())
every_chart = pytest.mark.parametrize("panel", CHARTS.values(), ids=CHARTS.keys())
every_dashboard = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture
def palette(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.syspath_prepend(str(GRAFANA))
    colors: dict[str, str] = importlib.import_module("palette").SERVER_COLORS
    return colors


@pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")  # importing the SDK is enough
def test_the_committed_dashboards_are_what_the_source_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed")
    monkeypatch.syspath_prepend(str(GRAFANA))
    built = importlib.import_module("dashboards").render()
    committed = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    assert committed == built, "run: python grafana/dashboards.py"


@pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_grafanas_own_types_hold_all_that_a_dashboard_says(path: Path) -> None:
    """There and back: what the types do not know would be lost, and what they refuse would raise."""
    pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed")
    plugins = importlib.import_module("grafana_foundation_sdk.cog.plugins")
    plugins.register_default_plugins()
    types = importlib.import_module("grafana_foundation_sdk.models.dashboard")
    encoder = importlib.import_module("grafana_foundation_sdk.cog.encoder").JSONEncoder
    back = json.loads(json.dumps(types.Dashboard.from_json(load(path)), cls=encoder))
    for link in back["links"]:
        del link["placement"]  # the types add their default
    assert back == load(path)


def test_each_way_to_wire_a_button_has_its_panels() -> None:
    titles = [panel["title"] for panel in panels(load(GRAFANA / "dashboards/what-the-browser-feels.json"))]
    for wiring in WIRINGS:
        assert {f"INP: {wiring.name}", f"To content: {wiring.name}"} <= set(titles)


def test_every_server_has_a_colour_of_its_own(palette: dict[str, str]) -> None:
    assert list(palette) == list(load_lab(ROOT, {}).servers)
    assert len(set(palette.values())) == len(palette)


@every_dashboard
def test_a_dashboard_is_classic_read_only_and_has_a_fixed_uid(path: Path) -> None:
    dashboard = load(path)
    assert dashboard["uid"] == path.stem
    assert dashboard["editable"] is False
    # Version 2 files have these instead, and provisioning refuses them.
    assert "apiVersion" not in dashboard
    assert "spec" not in dashboard


@every_dashboard
def test_panel_ids_are_unique_and_panels_do_not_overlap(path: Path) -> None:
    everything = load(path)["panels"]
    ids = [panel["id"] for panel in everything]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in everything)
        for x in range(grid.get("x", 0), grid.get("x", 0) + grid["w"])
        for y in range(grid.get("y", 0), grid.get("y", 0) + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@every_panel
def test_a_panel_says_how_to_read_it(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > (20 if panel["type"] == "stat" else 80)


@every_panel
def test_a_panel_has_a_unit(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["unit"]


@every_panel
def test_a_panel_asks_the_provisioned_data_source(panel: dict[str, Any]) -> None:
    assert panel["datasource"] == DATASOURCE
    assert panel["targets"]
    assert all(target["datasource"] == DATASOURCE for target in panel["targets"])


@every_panel
def test_the_queries_of_a_panel_can_be_told_apart(panel: dict[str, Any]) -> None:
    refs = [target["refId"] for target in panel["targets"]]
    assert len(refs) == len(set(refs))


@every_panel
def test_a_panel_shows_recorded_series_and_computes_nothing(panel: dict[str, Any]) -> None:
    """The series itself, or those of one label, or for a table its last, mean or largest value in the time range."""
    series_of_one = r'([a-z0-9_:]+)(?:\{(?:[a-z]+!?="[^"]*"(?:, )?)+\})?'
    for target in panel["targets"]:
        over_time = rf"max by \([a-z, ]+\) \((?:last|avg|max)_over_time\({series_of_one}\[\$__range\]\)\)"
        found = re.fullmatch(series_of_one, target["expr"]) or re.fullmatch(over_time, target["expr"])
        assert found, target["expr"]
        assert found[1] in RECORDED


@every_dashboard
def test_every_dashboard_shows_the_windows_and_leads_to_the_others(path: Path) -> None:
    dashboard = load(path)
    assert dashboard["panels"][0]["type"] == "state-timeline"
    (link,) = dashboard["links"]
    assert link["type"] == "dashboards"
    assert link["tags"] == dashboard["tags"] == ["wsgilab"]
    assert link["keepTime"] is True


@every_dashboard
def test_a_variable_is_defined_where_it_is_used(path: Path) -> None:
    defined = {variable["name"] for variable in load(path).get("templating", {}).get("list", [])}
    used = set(re.findall(r"\$(\w+)", json.dumps(load(path)["panels"])))
    assert {name for name in used if not name.startswith("__")} <= defined


@every_chart
def test_a_server_has_its_colour_in_every_chart(panel: dict[str, Any], palette: dict[str, str]) -> None:
    patterns = {
        override["matcher"]["options"]: override["properties"][0]["value"]["fixedColor"]
        for override in panel["fieldConfig"]["overrides"]
        if override["properties"][0]["id"] == "color"
    }
    for target in panel["targets"]:
        for server, color in palette.items():
            name = target["legendFormat"].replace("{{server}}", server)
            matching = [hue for pattern, hue in patterns.items() if re.search(pattern.strip("/"), name)]
            assert matching == [color], name


def test_the_data_source_has_the_uid_that_the_panels_name() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text(encoding="utf-8"))
    (source,) = provisioned["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == DATASOURCE
    assert source["url"] == "http://prometheus:9090"
    assert source["editable"] is False


def test_the_provider_reads_the_folder_that_compose_mounts() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning/dashboards/lab.yaml").read_text(encoding="utf-8"))
    (provider,) = provisioned["providers"]
    assert provider["allowUiUpdates"] is False
    assert provider["folder"] == "WSGI Lab"
    grafana = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["grafana"]
    folder = provider["options"]["path"]
    assert f"./grafana/dashboards:{folder}:ro,z" in grafana["volumes"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{folder}/side-by-side.json"


def test_only_the_folders_that_hold_something_are_mounted_over_the_images() -> None:
    """Grafana logs an error for each of its own provisioning folders that is missing."""
    grafana = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["grafana"]
    mounted = {mount.split(":")[0] for mount in grafana["volumes"] if "provisioning" in mount}
    assert mounted == {f"./{path.parent.relative_to(ROOT)}" for path in (GRAFANA / "provisioning").glob("*/*.yaml")}
