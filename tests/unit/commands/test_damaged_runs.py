"""A sample of benchmarks/damaged_runs.py: spoilt runs are reported or refused, and nothing of theirs is obeyed."""

from __future__ import annotations

from pathlib import Path

import damaged_run
import pytest
from support import ROOT

GOLDEN = sorted(path for path in (ROOT / "tests/golden").iterdir() if path.is_dir())
SAMPLE = 108


@pytest.mark.parametrize("first", range(0, SAMPLE, 9))
def test_no_spoilt_run_is_a_fault_of_the_lab(tmp_path: Path, first: int) -> None:
    for seed in range(first, first + 9):
        assert damaged_run.spoil_and_report(GOLDEN[seed % len(GOLDEN)], tmp_path / str(seed), seed) == []
