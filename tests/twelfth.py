"""A copy of the lab with one more server: what CONTRIBUTING.md says is done, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from support import ROOT

NAME, PORT_VARIABLE, COLOUR = "waitress-two", "WAITRESS_TWO_PORT", "#AA3377"
SERVICE = f"""
  {NAME}:
    <<: *server
    profiles: [more]
    command: waitress-serve --listen 0.0.0.0:8000 --threads ${{WAITRESS_TWO_THREADS:-2}} wsgi:application
    environment: {{<<: *environment, LAB_SERVER: {NAME}}}
    ports: ["${{BIND_ADDRESS}}:${{{PORT_VARIABLE}}}:8000"]
    labels:
      lab.pattern: Waitress, two threads
      lab.slots: ${{WAITRESS_TWO_THREADS:-2}}
      lab.url: http://{NAME}:8000
      lab.colour: "{COLOUR}"
      lab.marker: plus
"""
FOLDERS = ("wsgilab", "services", "k6", "prometheus", "grafana")


def copied(folder: Path, port: int) -> Path:
    """The lab in a folder of its own, with the service in compose.yaml, and its port in .env."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "results").mkdir()
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    before, heading, after = compose.partition("\n  # ── what records and shows")
    (folder / "compose.yaml").write_text(before + SERVICE + heading + after, encoding="utf-8")
    env = (ROOT / ".env").read_text(encoding="utf-8")
    (folder / ".env").write_text(f"{env}\n{PORT_VARIABLE}={port}\n", encoding="utf-8")
    return folder
