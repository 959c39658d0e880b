"""Serves the pages on loopback, by waitress, for as long as a block lasts."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from waitress import create_server  # type: ignore[import-untyped]

from wsgilab.errors import MissingError
from wsgilab.view.events import SEATS
from wsgilab.view.html_pages import Sources
from wsgilab.view.pages import Pages

LOOPBACK = "127.0.0.1"
LIBRARY = "instaui_echarts"
"""The package that holds Apache ECharts as one file for the browser."""
LIMITS = {
    "threads": SEATS + 8,  # a page that waits for Prometheus holds one, and so does a reader of events
    "channel_request_lookahead": 1,  # else nobody notices that a reader of events has left
    "connection_limit": 200,  # a browser opens six; those beyond wait
    "channel_timeout": 30,  # seconds without a word
    "cleanup_interval": 10,
    "max_request_header_size": 16_384,
    "max_request_body_size": 65_536,  # no page sends one
    "asyncore_use_poll": True,  # select() knows no descriptor above 1023
    "ident": None,
}
END_S = 0.5
"""For threads that are in the middle of an answer; those that wait for Prometheus end with the process."""
# Of requests that are no HTTP, and of clients that have gone, nothing needs to be said.
logging.getLogger("waitress").addHandler(logging.NullHandler())


class Site:
    """Serves in the background until the block is left. Raises OSError where the port is taken."""

    def __init__(self, port: int, sources: Sources, host: str = LOOPBACK) -> None:
        self._open: dict[int, Any] = {}
        """What waitress's loop listens to; the loop ends when nothing is left."""
        self._pages = Pages(sources, None if sources.in_container else find_library())
        self._server = create_server(self._pages, map=self._open, host=host, port=port, **LIMITS)
        self.url = f"http://{LOOPBACK}:{self._server.effective_port}/"
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pages.close()
        # Only the loop's own thread may touch what is in the loop.
        self._server.trigger.pull_trigger(self._hang_up)
        self._server.task_dispatcher.shutdown(timeout=END_S)
        if not self._server.task_dispatcher.threads:  # one under way would still pull the trigger at its end
            self._server.trigger.pull_trigger(self._open.clear)
            self._thread.join()
            self._server.trigger.close()

    def _hang_up(self) -> None:
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.del_channel()
        self._server.socket.close()


def find_library() -> Path:
    """The drawing library's file, found without importing its package. Raises MissingError."""
    found = importlib.util.find_spec(LIBRARY)
    folders = found.submodule_search_locations if found else None
    for folder in folders or []:
        path = Path(folder) / "static/echarts.esm.min.js"
        if path.exists():
            return path
    raise MissingError(
        "The drawing library of the dashboards, Apache ECharts, is not installed.",
        f"the package instaui-echarts is missing from {sys.prefix}",
        "pip install -r locks/local.txt",
    )
