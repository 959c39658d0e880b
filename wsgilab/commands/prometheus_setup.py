"""What the service `prometheus-setup` of compose.yaml runs: it writes what Prometheus is to read, and ends."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from wsgilab.commands import environment
from wsgilab.errors import EXIT_DONE, LabError, MissingError
from wsgilab.lab import ROOT
from wsgilab.measure import access, scrape_config

INSIDE = "http://prometheus:9090"
"""Where the lab's network reaches it."""


def main(folder: Path) -> int:
    """Write prometheus.yaml and the password into `folder`, a volume that Prometheus and its readers mount."""
    try:
        write(folder)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return error.exit_code
    return EXIT_DONE


def write(folder: Path) -> None:
    """The same. Raises UsageError for a compose.yaml that cannot be read, MissingError where there is no room."""
    lab = environment.lab()
    shipped = yaml.safe_load((ROOT / "prometheus/prometheus.yaml").read_text(encoding="utf-8"))
    config = scrape_config.for_containers(shipped, list(lab.servers.values()), folder)
    try:
        access.grant(folder, INSIDE, shared=True)
        part = folder / "prometheus.yaml.part"
        part.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        part.replace(folder / "prometheus.yaml")
    except OSError as error:
        raise MissingError(
            f"The configuration of Prometheus cannot be written: {error}.",
            "Docker's disk is full, or the volume 'prometheus-setup' belongs to another user",
            "docker compose down; docker volume rm wsgilab_prometheus-setup; docker compose up",
        ) from error


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
