"""`./lab view`: the committed dashboards in a browser, from the same Prometheus, where there is no Grafana."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from wsgilab.errors import EXIT_DONE, Interrupted, MissingError
from wsgilab.lab.servers import Lab
from wsgilab.machine.http import public
from wsgilab.machine.ports import another, holder
from wsgilab.machine.waiting import Stop
from wsgilab.measure import access
from wsgilab.measure.recorder import Recorder
from wsgilab.view.answers import Answers
from wsgilab.view.prometheus import Prometheus
from wsgilab.view.server import Site

POLL_S = 1.0


def view(lab: Lab, arguments: argparse.Namespace) -> int:
    """Serve the dashboards until Ctrl-C. Raises MissingError where the port or the browser's library is missing."""
    results = Path(os.environ.get("LAB_RESULTS") or lab.root / "results")
    with Stop() as stop, Recorder(lab, results) as recorder:
        url = arguments.prometheus or access.url_of(os.environ) or recorder.url
        prometheus = Prometheus(url)
        with _site(arguments.port, Answers(lab.root, results, prometheus)) as site:
            try:
                if url == recorder.url:
                    _start(recorder, stop)
                print(f"The dashboards are at {site.url} and show the Prometheus at {public(url)}.", end=" ")
                print("Ctrl-C ends this.", flush=True)
                while True:
                    stop.wait(POLL_S)
                    recorder.keep_up()
            except Interrupted:
                print(prometheus.summary())
    return EXIT_DONE


def _start(recorder: Recorder, stop: Stop) -> None:
    """Have the Prometheus of local runs, or show the one that is there. Without one the page says so, and waits."""
    if recorder.answers() and not recorder.is_ours():
        return
    try:
        recorder.start(stop)
    except MissingError as error:
        print(f"lab: {error}", file=sys.stderr)


def _site(port: int, answers: Answers) -> Site:
    try:
        return Site(port, answers)
    except OSError as error:
        raise MissingError(
            f"Port {port} on 127.0.0.1 is in use.",
            f"{holder(port)} listens on it",
            f"end that process, or: ./lab view --port {another(port)}",
        ) from error
