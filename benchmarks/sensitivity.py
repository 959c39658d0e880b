"""How small a difference does `./lab run --rigorous` tell apart? Real runs of a real gunicorn, one after the other.

    python benchmarks/sensitivity.py [--runs N] [--out DIR]

Each run measures gunicorn beside variants whose app burns 5 % and 10 % more CPU for each request (burner.py), and its
verdict says of each whether it used more, as any comparison of the lab does. About five minutes a run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVER, RATE_RPS = "gunicorn", "60"
MORE = {"five": 0.05, "ten": 0.10}
METRIC = "cpu_ms_per_request"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keeps the runs there (default: nowhere)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as nowhere:
        out = options.out or Path(nowhere)
        cpu_ms = usual_cpu_ms(out / "usual")
        print(f"{SERVER} at {RATE_RPS} rps of mix: {cpu_ms:.2f} ms of CPU a request", flush=True)
        told = dict.fromkeys(MORE, 0)
        for number in range(1, options.runs + 1):
            found = compared(verdict(out / str(number), "--rigorous", *variants(cpu_ms)))
            for name, comparison in found.items():
                told[name] += comparison["result"] == "a lower"
            print(f"run {number}: {'; '.join(said(*each) for each in found.items())}", flush=True)
    for name, more in MORE.items():
        print(f"{more:.0%} more CPU was told apart in {told[name]} of {options.runs} runs")
    return 0


def usual_cpu_ms(out: Path) -> float:
    """Milliseconds of CPU time that a request takes without any burning."""
    found = verdict(out, "--rounds", "3", "--duration", "4")
    return float(found["servers"][0]["loads"][0][METRIC]["value"])


def variants(cpu_ms: float) -> list[str]:
    """The options that add the variants."""
    return [f"--variant={name}={SERVER},BURN_MS={more * cpu_ms:.4f}" for name, more in MORE.items()]


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
    """`ten 0.91 (0.89–0.93) a lower`"""
    ratio = comparison["ratio"]
    return f"{name} {ratio['value']:.3f} ({ratio['low']:.3f}–{ratio['high']:.3f}) {comparison['result']}"


if __name__ == "__main__":
    sys.exit(main())
