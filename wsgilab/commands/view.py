"""`./lab view`: the committed dashboards in a browser, from the same Prometheus, where there is no Grafana."""

from __future__ import annotations

import click

from wsgilab.commands import environment, values
from wsgilab.commands.console import say
from wsgilab.commands.grammar import Command, debug, option
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import EXIT_DONE, Interrupted, MissingError
from wsgilab.machine.http import public
from wsgilab.machine.ports import another, holder
from wsgilab.machine.waiting import Stop
from wsgilab.measure.recorder import Recorder
from wsgilab.view.answers import Answers
from wsgilab.view.prometheus import Prometheus
from wsgilab.view.server import Site

PORT = 3001
POLL_S = 1.0


@click.command(cls=Command, name="view", example="./lab view --port 8080")
@option(
    "--port",
    type=values.whole("the port", 65535),
    default=PORT,
    group="Options",
    metavar="N",
    help=f"Where the page is, on 127.0.0.1 (default: {PORT}).",
)
@option(
    "--prometheus",
    type=values.WEB_ADDRESS,
    group="Options",
    metavar="URL",
    help="The Prometheus to show (default: the one on PROMETHEUS_PORT, started if there is none).",
)
@debug
def command(port: int, prometheus: str | None) -> int:
    """Show the dashboards in a browser, without Grafana.

    During a run, or afterwards; Ctrl-C ends it.
    """
    lab, results = environment.lab(), environment.results()
    with stop_on_signals() as stop, Recorder(lab, results, say) as recorder:
        url = prometheus or environment.prometheus_url() or recorder.url
        shown = Prometheus(url)
        with _site(port, Answers(lab.root, results, shown)) as site:
            try:
                if url == recorder.url:
                    _start(recorder, stop)
                print(f"The dashboards are at {site.url} and show the Prometheus at {public(url)}.", end=" ")
                print("Ctrl-C ends this.", flush=True)
                while True:
                    stop.wait(POLL_S)
                    recorder.keep_up()
            except Interrupted:
                print(shown.summary())
    return EXIT_DONE


def _start(recorder: Recorder, stop: Stop) -> None:
    """Have the Prometheus of local runs, or show the one that is there. Without one the page says so, and waits."""
    if recorder.answers() and not recorder.is_ours():
        return
    try:
        recorder.start(stop)
    except MissingError as error:
        say(error)


def _site(port: int, answers: Answers) -> Site:
    try:
        return Site(port, answers)
    except OSError as error:
        raise MissingError(
            f"Port {port} on 127.0.0.1 is in use.",
            f"{holder(port)} listens on it",
            f"./lab view --port {another(port)}",
        ) from error
