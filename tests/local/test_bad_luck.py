"""What goes wrong, goes wrong clearly: the documented exit code, three parts, nothing lost, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Lab, lab_environment, only_run, small_file_system, wait_for, windows_of

ONE_WINDOW = ("--rate", "20", "--rounds", "1", "--duration", "1")
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, own_ports: dict[str, str]) -> tuple[Path, Done]:
    """The folder of a run of two windows, and what it said: with a docker client, and no engine that answers it.

    Where no docker client is installed, a stand-in says what the real one says.
    """
    place = tmp_path_factory.mktemp("kept")
    lab = Lab(lab_environment(place, own_ports), place)
    path = lab.environment["PATH"]
    if not shutil.which("docker"):
        client = place / "docker"
        client.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
        client.chmod(0o755)
        path = f"{place}:{path}"
    done = lab(
        *("run", "--engine", "auto", "--servers", "dev", "--rate", "20", "--rounds", "2", "--duration", "1"),
        *("--out", place / "run"),
        PATH=path,
        DOCKER_HOST="unix:///nowhere/docker.sock",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "run", done


def assert_explained(done: Done, code: int, *fragments: str) -> None:
    """The exit code, the three parts on standard error, and no traceback."""
    assert done.returncode == code, done.stdout + done.stderr
    for part in ("lab: ", "\n  Likely cause: ", "\n  Next: ", *fragments):
        assert part in done.stderr, done.stderr
    assert not re.search("^Traceback", done.stderr, re.MULTILINE), done.stderr


def lab_processes(lab: Lab) -> list[str]:
    """Command lines of everything that serves on this lab's ports or drives load."""
    ports = "|".join(lab.environment[name] for name in lab.environment if name.endswith("_PORT"))
    listed = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if re.search(rf"(127\.0\.0\.1:|--port )({ports})\b", line)]


