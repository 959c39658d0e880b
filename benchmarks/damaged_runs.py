"""Thousands of spoilt runs through `./lab report`: none may end as a fault of the lab, or pass on what is not text.

    .venv/bin/python benchmarks/damaged_runs.py [--count 5000] [--first 0]

Ends with 1 where anything is wrong, with the seed that shows it again. tests/unit/commands/test_damaged_runs.py is a
sample of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import damaged_run  # noqa: E402

GOLDEN = sorted(path for path in (ROOT / "tests/golden").iterdir() if path.is_dir())


def main() -> int:
    """Spoil, report, say what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    asked = parser.parse_args()
    wrong = 0
    slowest_s, slowest = 0.0, 0
    for seed in range(asked.first, asked.first + asked.count):
        with tempfile.TemporaryDirectory() as scratch:
            began = time.process_time()
            for fault in damaged_run.spoil_and_report(GOLDEN[seed % len(GOLDEN)], Path(scratch) / "run", seed):
                wrong += 1
                print(fault, flush=True)
            slowest_s, slowest = max((slowest_s, slowest), (time.process_time() - began, seed))
    print(
        f"{asked.count} spoilt runs, {wrong} faults; the slowest report took {slowest_s:.1f} s of CPU (seed {slowest})"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
