"""The colours of the dashboards: each server's is its label in compose.yaml, the others stand here.

After Okabe & Ito (https://jfly.uni-koeln.de/color/) and Paul Tol (https://sronpersonalpages.nl/~pault/): told apart
with red-green and blue-yellow blindness.
"""

from __future__ import annotations

from pathlib import Path

import yaml

COMPOSE = Path(__file__).resolve().parents[1] / "compose.yaml"
LABELS = {
    name: service["labels"]
    for name, service in yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"].items()
    if "lab.pattern" in service.get("labels", {})
}
SERVER_COLORS: dict[str, str] = {
    name: labels["lab.colour"] for name, labels in LABELS.items() if "lab.colour" in labels
}
"""A server without one has a colour of Grafana's choice."""

# Of the strip: no server's colour, and light enough for dark letters except where nothing is said.
STATE_COLORS = {"down": "#BB5566", "idle": "#555555", "warm-up": "#BBBBBB", "measured": "#F0E442"}

# Of the parts that a response time is made of, from the client inwards.
PART_COLORS = {"connect": "#88CCEE", "nginx": "#44AA99", "queue": "#CC6677", "app": "#4477AA", "transfer": "#DDCC77"}

LIMIT_COLORS = {"slots allow": "#CC6677", "CPUs allow": "#4477AA", "offered": "#BBBBBB"}
