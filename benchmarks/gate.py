"""How often is `./lab gate` wrong? Real gates of a real gunicorn: of identical code, and of code that takes more CPU.

    python benchmarks/gate.py [--gates N] [--more PERCENT[,PERCENT…]] [--out FILE]

Each gate compares the working tree of a git repository, made for this, with its last commit. The lab's own app is in
it, and in the working tree each request burns so many per cent more CPU than it takes. The kinds take turns, a gate
each, about one and a half minutes on an idle machine. Each is one line of FILE when it has ended: the same command goes
on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVER, RATE_RPS, METRIC = "gunicorn", "100", "cpu_ms_per_request"
OUTCOMES = ("passed", "got worse", "missed", "too noisy to say")
APP = """\
from app import app, burn_cpu

MORE_MS = {more_ms:.4f}

def application(environ, start_response):
    burn_cpu(MORE_MS)
    return app(environ, start_response)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=int, default=20, metavar="N", help="of each kind (default: 20)")
    parser.add_argument("--more", type=_percent, default=[0, 10, 5], metavar="PERCENT[,…]", help="default: 0,10,5")
    parser.add_argument("--out", type=Path, default=ROOT / "results/gates.jsonl", metavar="FILE")
    options = parser.parse_args()
    done = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    with tempfile.TemporaryDirectory() as place:
        repository = make_repository(Path(place) / "app")
        usual_ms = next((line["usual_cpu_ms"] for line in done if "usual_cpu_ms" in line), None)
        if usual_ms is None:
            usual_ms = usual_cpu_ms(repository, Path(place) / "usual")
            keep(options.out, done, {"usual_cpu_ms": usual_ms})
        print(f"{SERVER} at {RATE_RPS} rps of mix: {usual_ms:.2f} ms of CPU per request", flush=True)
        for number in range(1, options.gates + 1):
            for percent in options.more:
                if any((line.get("gate"), line.get("percent")) == (number, percent) for line in done):
                    continue
                found = gate(repository, percent / 100 * usual_ms, Path(place) / f"{number}-{percent}")
                keep(options.out, done, {"gate": number, "percent": percent, **found})
                print(f"gate {number}, {percent} % more CPU: {said(found)}", flush=True)
    for percent in options.more:
        print(summary(percent, [line for line in done if line.get("percent") == percent]))
    return 0


def _percent(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def keep(file: Path, done: list[dict[str, Any]], line: dict[str, Any]) -> None:
    """Add a line to the file, and to what is done."""
    with file.open("a") as out:
        out.write(json.dumps(line) + "\n")
    done.append(line)


def make_repository(folder: Path) -> Path:
    """A repository with the app, committed as it burns nothing more."""
    folder.mkdir()
    shutil.copyfile(ROOT / "services/app/app.py", folder / "app.py")
    (folder / "burning.py").write_text(APP.format(more_ms=0))
    me = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "."], [*me, "commit", "--quiet", "--message", "As it was"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def usual_cpu_ms(repository: Path, out: Path) -> float:
    """Milliseconds of CPU time that a request takes without any burning."""
    lab(["run", "--rounds", "3", "--out", str(out)], repository, check=True)
    verdict = json.loads((out / "verdict.json").read_text())
    return float(verdict["servers"][0]["loads"][0][METRIC]["value"])


def gate(repository: Path, more_ms: float, out: Path) -> dict[str, Any]:
    """How one gate ended, what it measured, and how long it took."""
    (repository / "burning.py").write_text(APP.format(more_ms=more_ms))
    began = time.monotonic()
    ended = lab(["gate", "--against", "HEAD", "--json", "--out", str(out)], repository)
    took_s = round(time.monotonic() - began, 1)
    try:
        found = json.loads(ended.stdout)
    except ValueError:
        raise SystemExit(f"a gate ended with {ended.returncode}:\n{ended.stderr}") from None
    verdict = json.loads((out / "verdict.json").read_text())
    return {
        "outcome": found["outcome"],
        "code": ended.returncode,
        "took_s": took_s,
        "rounds": verdict["rounds"],
        "void": len(verdict["void_windows"]),
        "ratios": {check["about"]: check["ratio"] for check in found["checks"] if check["ratio"]},
        "failed": [check["about"] for check in found["checks"] if check["outcome"] in ("got worse", "missed")],
    }


def lab(words: Sequence[str], repository: Path, *, check: bool = False) -> subprocess.CompletedProcess[str]:
    """One command of the lab for the app of the repository, to its end."""
    what = ["--servers", SERVER, "--rate", RATE_RPS, "--engine", "local"]
    app = ["--app-dir", str(repository), "--app", "burning:application"]
    return subprocess.run(
        [sys.executable, "-m", "wsgilab", *words, *what, *app],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=check,
    )


def said(found: dict[str, Any]) -> str:
    """`passed in 78 s, 6 rounds; CPU per request ×1.003 (0.989–1.017)`"""
    ratio = found["ratios"][METRIC]
    limits = "–".join(f"{ratio[end]:.3f}" if ratio[end] else "?" for end in ("low", "high"))
    why = f" ({', '.join(found['failed'])})" if found["failed"] else ""
    return (
        f"{found['outcome']}{why} in {found['took_s']:.0f} s, {found['rounds']} rounds, {found['void']} void; "
        f"CPU per request ×{ratio['value']:.3f} ({limits})"
    )


def summary(percent: int, found: Sequence[dict[str, Any]]) -> str:
    """How the gates of one kind ended, what they measured, and how long they took."""
    if not found:
        return f"{percent} % more CPU: no gates"
    ended = [line["outcome"] for line in found]
    counts = ", ".join(f"{ended.count(outcome)} {outcome}" for outcome in OUTCOMES if outcome in ended)
    took_s = sorted(line["took_s"] for line in found)
    ratios = [line["ratios"][METRIC] for line in found]
    values = sorted(ratio["value"] for ratio in ratios)
    held = sum((ratio["low"] or 0) <= 1 + percent / 100 <= (ratio["high"] or 9) for ratio in ratios)
    return (
        f"{percent} % more CPU: {len(found)} gates: {counts}; {statistics.median(took_s):.0f} s ({took_s[0]:.0f} to "
        f"{took_s[-1]:.0f}); measured ×{statistics.median(values):.3f} ({values[0]:.3f} to {values[-1]:.3f}), "
        f"{held} intervals hold ×{1 + percent / 100:g}"
    )


if __name__ == "__main__":
    sys.exit(main())
