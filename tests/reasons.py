"""Why a test fails, said at once."""

from __future__ import annotations

import pytest


class Reasons:
    """Says why a test fails the moment it does: what takes half an hour may be ended before its summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal
        self._said: set[str] = set()

    @pytest.hookimpl(trylast=True)  # when the test has been named
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Once, where a fixture of a module fails and with it each of its tests."""
        if not report.failed:
            return
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = crash.message if crash else str(report.longrepr)
        if reason not in self._said:
            self._said.add(reason)
            self._terminal.write_line(reason)
