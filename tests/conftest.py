"""What every test shares: a lab of its own, why something failed, and a list of what this machine could not run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from reasons import Reasons
from support import PORT_VARIABLES, Lab, lab_environment

from wsgilab.machine.ports import free_ports


@pytest.hookimpl(trylast=True)  # when there is a terminal to write to
def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop("COLUMNS", None)  # pytest-xdist says 80; what the lab prints is as wide as where nobody says
    if terminal := config.pluginmanager.get_plugin("terminalreporter"):
        config.pluginmanager.register(Reasons(terminal))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not run, and why: a skipped test must not look like a passed one."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("not run on this machine")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.write_line(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")


@pytest.fixture(scope="session")
def own_ports() -> dict[str, str]:
    """Every port of .env, set to one that is free: tests never meet a lab that runs."""
    return dict(zip(PORT_VARIABLES, map(str, free_ports(len(PORT_VARIABLES))), strict=True))


@pytest.fixture
def lab(tmp_path: Path, own_ports: dict[str, str]) -> Iterator[Lab]:
    """The lab on ports of its own, keeping its results in `lab.results`; servers run as local processes."""
    results = tmp_path / "results"
    results.mkdir()
    lab = Lab(lab_environment(results, own_ports), results)
    yield lab
    lab.stop()
