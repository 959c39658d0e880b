"""What a listener hears, as lines: how the runner in a container tells the `./lab` that started it. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import msgspec

from wsgilab.errors import Interrupted, LabError, MissingError, ServerError, UsageError
from wsgilab.model.checkup import Checkup
from wsgilab.model.errands import Errand
from wsgilab.model.listener import Listener, Outline
from wsgilab.model.manifest import Manifest
from wsgilab.model.window import Window, WindowPlan

START = '{"lab":'
"""How every line of ours begins; a container may say other things too."""
KINDS: Mapping[str, type[LabError]] = {
    kind.__name__: kind for kind in (LabError, UsageError, MissingError, ServerError)
}
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Ended:
    """The last line: how a measurement that another process carried out has ended."""

    manifest: Manifest
    folder: str | None
    """Where it is saved, as that process sees it; None where nothing is."""
    trouble: LabError | Interrupted | None
    windows: tuple[Window, ...] = ()
    """Those that were told before."""
    checkups: tuple[Checkup, ...] = ()
    """And those."""


class Teller(Listener):
    """Writes a line for everything that it hears and that the other side cannot know."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def planned(self, outline: Outline) -> None:
        """As a line."""
        self._tell("planned", asdict(outline))

    def window_started(self, plan: WindowPlan) -> None:
        """As a line."""
        self._tell("window_started", asdict(plan))

    def window_measured(self, window: Window) -> None:
        """As a line."""
        self._tell("window_measured", window.to_json())

    def round_ended(self, number: int, windows: Sequence[Window]) -> None:  # noqa: ARG002 - each was told by itself
        """As a line."""
        self._tell("round_ended", number)

    def checked_up(self, checkup: Checkup) -> None:
        """As a line."""
        self._tell("checked_up", asdict(checkup))

    def message(self, text: str) -> None:
        """As a line."""
        self._tell("message", text)

    def warning(self, problem: LabError) -> None:
        """As a line."""
        self._tell("warning", _plain(problem))

    def errand(self, errand: Errand) -> None:
        """As a line; the answer comes another way."""
        self._tell("errand", asdict(errand))

    def ended(self, ended: Ended) -> None:
        """The last line."""
        trouble = _plain(ended.trouble) if isinstance(ended.trouble, LabError) else ended.trouble and INTERRUPTED
        self._tell("ended", {"manifest": ended.manifest.to_json(), "folder": ended.folder, "trouble": trouble})

    def _tell(self, name: str, content: object) -> None:
        self._write(json.dumps({"lab": name, "content": content}, separators=(",", ":")))


class Hearer:
    """Understands the lines of a Teller; a line of anybody else is output."""

    def __init__(self, listener: Listener, do_errand: Callable[[Errand], str] = lambda _errand: "") -> None:
        """`do_errand` gives the answer to an errand of the Teller's."""
        self._listener = listener
        self._do_errand = do_errand
        self._windows: list[Window] = []
        self._checkups: list[Checkup] = []
        self.ended: Ended | None = None

    def understand(self, line: str) -> Callable[[], str | None]:
        """What to call to tell the listener of a line; what an errand's gives back is to be answered.

        Raises ValueError, KeyError or TypeError for a line that another version of the lab wrote.
        """
        if not line.startswith(START):
            return partial(self._listener.output, line)
        told = json.loads(line)
        understood: Mapping[str, Callable[[Any], Callable[[], str | None]]] = {
            "planned": lambda content: partial(self._listener.planned, msgspec.convert(content, Outline)),
            "window_started": lambda content: partial(
                self._listener.window_started, msgspec.convert(content, WindowPlan)
            ),
            "window_measured": lambda content: partial(self._measured, msgspec.convert(content, Window)),
            "round_ended": lambda content: partial(self._listener.round_ended, int(content), tuple(self._windows)),
            "checked_up": lambda content: partial(self._checked_up, msgspec.convert(content, Checkup)),
            "message": lambda content: partial(self._listener.message, str(content)),
            "warning": lambda content: partial(self._listener.warning, _error(content)),
            "errand": lambda content: partial(self._do_errand, msgspec.convert(content, Errand)),
            "ended": lambda content: partial(self._end, _ended(content)),
        }
        return understood[told["lab"]](told["content"])

    def _measured(self, window: Window) -> None:
        self._windows.append(window)
        self._listener.window_measured(window)

    def _checked_up(self, checkup: Checkup) -> None:
        self._checkups.append(checkup)
        self._listener.checked_up(checkup)

    def _end(self, ended: Ended) -> None:
        told = tuple(self._windows), tuple(self._checkups)
        self.ended = Ended(ended.manifest, ended.folder, ended.trouble, *told)


def _ended(content: Mapping[str, Any]) -> Ended:
    trouble = content["trouble"]
    return Ended(
        msgspec.convert(content["manifest"], Manifest),
        content["folder"],
        Interrupted() if trouble == INTERRUPTED else trouble and _error(trouble),
    )


def _plain(error: LabError) -> dict[str, str]:
    kind = type(error).__name__
    return {
        "kind": kind if kind in KINDS else LabError.__name__,
        "what": error.what,
        "cause": error.cause,
        "next_command": error.next_command,
    }


def _error(content: Mapping[str, str]) -> LabError:
    return KINDS[content["kind"]](content["what"], content["cause"], content["next_command"])
