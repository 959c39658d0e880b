"""What the exporter makes of its sources where two of them disagree, or one refuses."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import collector
import pytest
from cgroup import ControlGroup
from collector import Collector, Sources
from uwsgi_stats import UwsgiStats

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc on this system")
STATS = UwsgiStats(
    pids={1: 11, 2: 12},
    cheap=frozenset(),
    workers_busy=1,
    exceptions=0,
    harakiris=0,
    listen_queue=0,
    listen_queue_errors=2,
)


def collected(tmp_path: Path, waiting: int | None = None) -> dict[str, float]:
    """Every sample of a server whose listeners say that so many wait, by its name and labels."""
    sources: dict[str, Any] = dict.fromkeys(("tables", "tree", "listeners", "nginx"))
    if waiting is not None:
        sources["tree"] = SimpleNamespace(pids=(), read=lambda: None)
        sources["listeners"] = SimpleNamespace(queue_length=lambda _pids: waiting, connections=lambda: None)
    given = cast(Sources, SimpleNamespace(**sources, root=os.getpid(), control_group=ControlGroup({}, None)))
    given.uwsgi_socket = tmp_path  # type: ignore[misc]
    samples = [sample for family in Collector(given).collect() for sample in family.samples]
    return {"".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}


def test_the_kernels_queue_counts_and_uwsgis_only_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uWSGI sees nothing of what waits at a unix socket."""
    monkeypatch.setattr(collector.uwsgi_stats, "read", lambda _path: STATS)
    assert collected(tmp_path, waiting=7)["server_listen_queue"] == 7
    alone = collected(tmp_path)
    assert (alone["server_listen_queue"], alone["server_listen_overflows_total"]) == (0, 2)
    assert alone["uwsgi_exceptions_total"] == 0, "nothing counted is a figure too"


def test_a_source_that_refuses_is_an_error_by_its_name_and_not_a_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path) -> UwsgiStats:
        raise OSError("refused")

    monkeypatch.setattr(collector.uwsgi_stats, "read", refuse)
    found = collected(tmp_path)
    assert found["exporter_errors_totaluwsgi"] == 1
    assert not [name for name in found if name.startswith("uwsgi_") or name == "server_listen_queue"]
