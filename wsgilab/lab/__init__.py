"""What compose.yaml, .env and the workloads define. ROOT is the folder they stand in."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
