"""What goes wrong with a real stack: it is named with its cure, and nothing is lost."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess

from compose_stack import Stack
from support import ROOT, wait_for, windows_of


def test_a_server_that_does_not_run_is_named_with_its_cure(stack: Stack, main_job: str) -> None:
    stack.compose("--profile", "more", "rm", "--stop", "--force", "waitress")
    done = stack.compose(
        *("run", "--rm", "-e", "LAB_START_TIMEOUT_S=2", "runner", "run", "--servers", "waitress", "--quick"),
        check=False,
    )
    assert done.returncode == 3
    assert "docker compose --profile more up --detach --wait waitress" in done.stderr + done.stdout


def test_an_app_that_cannot_be_served_is_told_by_the_runner_in_its_container(stack: Stack, main_job: str) -> None:
    broken = {"LAB_APP": "app:missing"}
    stack.compose("--profile", "more", "up", "--detach", "--no-deps", "waitress", **broken)
    try:
        done = stack.compose(
            *("run", "--rm", "--no-deps", "-e", "LAB_START_TIMEOUT_S=6", "runner"),
            *("run", "--servers", "waitress", "--quick"),
            check=False,
        )
    finally:
        stack.compose("--profile", "more", "rm", "--stop", "--force", "waitress")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "waitress did not start: not healthy after 6 s" in done.stdout + done.stderr
    assert "docker compose logs --tail 20 waitress" in done.stdout + done.stderr


def test_an_app_that_cannot_be_served_shows_its_last_lines_on_the_host(stack: Stack, main_job: str) -> None:
    before = set(stack.containers())
    done = stack.lab("run", "--servers", "waitress", "--quick", LAB_APP="app:missing")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "The app cannot be loaded, and no server was started." in done.stderr
    assert "LAB_APP=app:missing cannot be served: module app has no attribute missing" in done.stderr
    assert 'Traceback (most recent call last):\n  File "/lab' not in done.stderr
    assert set(stack.containers()) == before


def test_a_port_in_use_is_named_with_its_holder_and_variable(stack: Stack, main_job: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = stack.lab("run", "--servers", "waitress", "--quick", WAITRESS_PORT=port)
    assert done.returncode == 3, done.stdout + done.stderr
    for part in (port, "waitress", f"process {os.getpid()} ", "WAITRESS_PORT="):
        assert part in done.stderr


def test_an_interrupted_run_is_kept_and_a_second_one_waits_its_turn(stack: Stack, main_job: str) -> None:
    few = ("runner", "run", "--servers", "dev,gunicorn", "--rate", "20", "--rounds", "1", "--duration", "5")
    name = f"{stack.environment['COMPOSE_PROJECT_NAME']}-interrupted"
    running = stack.start("run", "--rm", "-T", "--name", name, *few)
    running.says("[1/2]")
    second = stack.compose("run", "--rm", "-T", *few, check=False)
    assert second.returncode == 3, second.stderr
    assert "Another run is under way" in second.stdout + second.stderr
    running.says("[2/2]")
    subprocess.run(["docker", "kill", "--signal", "INT", name], env=stack.environment, check=True, capture_output=True)
    assert running.ends() == 130, running.output
    assert len(windows_of(stack.newest_run())) == 1
    assert (stack.newest_run() / "verdict.json").exists()


def test_a_container_that_dies_in_mid_window_is_a_result(stack: Stack, main_job: str) -> None:
    running = stack.start(
        *("run", "--rm", "-T", "runner", "run", "--servers", "gunicorn,dev", "--rate", "20"),
        *("--rounds", "1", "--duration", "5", "--seed", "1"),
    )
    running.says("gunicorn, mix at 20 rps")
    # The server's own process, as a crash would end it: `docker kill` counts as the user's wish and is not restarted.
    pid = stack.inside("gunicorn", "python3", "-c", OLDEST_GUNICORN).strip()
    stack.compose("exec", "-T", "gunicorn", "python3", "-c", f"import os; os.kill({pid}, 9)", check=False)
    assert running.ends() == 4, running.output
    windows = windows_of(stack.newest_run())
    assert [window["plan"]["server"] for window in windows if window["died"]] == ["gunicorn"]
    assert [window["load"]["ok"] for window in windows if not window["died"]] == [100]
    wait_for(
        lambda: stack.containers()["gunicorn"]["State"].get("Health", {}).get("Status") == "healthy", "gunicorn back"
    )


def test_an_exporter_and_an_nginx_that_die_take_no_server_with_them(stack: Stack, main_job: str) -> None:
    running = stack.start(
        *("run", "--rm", "-T", "runner", "run", "--servers", "uwsgi,gunicorn", "--rate", "20"),
        *("--rounds", "1", "--duration", "5"),
    )
    for window in ("[1/2]", "[2/2]"):
        running.says(window)
        if "uwsgi, mix" in running.output.rpartition(window)[2]:
            stack.compose("exec", "-T", "nginx", "sh", "-c", KILL_NGINX, check=False)
        else:
            stack.compose("exec", "-T", "gunicorn", "python3", "-c", KILL_THE_EXPORTER)
    running.ends()
    windows = {window["plan"]["server"]: window for window in windows_of(stack.newest_run())}
    assert [window["died"] for window in windows.values()] == [None, None], windows
    assert windows["uwsgi"]["void"].startswith("nginx")
    assert windows["gunicorn"]["void"].startswith("its exporter gave no answer in the window; gunicorn itself lived")
    stack.compose("up", "--detach", "--force-recreate", "--no-deps", "--wait", "gunicorn", "nginx", "nginx-exporter")


KILL_NGINX = """
for process in /proc/[0-9]*; do
    read -r name <"$process/comm" && [ "$name" = nginx ] && kill -9 "${process#/proc/}"
