"""Check-ups in containers, which Compose starts all at once."""

from __future__ import annotations

import pytest
from support import ROOT

from wsgilab.engines import compose
from wsgilab.engines.stack import Stack
from wsgilab.errors import Interrupted, LabError, ServerError
from wsgilab.lab import variants
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.measure.checkup import check_up_in_containers
from wsgilab.model.checkup import Checkup
from wsgilab.model.events import Ended
from wsgilab.model.listener import Listener
from wsgilab.model.manifest import Manifest
from wsgilab.model.request import Request

VARIANT = "slow=gunicorn,GUNICORN_TIMEOUT=5"


class Heard(Listener):
    """Remembers which servers were told of."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def checked_up(self, checkup: Checkup) -> None:
        self.names.append(checkup.server)


def stack_of(*names: str) -> Stack:
    request = Request(command="doctor", engine="compose", servers=names, variants=(VARIANT,))
    lab = variants.add(load_lab(ROOT, {}), [variants.parse(VARIANT)])
    return Stack(lab, lab.select([*names, "slow"]), request, Stop(), Heard())


def compose_where(monkeypatch: pytest.MonkeyPatch, *dead: str, trouble: LabError | Interrupted | None = None) -> None:
    """A Compose whose `up` fails as long as one of these is asked for, and names it."""

    def run_inside(stack: Stack) -> Ended:
        named = [*stack.request.servers, *(variants.parse(text).name for text in stack.request.variants)]
        asked = [server.name for server in stack.servers]
        assert set(named) == set(asked), "the container is asked for those that are up"
        for name in asked:
            if name in dead:
                raise ServerError(f"{name} did not start: no", "cause", "next", server=name)
        checkups = tuple(Checkup(name, None, 1, "", "there:8000") for name in asked)
        return Ended(Manifest(), None, trouble, checkups=checkups)

    monkeypatch.setattr(compose, "run_inside", run_inside)


@pytest.mark.parametrize(
    ("dead", "asked"),
    [
        ((), ["gunicorn", "uwsgi", "slow"]),
        (("gunicorn",), ["uwsgi", "slow"]),
        (("slow",), ["gunicorn", "uwsgi"]),
        (("gunicorn", "slow"), ["uwsgi"]),
        (("gunicorn", "uwsgi", "slow"), []),
    ],
)
def test_the_others_are_asked_without_those_that_do_not_start(
    monkeypatch: pytest.MonkeyPatch, dead: tuple[str, ...], asked: list[str]
) -> None:
    compose_where(monkeypatch, *dead)
    stack = stack_of("gunicorn", "uwsgi")
    found = {checkup.server: checkup for checkup in check_up_in_containers(stack)}
    assert list(found) == [*dead, *asked]
    assert [name for name, checkup in found.items() if checkup.trouble is None] == asked
    for name in dead:
        assert found[name].trouble == (f"{name} did not start: no", "cause", "next")
    assert isinstance(stack.listener, Heard)
    assert stack.listener.names == list(dead)


def test_what_is_no_servers_fault_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    compose_where(monkeypatch, trouble=ServerError("The app cannot be loaded.", "cause", "next"))
    with pytest.raises(ServerError, match="cannot be loaded"):
        check_up_in_containers(stack_of("gunicorn"))

    def fails(_stack: Stack) -> Ended:
        raise ServerError("No server was started.", "cause", "next")

    monkeypatch.setattr(compose, "run_inside", fails)
    with pytest.raises(ServerError, match="No server"):
        check_up_in_containers(stack_of("gunicorn"))
