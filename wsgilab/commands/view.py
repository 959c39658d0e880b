"""`./lab view`: the lab in a browser: what is going on, what was found, the lesson, the dashboards."""

from __future__ import annotations

import os

import click

from wsgilab.commands import environment, values
from wsgilab.commands.console import say
from wsgilab.commands.grammar import Command, debug, option
from wsgilab.commands.signals import stop_on_signals
from wsgilab.errors import EXIT_DONE, Interrupted, MissingError
from wsgilab.lab.servers import parse_port
from wsgilab.machine.cpus import pinned
from wsgilab.machine.http import public
from wsgilab.machine.ports import another, why_taken
from wsgilab.machine.waiting import Stop
from wsgilab.measure.recorder import Recorder
from wsgilab.view.html_pages import Sources
from wsgilab.view.prometheus import Prometheus
from wsgilab.view.runs import Runs
from wsgilab.view.server import LOOPBACK, Site

PORT = "HOME_PORT"
POLL_S = 1.0
STEP_BACK = 10
"""k6 is on the same CPUs and goes first. In its container only: elsewhere, Prometheus would inherit it."""


@click.command(cls=Command, name="view", example="./lab view --port 8081")
@option(
    "--port",
    type=values.whole("the port", 65535),
    group="Options",
    metavar="N",
    help="Where the page is, on 127.0.0.1 (default: HOME_PORT of .env, 8080).",
)
@option(
    "--prometheus",
    type=values.WEB_ADDRESS,
    group="Options",
    metavar="URL",
    help="The Prometheus to show (default: the one on PROMETHEUS_PORT, started if there is none).",
)
@debug
def command(port: int | None, prometheus: str | None) -> int:
    """Show the lab in a browser: what is going on, the last run, the lesson, the dashboards.

    During a run, or afterwards; Ctrl-C ends it.
    """
    lab, results = environment.lab(), environment.results()
    with stop_on_signals() as stop, Recorder(lab, results, say) as recorder:
        url = prometheus or environment.prometheus_url() or recorder.url
        shown = Prometheus(url)
        sources = Sources(lab, Runs(results), shown, in_container=environment.is_the_home_page())
        if sources.in_container:
            os.nice(STEP_BACK)
        port = port or parse_port(PORT, lab.variables.get(PORT, ""))
        with pinned(lab.cpus("LOAD_CPUS")), _site(port, sources) as site:
            try:
                if url == recorder.url:
                    _start(recorder, stop)
                print(f"The lab is at {site.url} and shows the Prometheus at {public(url)}.", end=" ")
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


def _site(port: int, sources: Sources) -> Site:
    try:
        return Site(port, sources, "0.0.0.0" if sources.in_container else LOOPBACK)
    except OSError as error:
        raise MissingError(
            f"Port {port} on 127.0.0.1 is in use.",
            why_taken(port),
            f"./lab view --port {another(port)}",
        ) from error
