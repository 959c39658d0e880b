"""What is said of copies of an app's folder that cannot be made, set up or reset, and of a folder that has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from wsgilab.engines.background import Finished
from wsgilab.engines.copies import Copies, not_copied, not_reset, not_set_up
from wsgilab.errors import LabError, MissingError, ServerError
from wsgilab.lab.servers import load_lab
from wsgilab.machine.waiting import Stop
from wsgilab.model.needs import State

GUNICORN = load_lab(ROOT, {}).servers["gunicorn"]
SHOP = Path("/shop")
FULL = Finished("ended with exit code 1", "[Errno 28] No space left on device: 'photo.jpg'")


def copies(folder: Path, state: State | None = None) -> Copies:
    background: Any = None  # nothing is started here
    return Copies(load_lab(ROOT, {"LAB_APP_DIR": str(folder)}), state, background, Stop())


def test_an_app_that_keeps_nothing_is_served_from_its_own_folder(tmp_path: Path) -> None:
    served = copies(tmp_path)
    served.make(GUNICORN, {})
    served.reset(GUNICORN, {})
    assert served.folder(GUNICORN) == tmp_path
    assert served.trouble() is None


def test_a_folder_that_was_written_in_is_named_with_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("one")
    served = copies(tmp_path)
    served.make(GUNICORN, {})
    for name in ("shop.db", "a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_text("another")
    trouble = served.trouble()
    assert trouble is not None
    assert trouble.what == f"a.jpg, b.jpg, c.jpg and 1 more in {tmp_path} changed while the app was served."
    assert "`writes` in lab.toml gives each server a copy" in trouble.cause
    assert trouble.next_command == f"${{EDITOR:-vi}} {tmp_path}/lab.toml"


@pytest.mark.parametrize(
    ("error", "kind", "cause", "next_command"),
    [
        (not_copied("gunicorn", FULL, Path("/")), MissingError, "the disk of / is full; TMPDIR", "df -h /"),
        (not_copied("gunicorn", FULL), MissingError, "the disk that has Docker's volumes is full", "docker system df"),
        (
            not_copied("gunicorn", Finished("ended with exit code 2", "can't open file '/srv/serve/copy_app.py': …")),
            MissingError,
            "built from another version of the lab",
            "docker compose build",
        ),
        (
            not_copied("gunicorn", Finished("ended with exit code 1", "[Errno 13] Permission denied: '/srv/app/key'")),
            MissingError,
            "that a container's user may not read",
            "ls -la",
        ),
        (not_set_up("gunicorn", "make seed", FULL, SHOP, Path("/")), MissingError, "the disk of / is full", "df -h /"),
        (
            not_copied("gunicorn", Finished("ended with exit code 1", "Permission denied: 'key.pem'"), Path("/")),
            MissingError,
            "a file in it that you may not read",
            "ls -la",
        ),
        (
            not_set_up("gunicorn", "make seed", Finished("not done after 300 s", "seeding"), SHOP, Path("/")),
            ServerError,
            "(`setup`)",
            "${EDITOR:-vi} /shop/lab.toml",
        ),
        (
            not_reset("gunicorn", "make reset", Finished("ended with exit code 2", "one\nno rule\n"), SHOP),
            ServerError,
            "(`reset`)",
            "${EDITOR:-vi} /shop/lab.toml",
        ),
    ],
)
def test_what_went_wrong_has_its_cause(error: LabError, kind: type[LabError], cause: str, next_command: str) -> None:
    assert type(error) is kind
    assert cause in error.cause
    assert error.next_command == next_command


def test_a_failed_reset_is_told_in_one_line_for_it_becomes_the_reason_of_a_void_window() -> None:
    error = not_reset("gunicorn", "make reset", Finished("ended with exit code 2", "one\nno rule\n"), SHOP)
    assert error.what == ("`make reset`, which resets the app of gunicorn, failed: ended with exit code 2 (no rule)")
