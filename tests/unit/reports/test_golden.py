"""Three saved runs give the verdict and the report that they gave before: a run, a search, an interrupted run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support import ROOT

from wsgilab import api

GOLDEN = ROOT / "tests/golden"


@pytest.mark.parametrize("run", ["run", "capacity", "interrupted"])
def test_a_saved_run_gives_what_it_gave_before(run: str, tmp_path: Path) -> None:
    """When a sentence is meant to change: `./lab report tests/golden/RUN`, and look at the difference."""
    copy = tmp_path / run
    shutil.copytree(GOLDEN / run, copy)
    api.report(copy)
    for name in ("verdict.json", "report.md"):
        assert (copy / name).read_text() == (GOLDEN / run / name).read_text()
