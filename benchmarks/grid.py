"""Record the capacity of every setting of a server under a workload: the grid that a tuning is held against.

python benchmarks/grid.py --server gunicorn --workload mix

For hours of a quiet machine: each setting is searched by itself, as `./lab capacity` does it, in an order drawn by lot,
so that a part of the grid is a sample of it. Each is on disk when it is known; the same command goes on after Ctrl-C.
What belongs together was recorded on one machine: a grid that another one began is refused.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from wsgilab import Request, Result, capacity
from wsgilab.analysis.tuning import space
from wsgilab.errors import Interrupted, LabError
from wsgilab.lab.families import variant_of
from wsgilab.lab.servers import load_lab
from wsgilab.measure.manifest import host
from wsgilab.model.tuning import Setting

ROOT = Path(__file__).resolve().parent.parent
GRIDS = ROOT / "tests/grids"
SEED = 1


def main() -> int:
    """Record what is missing. Gives the exit code."""
    asked = _options()
    path = asked.out or GRIDS / f"{asked.server}-{asked.workload}.jsonl"
    cpus = len(load_lab(ROOT, {}).cpus("SERVER_CPUS"))
    machine = {**host(), "server_cpus": cpus, "workload": asked.workload, "slo": asked.slo}
    known = _known(path, machine)
    settings = list(space.settings_of(asked.server, cpus))
    random.Random(SEED).shuffle(settings)
    missing = [setting for setting in settings if setting.name not in known]
    for number, setting in enumerate(missing, len(known) + 1):
        print(f"[{number}/{len(settings)}] {setting.name}", flush=True)
        try:
            _append(path, _record(setting, asked))
        except (Interrupted, KeyboardInterrupt):
            return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="gunicorn", help="gunicorn or uwsgi")
    parser.add_argument("--workload", default="mix")
    parser.add_argument("--slo", default=Request.slo)
    parser.add_argument("--budget", type=float, default=100.0, help="seconds for each setting")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _known(path: Path, machine: dict[str, Any]) -> set[str]:
    """The settings that are recorded. A new file begins with the machine; one of another machine ends the program."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _append(path, {"machine": machine})
        return set()
    first, *rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    if first["machine"] != json.loads(json.dumps(machine)):
        sys.exit(f"{path} was recorded on another machine, or under another load: {first['machine']}")
    return {row["setting"] for row in rows}


def _record(setting: Setting, asked: argparse.Namespace) -> dict[str, Any]:
    """One setting: its capacity, what requests cost, what it used, or how it died."""
    began = time.monotonic()
    request = Request(
        engine="local",
        servers=(setting.name,),
        variants=(variant_of(setting).text,),
        workload=asked.workload,
        slo=asked.slo,
        budget_s=asked.budget,
        seed=SEED,
    )
    try:
        result = capacity(request)
    except LabError as error:
        return {"setting": setting.name, "died": error.what.splitlines()[0]}
    if isinstance(result.trouble, Interrupted):
        raise result.trouble
    return {"setting": setting.name, **_found(result), "took_s": round(time.monotonic() - began, 1)}


def _found(result: Result) -> dict[str, Any]:
    (row,) = result.verdict.servers
    loads = [load for load in row.loads if load["cpu_ms_per_request"]]
    kept_rps = row.capacity_rps.value if row.capacity_rps else 0.0
    at_work = [load for load in loads if load.rate_rps <= kept_rps] or loads
    return {
        "capacity_rps": row.capacity_rps.to_json() if row.capacity_rps else None,
        "service_ms": row.service_ms.value if row.service_ms else None,
        "cpu_ms": _value(at_work, "cpu_ms_per_request"),
        "memory_mb": _value(at_work, "memory_mb"),
        "died": next((window.died for window in result.windows if window.died), ""),
    }


def _value(loads: Sequence[Any], metric: str) -> float | None:
    """A figure at the highest of these loads."""
    figure = loads[-1][metric] if loads else None
    return figure.value if figure else None


def _append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    sys.exit(main())
