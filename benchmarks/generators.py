"""Are several generators told from one? The same server under one k6, and under several that share its schedule.

    python benchmarks/generators.py [--server NAME] [--generators N] [--rate RPS] [--pairs N] [--out DIR]

Each pair is two windows of the same server, in an order that is drawn anew: one generator, several. For p50, p99 and
goodput the ratio of the pairs (several ÷ one) has a 95 % interval; where it holds 1, no difference is shown. About 25 s
a pair.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
METRICS = ("p50_ms", "p99_ms", "goodput_rps")
RESAMPLES = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="gunicorn", metavar="NAME", help="default: gunicorn")
    parser.add_argument("--generators", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--rate", type=float, default=100.0, metavar="RPS", help="default: 100")
    parser.add_argument("--pairs", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keeps the runs there (default: nowhere)")
    options = parser.parse_args()
    dice = random.Random(options.seed)
    pairs: list[dict[int, dict[str, float]]] = []
    void = 0
    with tempfile.TemporaryDirectory() as nowhere:
        for number in range(1, options.pairs + 1):
            counts = [1, options.generators]
            dice.shuffle(counts)
            folder = options.out or Path(nowhere)
            found = {count: figures(options, count, folder / f"{number}-{count}") for count in counts}
            void += sum(not one for one in found.values())
            if all(found.values()):
                pairs.append(found)
                told = "; ".join(f"{count}: {words(found[count])}" for count in (1, options.generators))
                print(f"pair {number}: {told}", flush=True)
    print(f"{len(pairs)} pairs, {void} void windows")
    for metric in METRICS:
        ratios = [math.log(pair[options.generators][metric] / pair[1][metric]) for pair in pairs]
        low, value, high = interval(ratios, dice)
        result = "no difference shown" if low <= 1 <= high else "a difference"
        print(f"{metric}, {options.generators} generators ÷ 1: {value:.4f} ({low:.4f} to {high:.4f}): {result}")
    return 0


def figures(options: argparse.Namespace, generators: int, out: Path) -> dict[str, float]:
    """The figures of one window; empty where it was void. Raises CalledProcessError where the run failed."""
    command = [sys.executable, "-m", "wsgilab", "run", "--engine", "local", "--servers", options.server]
    command += ["--out", str(out), "--rate", f"{options.rate:g}", "--rounds", "1", "--duration", "8"]
    command += ["--generators", str(generators)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 5:
        return {}
    done.check_returncode()
    (load,) = json.loads((out / "verdict.json").read_text())["servers"][0]["loads"]
    return {metric: load[metric]["value"] for metric in METRICS}


def interval(logs: list[float], dice: random.Random) -> tuple[float, float, float]:
    """The mean ratio and its 95 % interval, by resampling pairs: (low, value, high)."""
    means = sorted(statistics.fmean(dice.choices(logs, k=len(logs))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]
    return math.exp(low), math.exp(statistics.fmean(logs)), math.exp(high)


def words(found: dict[str, float]) -> str:
    """`p50_ms 24.10, p99_ms 26.00, goodput_rps 99.80`"""
    return ", ".join(f"{metric} {value:.2f}" for metric, value in found.items())


if __name__ == "__main__":
    sys.exit(main())