# ── wrong usage: exit 2 ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--servers", "gunicron"], "did you mean 'gunicorn'?"),
        (["--servers", "dev,dev"], "named twice"),
        (["--workload", "mixx"], "did you mean 'mix'?"),
        (["--rate", "0"], "above 0"),
        (["--rate", "-5"], "above 0"),
        (["--rate", "fast"], "must be a number"),
        (["--rate", "nan"], "above 0"),
        (["--rate", "10000000"], "at most 20000"),
        (["--rate", "50,50"], "twice"),
        (["--rounds", "0"], "from 1 to"),
        (["--rounds", "-1"], "from 1 to"),
        (["--rounds", "1.5"], "whole number"),
        (["--rounds", "100000"], "from 1 to"),
        (["--duration", "0"], "above 0.5"),
        (["--duration", "-3"], "above 0.5"),
        (["--duration", "soon"], "must be a number"),
        (["--duration", "86400"], "at most 600"),
        (["--slo", "p98<1s"], "p98"),
        (["--app-dir", "/nowhere/at/all"], "not a folder"),
        (["--engine", "podman"], "must be one of"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_wrong_usage_says_what_would_be_right(lab: Lab, arguments: list[str], hint: str) -> None:
    done = lab("run", *arguments)
    assert_explained(done, 2, hint)
    assert not any(path.is_dir() for path in lab.results.iterdir())


def test_a_report_of_a_folder_without_a_run(lab: Lab, tmp_path: Path) -> None:
    assert_explained(lab("report", tmp_path), 2, "windows.jsonl")


def test_a_run_is_never_written_over_another(lab: Lab, kept: tuple[Path, Done]) -> None:
    out, _ = kept
    before = (out / "windows.jsonl").read_bytes()
    assert_explained(lab("run", "--servers", "dev", *ONE_WINDOW, "--out", out), 2, "already holds a run")
    assert (out / "windows.jsonl").read_bytes() == before


# ── something missing: exit 3 ───────────────────────────────────────────────────────────────────────────────────────


def test_a_port_in_use_names_port_holder_and_variable(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        done = lab("run", "--servers", "gunicorn", *ONE_WINDOW, GUNICORN_PORT=port)
    assert_explained(done, 3, port, "gunicorn", f"process {os.getpid()} ", "GUNICORN_PORT=")


def test_compose_was_asked_for_but_no_engine_answers(lab: Lab) -> None:
    done = lab("run", "--engine", "compose", *ONE_WINDOW, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert_explained(done, 3, "--engine compose", "Next: ./lab run ", " --engine local\n")


def test_a_docker_client_without_an_engine_is_no_engine(kept: tuple[Path, Done]) -> None:
    _, done = kept
    assert "local processes, because no Docker engine answers" in done.stderr


def test_a_compose_that_cannot_read_the_lab_is_no_engine(lab: Lab, tmp_path: Path) -> None:
    """A stand-in for the docker client: there is an engine, and an override file of the user's that is no YAML."""
    client = tmp_path / "docker"
    client.write_text(
        '#!/bin/sh\ncase "$*" in *config*) echo "yaml: line 3: mapping values are not allowed" >&2; exit 15;; esac\n'
    )
    client.chmod(0o755)
    done = lab(
        *("run", "--engine", "auto", "--servers", "dev", *ONE_WINDOW), PATH=f"{tmp_path}:{lab.environment['PATH']}"
    )
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "because `docker compose config` failed (yaml: line 3: mapping values are not allowed)" in said


@pytest.mark.parametrize(("variable", "tool"), [("LAB_K6", "k6"), ("LAB_NGINX", "nginx")])
def test_a_missing_tool_is_named(lab: Lab, variable: str, tool: str) -> None:
    done = lab("run", "--servers", "uwsgi", *ONE_WINDOW, **{variable: "/nowhere/tool"})
    assert_explained(done, 3, tool, "install")
    assert not lab_processes(lab)


def test_results_that_cannot_be_written(lab: Lab, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    assert_explained(lab("run", "--servers", "dev", *ONE_WINDOW, "--out", in_the_way / "run"), 3, "--out")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 KB."""
    with small_file_system(tmp_path / "disk", "16k") as folder:
        yield folder


def test_a_full_disk_loses_no_window_and_still_shows_the_verdict(lab: Lab, small_disk: Path) -> None:
    done = lab("run", "--servers", "dev", "--rate", "20", "--rounds", "8", "--duration", "1", "--out", small_disk / "r")
    assert_explained(done, 3, "disk is full")
    assert "dev" in done.stdout, "the verdict of what was measured is shown"
    kept = [line for line in (small_disk / "r/windows.jsonl").read_text().splitlines() if line.endswith("}")]
    assert kept
    assert all(json.loads(line)["load"]["ok"] == 20 for line in kept)
    assert not lab_processes(lab)


def test_two_runs_at_once_would_measure_each_other(lab: Lab, tmp_path: Path) -> None:
    """Those of one clone, and those of two."""
    first = lab.start("run", "--servers", "dev", "--rate", "20", "--rounds", "1", "--duration", "5")
    elsewhere = {"LAB_RESULTS": str(tmp_path), "DEV_PORT": "1"}
    try:
        first.says("[1/1]")
        assert_explained(
            lab("run", "--servers", "dev", *ONE_WINDOW, **elsewhere),
            3,
            "Another run is under way on this machine",
            f"process {first.process.pid} (",
        )
        own_lock = {"LAB_LOCK": str(tmp_path / "lock")}
        assert_explained(lab("run", "--servers", "dev", *ONE_WINDOW, **own_lock), 3, "Another run is under way")
    finally:
        # Void, where the two commands took too much of a busy machine's time.
        assert first.ends() in (0, 5), first.output


# ── a server under test that does not start, or dies: exit 4 ────────────────────────────────────────────────────────

BROKEN_APPS = {
    "does not import": ("import no_such_library\n", "app:app", "No module named 'no_such_library'"),
    "is not there": ("", "shop:app", "no module shop"),
    "has no such attribute": ("", "app:missing", "no attribute missing"),
    "is not callable": ("app = 42\n", "app:app", "not callable"),
    "raises at import": ("raise RuntimeError('no database')\n", "app:app", "RuntimeError: no database"),
    "would command a terminal": (
        r"raise RuntimeError('no \x1b]0;owned\x07\x1b[31m\x9b2Jdatabase')",
        "app:app",
        r"RuntimeError: no \x1b]0;owned\x07\x1b[31m\x9b2Jdatabase",
    ),
    "is asynchronous": ("async def app(scope, receive, send): ...\n", "app:app", "is an ASGI app"),
}


@pytest.mark.parametrize("kind", BROKEN_APPS)
def test_an_app_that_cannot_be_served_is_refused_before_any_server_starts(lab: Lab, tmp_path: Path, kind: str) -> None:
    source, name, reason = BROKEN_APPS[kind]
    (tmp_path / "app.py").write_text(source)
    app = ("--app", name, "--app-dir", tmp_path)
    done = lab("run", "--servers", "dev,gunicorn,uwsgi", *app, *ONE_WINDOW, TMPDIR=str(tmp_path))
    assert_explained(done, 4, "The app cannot be loaded, and no server was started.", reason)
    assert not set(done.stdout + done.stderr) & set("\x07\x1b\x9b"), "whatever a log holds, it is shown"
    assert not lab_processes(lab)
    # Of the traceback only what is the app's own; the rest is in the log.
    assert "importlib" not in done.stderr
    assert ('app.py", line 1' in done.stderr) == source.startswith(("import", "raise"))
    kept = list(tmp_path.glob("wsgilab-*.log"))
    assert all(str(log) in done.stderr and f"LAB_APP={name} cannot be served" in log.read_text() for log in kept)


def test_a_queue_longer_than_the_kernel_allows_is_named_with_what_it_allows(lab: Lab, tmp_path: Path) -> None:
    longest = int(Path("/proc/sys/net/core/somaxconn").read_text())
    variant = f"big=uwsgi,UWSGI_LISTEN={longest + 1}"
    done = lab("run", "--servers", "uwsgi", "--variant", variant, *ONE_WINDOW, TMPDIR=str(tmp_path))
    assert_explained(
        done, 4, "big did not start", f"net.core.somaxconn, the longest queue that this kernel allows: {longest}"
    )
    assert f"--variant longest=uwsgi,UWSGI_LISTEN={longest}\n" in done.stderr


def test_a_server_that_never_gets_healthy(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('503 Service Unavailable', [])\n"
        "    return [b'not yet']\n"
    )
    done = lab("run", "--servers", "gunicorn", "--app-dir", tmp_path, *ONE_WINDOW, LAB_START_TIMEOUT_S="2")
    assert_explained(done, 4, "gunicorn did not start: not healthy after 2 s", "HTTP 503")
    assert not lab_processes(lab)


def test_a_server_killed_in_mid_window_is_a_result_and_the_others_go_on(lab: Lab) -> None:
    running = lab.start(
        *("run", "--servers", "gunicorn,dev", "--rate", "20", "--rounds", "2", "--duration", "2", "--seed", "1")
    )
    running.says("gunicorn, mix at 20 rps, round 1")
    port = lab.environment["GUNICORN_PORT"]
    master = subprocess.run(["pgrep", "-o", "-f", f"127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    running.signal(0)
    os.kill(int(master.stdout), signal.SIGKILL)
    assert running.ends() == 4, running.output
    windows = windows_of(only_run(lab))
    assert len(windows) == 4
    died = [window for window in windows if window["died"]]
    assert [window["plan"]["server"] for window in died] == ["gunicorn"]
    assert "SIGKILL" in died[0]["died"]
    assert all(window["load"]["ok"] == 40 for window in windows if not window["died"])
    assert "gunicorn died" in running.output
    verdict = json.loads((only_run(lab) / "verdict.json").read_text())
    outcome = {server["server"]: server["verdict"] for server in verdict["servers"]}
    assert outcome == {"gunicorn": "bad", "dev": "good"}
    assert not lab_processes(lab)


# ── interrupted: exit 130 ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_in_mid_window_keeps_and_reports_what_was_measured(lab: Lab, number: int) -> None:
    running = lab.start("run", "--servers", "dev,uwsgi", "--rate", "20", "--rounds", "2", "--duration", "1")
    running.says("[2/4]")
    running.signal(number)
    assert running.ends() == 130, running.output
    assert "interrupted" in running.output
    assert "Traceback" not in running.output
    folder = only_run(lab)
    assert len(windows_of(folder)) == 1
    assert json.loads((folder / "verdict.json").read_text())["servers"]
    assert (folder / "report.html").stat().st_size > 0
    assert not lab_processes(lab)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_a_signal_while_servers_start_leaves_nothing_behind(lab: Lab, number: int) -> None:
    running = lab.start("run", "--rate", "20")
    running.says("Engine: local")
    wait_for(lambda: lab_processes(lab), "the first server")
    running.signal(number)
    assert running.ends() == 130, running.output
    assert "Traceback" not in running.output
    assert not lab_processes(lab)
    assert not any(path.is_dir() for path in lab.results.iterdir()), "an empty run is not kept"


# ── damaged results ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_cut_off_in_mid_line_is_still_read(lab: Lab, kept: tuple[Path, Done]) -> None:
    folder = Path(shutil.copytree(kept[0], lab.results / "cut-off"))
    whole = (folder / "windows.jsonl").read_bytes()
    (folder / "windows.jsonl").write_bytes(whole[: len(whole) * 3 // 4])
    done = lab("report", folder)
    assert done.returncode == 0
    assert "line 2 is cut off" in done.stderr
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["servers"][0]["loads"][0]["windows"] == 1
