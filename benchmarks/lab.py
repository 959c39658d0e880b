"""How long the lab makes a person wait, and how much of the machine it takes. Prints its figures and ends with 0.

    python benchmarks/lab.py [--json]

The Compose part needs a Docker engine with the lab's images built (docker compose build), and stops what it started.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from wsgilab.lab.servers import load_lab

ROOT = Path(__file__).resolve().parents[1]
WITHOUT_GRAFANA = ["runner", "nginx", "nginx-exporter", "prometheus", *load_lab(ROOT).default_servers]
PATIENCE_S = 120
MIB = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0, "B": 1 / 1024**2}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures for a program")
    options = parser.parse_args()
    figures: dict[str, object] = {"quick_run_s (limit 60)": quick_run_s()}
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0:
        figures |= compose_figures()
    else:
        figures["compose"] = "not measured: no Docker engine answers"
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print("\n".join(f"{name:48} {value}" for name, value in figures.items()))
    return 0


def quick_run_s() -> float:
    """Seconds of `./lab run --quick` with local processes, everything installed."""
    with tempfile.TemporaryDirectory() as results:
        started = time.monotonic()
        command = [sys.executable, "-m", "wsgilab", "run", "--quick", "--engine", "local", "--out", f"{results}/run"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
        )
        return round(time.monotonic() - started, 1)


def compose_figures() -> dict[str, object]:
    """First window after `up`, idle memory without Grafana, and what the server image adds to its base."""
    results = tempfile.mkdtemp()
    os.chmod(results, 0o777)
    environment = {**os.environ, "COMPOSE_PROJECT_NAME": "wsgilab-benchmark", "LAB_RESULTS_DIR": results}

    def docker(*arguments: str, check: bool = True) -> str:
        command = ["docker", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=check).stdout

    try:
        started = time.monotonic()
        docker("compose", "up", "--detach", *WITHOUT_GRAFANA)
        while "[1/" not in docker("compose", "logs", "runner") and time.monotonic() < started + PATIENCE_S:
            time.sleep(0.1)
        first_window_s = round(time.monotonic() - started, 1)
        docker("compose", "kill", "--signal", "INT", "runner")
        docker("compose", "wait", "runner", check=False)  # ends with the runner's own code, 130
        used = docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}")
        memory = {name: _mib(text) for name, text in re.findall(r"wsgilab-benchmark-(\S+)-1 (\S+) /", used)}
    finally:
        docker("compose", "down", "--volumes", "--timeout", "5")
    base = os.environ.get("PYTHON_IMAGE") or re.findall(r"^PYTHON_IMAGE=(.*)$", (ROOT / ".env").read_text(), re.M)[0]
    sizes = [
        int(docker("image", "inspect", "--format", "{{.Size}}", image)) for image in ("wsgilab-server:local", base)
    ]
    return {
        "first_compose_window_s (limit 20)": first_window_s,
        "idle_stack_without_grafana_mib (limit 700)": round(sum(memory.values())),
        "of which": {name: round(mib) for name, mib in sorted(memory.items())},
        "server_image_adds_mb (limit 150)": round((sizes[0] - sizes[1]) / 1e6),
    }


def _mib(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    return float(number) * MIB[unit]


if __name__ == "__main__":
    sys.exit(main())
