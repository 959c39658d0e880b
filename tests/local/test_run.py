"""`lab run` with real servers as local processes: what a user without Docker gets."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support import ROOT, Lab, lab_environment, only_run, windows_of

from wsgilab.lab.servers import load_lab

SERVERS = list(load_lab(ROOT, {}).servers)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, own_ports: dict[str, str]) -> tuple[Lab, str]:
    """One short run over all eleven servers, and what it printed.

    The shell names a proxy, as companies have, and holds what nginx and Flask would take for orders from a parent.
    """
    results = tmp_path_factory.mktemp("results")
    lab = Lab(lab_environment(results, own_ports), results)
    done = lab(
        *("run", "--servers", ",".join(SERVERS), "--rate", "20", "--rounds", "1", "--duration", "1.5"),
        http_proxy="http://127.0.0.1:9",
        NGINX="3;4;",
        WERKZEUG_RUN_MAIN="true",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return lab, done.stdout


def test_every_server_of_compose_yaml_is_measured(everything: tuple[Lab, str]) -> None:
    lab, printed = everything
    windows = windows_of(only_run(lab))
    assert sorted(window["plan"]["server"] for window in windows) == sorted(SERVERS)
    for window in windows:
        assert window["void"] is None, window["void"]
        assert window["load"]["ok"] == window["load"]["scheduled"] == 30
        assert window["load"]["statuses"] == {"200": 30}
        assert window["usage"]["cpu_ms_per_request"] > 2  # /mix burns 2 ms of CPU
        assert window["usage"]["service_ms"] > 20  # and waits 20 ms
    for server in SERVERS:
        assert server in printed


def test_the_app_counted_what_k6_sent(everything: tuple[Lab, str]) -> None:
    for window in windows_of(only_run(everything[0])):
        assert window["usage"]["requests"] == window["load"]["total_requests"], window["plan"]["server"]


def test_the_verdict_follows_its_contract(everything: tuple[Lab, str]) -> None:
    verdict = json.loads((only_run(everything[0]) / "verdict.json").read_text())
    assert verdict["schema"] == 1
    assert verdict["engine"] == "local"
    assert {server["server"] for server in verdict["servers"]} == set(SERVERS)
    for server in verdict["servers"]:
        assert server["verdict"] in {"good", "bad", "inconclusive"}
        (load,) = server["loads"]
        assert set(load["p99_ms"]) >= {"value", "low", "high"}
        assert load["goodput_rps"]["value"] > 0


def test_the_manifest_says_what_ran(everything: tuple[Lab, str]) -> None:
    folder = only_run(everything[0])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["versions"]["gunicorn"]
    assert manifest["versions"]["k6"].startswith("k6")
    assert manifest["origins"]["k6"] in (folder / "report.md").read_text(), "which k6 it was is said to every reader"
    assert manifest["host"]["cpus"] >= 1
    assert manifest.get("not_pinned") is None, "each server runs on SERVER_CPUS alone, by its own exporter"
    assert len(manifest["order"]) == len(SERVERS)
    assert manifest["finished_at"] >= manifest["started_at"]


def test_rendering_again_gives_the_same_bytes(everything: tuple[Lab, str]) -> None:
    lab, printed = everything
    folder = only_run(lab)
    files = ("verdict.json", "report.md", "report.html")
    before = {name: (folder / name).read_bytes() for name in files}
    again = lab("report", folder)
    assert again.returncode == 0
    assert again.stdout == printed
    assert {name: (folder / name).read_bytes() for name in files} == before


def test_nothing_is_left_running(everything: tuple[Lab, str]) -> None:
    port = everything[0].environment["GUNICORN_PORT"]
    processes = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert f"127.0.0.1:{port}" not in processes


def test_overload_separates_one_slot_from_several(lab: Lab) -> None:
    """One slot of 22 ms serves about 45 rps. Twice that queues up; four workers carry it."""
    done = lab(
        "run", "--servers", "dev-single,uwsgi-single,gunicorn", "--rate", "90", "--rounds", "1", "--duration", "2"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((only_run(lab) / "verdict.json").read_text())
    p50 = {server["server"]: server["loads"][0]["p50_ms"]["value"] for server in verdict["servers"]}
    outcome = {server["server"]: server["verdict"] for server in verdict["servers"]}
    assert outcome["dev-single"] == outcome["uwsgi-single"] == "bad"
    assert p50["gunicorn"] * 4 < min(p50["dev-single"], p50["uwsgi-single"])


def test_the_doctor_names_what_is_missing_and_the_cure(lab: Lab) -> None:
    healthy = {finding["what"]: finding for finding in json.loads(lab("doctor", "--json").stdout)}
    assert healthy["k6"]["state"] == healthy["nginx"]["state"] == healthy["Results"]["state"] == "ok"
    without = lab("doctor", LAB_K6="/nowhere/k6", SERVER_CPUS="999")
    assert without.returncode == 3
    assert "missing k6" in without.stdout
    assert "SERVER_CPUS=999, but only" in without.stdout
    assert "→" in without.stdout


def test_an_app_of_the_users_own_and_variants_are_measured_beside_their_server(lab: Lab, tmp_path: Path) -> None:
    """An app that answers with a variable of its environment shows whose settings it got, and not the shell's."""
    (tmp_path / "echo.py").write_text(
        "import os\n"
        "def serve(environ, start_response):\n"
        "    start_response(os.environ.get('ANSWER', '200 OK'), [('Content-Type', 'text/plain')])\n"
        "    return [b'x']\n"
    )
    done = lab(
        *("run", "--servers", "gunicorn", "--app", "echo:serve", "--app-dir", tmp_path),
        *("--workload", "/orders?page=2", "--rate", "30", "--rounds", "2", "--duration", "1"),
        *("--variant", "twin=dev", "--variant", "few=uwsgi,UWSGI_PROCESSES=1,UWSGI_THREADS=1"),
        *("--variant", "teapot=gunicorn-nginx,ANSWER=418 no"),
        ANSWER="500 out of the shell",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    both = windows_of(only_run(lab))
    for name in ("gunicorn", "twin", "few", "teapot"):
        first, second = [window for window in both if window["plan"]["server"] == name]
        starts = [window["usage"]["samples"][0]["start_time"] for window in (first, second)]
        assert starts[0] < starts[1], f"{name} was started anew for its second round"
        assert 0 < second["start_s"] < 30
    windows = {window["plan"]["server"]: window for window in both}
    assert {name: window["void"] for name, window in windows.items()} == dict.fromkeys(
        ("gunicorn", "twin", "few", "teapot")
    )
    assert windows["twin"]["load"]["statuses"] == windows["few"]["load"]["statuses"] == {"200": 30}
    assert windows["teapot"]["load"]["failed"] == 30
    verdict = json.loads((only_run(lab) / "verdict.json").read_text())
    assert {each["server"]: each["slots"] for each in verdict["servers"]} == {
        "gunicorn": 4,
        "twin": None,
        "few": 1,
        "teapot": 4,
    }


@pytest.mark.parametrize(
    ("variant", "hint"),
    [
        ("twin=gunicron", "did you mean 'gunicorn'?"),
        ("gunicorn=dev", "is taken"),
        ("a=dev,GUNICORN_WORKERS=2", "it is a"),
    ],
)
def test_a_variant_that_cannot_be_is_refused_before_anything_starts(lab: Lab, variant: str, hint: str) -> None:
    done = lab("run", "--variant", variant)
    assert done.returncode == 2
    assert hint in done.stderr
