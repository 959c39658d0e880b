"""What is said of a server that did not start, out of its log."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.engines.background import Finished
from wsgilab.engines.start_failure import LOG_LINES, did_not_start, fails_everywhere, not_loaded
from wsgilab.errors import ServerError
from wsgilab.lab.servers import load_lab
from wsgilab.model.server import App

REASON = "LAB_APP=app:app cannot be served: importing app failed: No module named 'x'"
FRAMES = ['  File "/srv/app/app.py", line 3, in <module>', "    import x"]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def said(*log: str, server: str = "uwsgi") -> ServerError:
    servers = load_lab(ROOT, {}).servers
    return did_not_start(servers[server], "ended with exit code 1", "\n".join(log), "./lab again")


def shown(error: ServerError) -> list[str]:
    first, *lines = error.what.splitlines()
    assert first == "uwsgi did not start: ended with exit code 1"
    return [line.removeprefix("  | ") for line in lines]


def test_of_an_app_that_cannot_be_loaded_its_own_frames_and_the_reason_are_shown() -> None:
    error = said(
        "booting", "Traceback", "  importlib", "In the app's own files:", *FRAMES, REASON, "unable to load app 0"
    )
    assert shown(error) == [*FRAMES, REASON]
    assert error.cause.startswith("x is neither in the app's folder nor installed: requirements.txt, lab.toml or ")
    assert "; its whole log is " in error.cause
    raised = said(REASON.replace("failed: No module named 'x'", "raised KeyError: 'SECRET'"))
    assert raised.cause == "the app: it cannot be loaded, by this server or any other"


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("module shop has no attribute application", "or what makes it, has another name in shop"),
        ("app in module shop is an ASGI app, and these are WSGI servers", "an app for another kind of server"),
    ],
)
def test_why_an_app_cannot_be_loaded_is_said_where_its_words_tell(reason: str, cause: str) -> None:
    assert said(f"LAB_APP=shop:application cannot be served: {reason}").cause.endswith(cause)


def test_without_frames_of_the_app_the_reason_stands_alone() -> None:
    assert shown(said("booting", REASON, "bye")) == [REASON]


def test_the_whole_log_is_kept_where_not_all_of_it_is_shown(temporary: Path) -> None:
    log = [f"line {number}" for number in range(LOG_LINES + 1)]
    error = said(*log)
    assert shown(error) == log[1:]
    (kept,) = temporary.iterdir()
    assert error.cause.endswith(f"its whole log is {kept}")
    assert kept.read_text().splitlines() == log
    assert kept.stat().st_mode & 0o077 == 0, "a log may hold what only its user is to read"
    said("all of it")
    assert list(temporary.iterdir()) == [kept]


def test_without_room_for_the_log_there_is_the_error_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    assert "whole log" not in said("booting", REASON).cause


def test_a_queue_that_the_kernel_does_not_allow_is_named_with_the_longest_it_does() -> None:
    error = said("*** Starting uWSGI", "Listen queue size is greater than the system max net.core.somaxconn (4096).")
    assert len(shown(error)) == 1
    assert "net.core.somaxconn" in error.cause
    assert re.search(r"\b4096\b", error.cause)
    assert error.next_command == "./lab run --quick --servers uwsgi --variant longest=uwsgi,UWSGI_LISTEN=4096"


def test_anything_else_is_shown_as_it_is_with_the_command_to_try_again() -> None:
    error = said("no such option: --wrong")
    assert shown(error) == ["no such option: --wrong"]
    assert error.next_command == "./lab again"


def test_an_app_that_cannot_be_imported_is_no_servers_failure() -> None:
    server = load_lab(ROOT, {}).servers["uwsgi"]
    error = not_loaded(
        server,
        Finished("ended with exit code 3", "\n".join(["Traceback", "In the app's own files:", *FRAMES, REASON])),
        "./lab again",
    )
    first, *lines = error.what.splitlines()
    assert first == "The app cannot be loaded, and no server was started."
    assert [line.removeprefix("  | ") for line in lines] == [*FRAMES, REASON]
    was = replace(server, app=App("/tmp/place/tree", revision="main (1f2e3d4)"))
    assert not_loaded(was, Finished("ended with exit code 7", "booting"), "./lab again").what.startswith(
        "The app at main (1f2e3d4) cannot be loaded"
    )
    killed = not_loaded(server, Finished("ended with exit code 7", "booting"), "./lab again").what.splitlines()
    assert killed == [
        "The app cannot be loaded (its process ended with exit code 7), and no server was started.",
        "  | booting",
    ]
    late = not_loaded(server, Finished("not done after 60 s", "booting", late=True), "./lab again")
    assert late.what.startswith(
        "The app was not imported in the time that a server has to start, and no server was started."
    )
    assert "waits for something" in late.cause


@pytest.mark.parametrize(
    ("log", "tells"),
    [
        (REASON, True),
        ("", True),
        ("LAB_APP=app:app cannot be served: importing app failed: No module named 'uwsgi'", False),
        ("LAB_APP=app:app cannot be served: importing app failed: No module named 'uwsgidecorators'", False),
    ],
)
def test_what_only_uwsgi_has_is_not_missing_everywhere(log: str, tells: bool) -> None:
    assert fails_everywhere(Finished("ended with exit code 3", log)) is tells
    assert fails_everywhere(Finished("not done after 60 s", log, late=True)), "no server waits longer"
    assert not fails_everywhere(Finished(None, log))


@pytest.mark.parametrize(
    "reason",
    [
        "calling create_app in module shop raised OSError: [Errno 30] Read-only file system: '/srv/app/instance'",
        "importing shop raised OperationalError: attempt to write a readonly database",
        "importing shop raised OperationalError: unable to open database file",
    ],
)
def test_an_app_that_may_not_write_in_its_folder_is_told_how_it_may(reason: str) -> None:
    error = said("booting", f"LAB_APP=shop:app cannot be served: {reason}")
    assert "`writes` in lab.toml gives each server a copy" in error.cause
    assert "`writes` in lab.toml" in said(reason).cause, "whoever says it"


TOO_OLD = "RuntimeError: gevent worker requires gevent 24.10.1 or higher"


def test_of_a_gevent_that_is_too_old_the_requirement_is_named_that_keeps_it(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    for name, requires in (("httpbin", 'greenlet<3.0; python_version < "3.12"'), ("other", 'gevent<2; extra == "x"')):
        (site / f"{name}-1.0.dist-info").mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: {requires}\n"
        (site / f"{name}-1.0.dist-info/METADATA").write_text(text)
    server = load_lab(ROOT, {}).servers["gunicorn-gevent"]
    own = replace(server, app=App(str(tmp_path), environment=str(tmp_path)))
    error = did_not_start(own, "ended with exit code 1", f"Error: [\n{TOO_OLD}\n]", "./lab again")
    assert "leave no newer gevent: httpbin 1.0 requires greenlet<3.0;" in error.cause
    assert error.next_command == "./lab run --python 3.12"
    assert "its requirements name an older gevent" in said(TOO_OLD).cause
