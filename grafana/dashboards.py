"""Builds the dashboards: `python grafana/dashboards.py` writes grafana/dashboards/*.json; commit them.

Panels name recorded series only: prometheus/rules.yaml computes every figure, so no expression is written
twice. The JSON is Grafana's classic format, which 12 and 13 both provision. Each dashboard has a module of its own;
what they share is in blocks.py and palette.py.
"""

from __future__ import annotations

import json
from pathlib import Path

from browser_feels import browser_feels
from capacity import capacity
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from lab_health import lab_health
from one_server import one_server
from side_by_side import side_by_side

FOLDER = Path(__file__).parent / "dashboards"


def main() -> None:
    """Writes every dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in render().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def render() -> dict[str, str]:
    """The text of every dashboard by file name."""
    return dict(_json(build()) for build in (side_by_side, one_server, capacity, lab_health, browser_feels))


def _json(dashboard: Dashboard) -> tuple[str, str]:
    built = dashboard.build()
    # Without an id of its own a panel gets one at random each time it is read, and links to it break.
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
    # The SDK's default folds links into a menu, where nobody finds them. Its types forget that there may be none.
    for link in built.links or []:
        link.placement = None  # type: ignore[assignment]
    text = json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False)
    return f"{built.uid}.json", f"{text}\n"


if __name__ == "__main__":
    main()