done
"""
KILL_THE_EXPORTER = """
import os
for pid in filter(str.isdigit, os.listdir('/proc')):
    if b'exporter.py' in open(f'/proc/{pid}/cmdline', 'rb').read() and int(pid) != os.getpid():
        os.kill(int(pid), 9)
"""
OLDEST_GUNICORN = """
import os
print(min(int(p) for p in os.listdir('/proc') if p.isdigit() and p != '1'
          and b'gunicorn' in open(f'/proc/{p}/cmdline', 'rb').read() and int(p) != os.getpid()))
"""


def test_results_that_cannot_be_written_go_into_a_volume(stack: Stack, main_job: str) -> None:
    done = stack.compose(
        *("run", "--rm", "--user", "12345:12345", "runner", "run", "--servers", "dev"),
        *("--rate", "20", "--rounds", "1", "--duration", "1"),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "goes into the volume 'spare'" in done.stderr + done.stdout
    assert "docker compose cp" in done.stderr + done.stdout


APPS = ROOT / "tests/local/apps"
FAULTS = {
    "memory": (
        "gunicorn,MOOD=keeps,GUNICORN_WORKERS=2",
        r"killed by the kernel \(out of memory, limit \d+ MB\) (once|twice|\d+ times)",
    ),
    "timeout": (
        "gunicorn,MOOD=slow,GUNICORN_CMD_ARGS=--timeout=1",
        r"gunicorn killed its own worker \d+ times \(timeout 1 s\): not the kernel, not memory; ",
    ),
    "burns": ("uwsgi,MOOD=burns", r"limited by CPU: 1 CPU ÷ [\d.]+ ms CPU per request = \d+ rps, 60 rps offered"),
}


def test_what_the_kernel_kills_is_told_from_what_the_server_kills_and_from_want_of_cpu(stack: Stack) -> None:
    """Memory and CPU have limits here that processes of the same machine have not."""
    why: dict[str, str] = {}
    voids: list[str] = []
    while missing := [name for name in FAULTS if name not in why]:  # a busy machine voids a window, and rightly so
        assert len(voids) < 3, voids
        variants = [word for name in missing for word in ("--variant", f"{name}={FAULTS[name][0]}")]
        done = stack.lab(
            *("run", "--servers", ",".join(missing), *variants, "--app", "moods:app", "--app-dir", str(APPS)),
            *("--workload", "/", "--rate", "60", "--rounds", "1", "--duration", "4"),
            SERVER_MEMORY="256m",
        )
        assert done.returncode in (0, 5), done.stdout + done.stderr
        verdict = json.loads((stack.newest_run() / "verdict.json").read_text())
        why |= {row["server"]: row["why"] for row in verdict["servers"] if row["loads"][0]["windows"]}
        voids += [f"{void['server']}: {void['reason']}" for void in verdict["void_windows"]]
    for name, (_, sentence) in FAULTS.items():
        # A worker that is back at once may lose no more than the objective allows.
        assert re.search(sentence, why[name]), (why[name], voids)


def test_a_queue_longer_than_the_containers_kernel_allows_is_named(stack: Stack) -> None:
    variant = "big=uwsgi,UWSGI_LISTEN=100000"
    done = stack.lab("run", "--servers", "big", "--variant", variant, "--rate", "20", "--rounds", "1")
    assert done.returncode == 4, done.stdout + done.stderr
    longest = re.search(r"net.core.somaxconn, the longest queue that this kernel allows: (\d+)", done.stderr)
    assert longest, done.stderr
    assert f"UWSGI_LISTEN={longest[1]}\n" in done.stderr
