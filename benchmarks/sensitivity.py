"""How small a difference does `./lab run --rigorous` tell apart? Real runs of a real gunicorn, one after the other.

    python benchmarks/sensitivity.py [--more PERCENT[,PERCENT…]] [--runs N] [--out DIR]

Each run measures gunicorn next to variants whose app burns more CPU for each request (burner.py), and its verdict says
of each whether it used more, as any comparison of the lab does. About two minutes a run, and two for each variant.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVER, RATE_RPS = "gunicorn", "60"
METRIC = "cpu_ms_per_request"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--more", type=_percent, default=[5, 10], metavar="PERCENT[,…]", help="default: 5,10")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keeps the runs there (default: nowhere)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as nowhere:
        out = options.out or Path(nowhere)
        cpu_ms = usual_cpu_ms(out / "usual")
        print(f"{SERVER} at {RATE_RPS} rps of mix: {cpu_ms:.2f} ms of CPU per request", flush=True)
        told = {f"more-{percent}": 0 for percent in options.more}
        for number in range(1, options.runs + 1):
            found = compared(verdict(out / str(number), "--rigorous", *variants(options.more, cpu_ms)))
            for name, comparison in found.items():
                told[name] += comparison["result"] == "a lower"
            print(f"run {number}: {'; '.join(said(*each) for each in found.items())}", flush=True)
    for percent in options.more:
        print(f"{percent} % more CPU was told apart in {told[f'more-{percent}']} of {options.runs} runs")
    return 0


def _percent(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def usual_cpu_ms(out: Path) -> float:
    """Milliseconds of CPU time that a request takes without any burning."""
    found = verdict(out, "--rounds", "3", "--duration", "4")
    return float(found["servers"][0]["loads"][0][METRIC]["value"])


def variants(more: Sequence[int], cpu_ms: float) -> list[str]:
    """The options that add the variants."""
    return [f"--variant=more-{percent}={SERVER},BURN_MS={percent / 100 * cpu_ms:.4f}" for percent in more]


def verdict(out: Path, *options: str) -> dict[str, Any]:
    """verdict.json of a run. Raises CalledProcessError where it failed."""
    command = [sys.executable, "-m", "wsgilab", "run", "--engine", "local", "--servers", SERVER, "--rate", RATE_RPS]
    app = ["--app", "burner:application", "--app-dir", str(ROOT / "benchmarks")]
    subprocess.run(
        [*command, *app, *options, "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return dict(json.loads((out / "verdict.json").read_text()))


def compared(found: Mapping[str, Any]) -> dict[str, Any]:
    """The server's CPU time over that of each variant, by variant."""
    return {each["b"]: each for each in found["comparisons"] if (each["a"], each["metric"]) == (SERVER, METRIC)}


def said(name: str, comparison: Mapping[str, Any]) -> str:
    """`more-10 0.91 (0.89–0.93) a lower`"""
    ratio = comparison["ratio"]
    return f"{name} {ratio['value']:.3f} ({ratio['low']:.3f}–{ratio['high']:.3f}) {comparison['result']}"


if __name__ == "__main__":
    sys.exit(main())
