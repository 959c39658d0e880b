"""A real browser, without a screen: started, pinned to its CPUs, ended."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wsgilab.errors import MissingError
from wsgilab.machine.cpus import pinned
from wsgilab.measure.tab import Tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Driven

OBSERVER = Path(__file__).with_name("observer.js")
WIDTH, HEIGHT = 1280, 800
# A driver that was killed leaves calls unanswered, which asyncio would print at the end. MissingError tells of it.
logging.getLogger("asyncio").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Browser:
    """A browser that runs."""

    driven: Driven
    name: str
    cpus: Set[int]
    """Those that it is pinned to; none where this system cannot pin."""

    @contextmanager
    def tab(self) -> Iterator[Tab]:
        """A tab of somebody who was never here, with nothing cached. Raises MissingError where the browser is gone."""
        from playwright.sync_api import Error

        try:
            context = self.driven.new_context(viewport={"width": WIDTH, "height": HEIGHT})
            try:
                context.add_init_script(path=OBSERVER)
                yield Tab(context.new_page())
            finally:
                context.close()
        except Error as error:
            what = f"The browser does not answer any more: {error.message.splitlines()[0]}"
            cause = "it crashed, or it was killed by the kernel (out of memory) or by hand"
            raise MissingError(what, cause, "./lab vitals") from error


@contextmanager
def launched(executable: Path, cpus: Set[int], contained: bool = False) -> Iterator[Browser]:
    """Start the browser on `cpus`, and end it with the block. Raises MissingError where it cannot be driven.

    `contained`: in a container of its own, which is its sandbox; it is not allowed to make another there.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        cause = "it is installed the first time that ./lab vitals is called, and something else was"
        raise MissingError("Playwright, which drives the browser, is not there.", cause, "./lab vitals") from error
    with ExitStack() as started:
        try:
            with pinned(cpus):  # what is started now inherits it
                playwright = sync_playwright().start()
                started.callback(playwright.stop)
                # Chromium's own sandbox refuses to work for root.
                driven = playwright.chromium.launch(
                    executable_path=executable,
                    chromium_sandbox=os.geteuid() != 0 and not contained,
                    handle_sigint=False,  # Ctrl-C is for the lab, which then ends everything in order
                    handle_sigterm=False,
                    handle_sighup=False,
                )
        except Error as error:
            what = f"{executable} could not be started: {error.message.splitlines()[0]}"
            cause = "no Chromium, one whose sandbox this system does not allow, or a caller that runs in asyncio's loop"
            raise MissingError(what, cause, "./lab doctor") from error
        started.callback(_end, driven)
        yield Browser(driven, f"{executable.name} {driven.version}", cpus)


def _end(driven: Driven) -> None:
    from playwright.sync_api import Error

    with suppress(Error):  # it may be gone already
        driven.close()
