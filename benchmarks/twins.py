"""How often are identical twins told apart? Real runs of a server next to itself, by every metric that is compared.

    python benchmarks/twins.py [--server NAME] [--rounds N] [--runs N] [--out DIR] [--engine ENGINE]

Of forty rounds, about ten minutes a run. At 95 % confidence one comparison in twenty may be wrong. Memory was wrong
again and again while it was counted by windows: all windows of a server were of one start.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="gunicorn", metavar="NAME", help="default: gunicorn")
    parser.add_argument("--rounds", type=int, default=40, metavar="N", help="default: 40")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keeps the runs there (default: nowhere)")
    parser.add_argument("--engine", default="local", metavar="local|compose", help="default: local")
    options = parser.parse_args()
    different: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as nowhere:
        for number in range(1, options.runs + 1):
            found = verdict(options, (options.out or Path(nowhere)) / str(number))
            took = f"{found['fresh_starts']} fresh starts took {found['fresh_starts_s']:.0f} s"
            print(f"run {number}: {took}; {'; '.join(map(said, found['comparisons']))}", flush=True)
            different.update(each["metric"] for each in found["comparisons"] if each["result"] != "no difference shown")
    told = ", ".join(f"{metric} {count}" for metric, count in different.items()) or "none"
    print(f"told apart in {options.runs} runs: {told}")
    return 0


def verdict(options: argparse.Namespace, out: Path) -> dict[str, Any]:
    """verdict.json of one run. Raises CalledProcessError where it failed."""
    command = [sys.executable, "-m", "wsgilab", "run", "--engine", options.engine, "--servers", options.server]
    twin = ["--variant", f"twin={options.server}", "--rate", "60", "--rounds", str(options.rounds), "--duration", "3"]
    subprocess.run(
        [*command, *twin, "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return dict(json.loads((out / "verdict.json").read_text()))


def said(comparison: dict[str, Any]) -> str:
    """`memory_mb 1.0004 (0.9989–1.0019) no difference shown`"""
    ratio = comparison["ratio"] or {}
    limits = "–".join(f"{ratio[end]:.4f}" if ratio.get(end) else "?" for end in ("low", "high"))
    return f"{comparison['metric']} {ratio.get('value', float('nan')):.4f} ({limits}) {comparison['result']}"


if __name__ == "__main__":
    sys.exit(main())
