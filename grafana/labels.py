"""What figures are called: the same words on dashboards as in every report."""

from __future__ import annotations

import sys
from pathlib import Path

# The runner is run from its folder, and installed nowhere.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from wsgilab.model.metrics import METRICS

P50, P95, P99 = (METRICS[key].label for key in ("p50_ms", "p95_ms", "p99_ms"))
SERVED = METRICS["goodput_rps"].label
FAILED = METRICS["failed_ratio"].label
CPU_PER_REQUEST = METRICS["cpu_ms_per_request"].label
MEMORY = METRICS["memory_mb"].label
TIME_IN_THE_APP = METRICS["service_ms"].label
