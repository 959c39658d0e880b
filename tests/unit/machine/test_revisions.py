"""A revision next to the working tree: the user's repository stays as it is, whatever happens."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from wsgilab.errors import MissingError, UsageError
from wsgilab.machine import leftovers, places, revisions
from wsgilab.machine.revisions import checked_out


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of this machine is looked at, no setting of its user counts."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(places, "MEMORY", tmp_path / "shm")
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "somebody@example.org")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """An app in a repository with two revisions, the second not committed whole."""
    app = tmp_path / "my repository" / "shop"
    app.mkdir(parents=True)
    git(app, "init", "--quiet", "--initial-branch", "main", "..")
    (app / "shop.py").write_text("one")
    git(app, "add", "--all", "..")
    git(app, "commit", "--quiet", "--message", "one")
    (app / "shop.py").write_text("two")
    git(app, "commit", "--quiet", "--all", "--message", "two")
    (app / "shop.py").write_text("three, not committed")
    (app / "staged.py").write_text("staged")
    git(app, "add", "staged.py")
    return app


def state(app: Path) -> tuple[str, ...]:
    """All of the user's repository that could be touched."""
    return (
        git(app, "status", "--porcelain"),
        git(app, "for-each-ref"),
        git(app, "rev-parse", "--symbolic-full-name", "HEAD"),
        git(app, "worktree", "list"),
        (app / "shop.py").read_text(),
        (app.parent / ".git/index").read_bytes().hex(),
    )


def test_a_revision_stands_next_to_the_working_tree_for_a_while(shop: Path) -> None:
    before = state(shop)
    with checked_out(shop, "main~1") as revision:
        assert (revision.folder / "shop.py").read_text() == "one"
        assert revision.name == f"main~1 ({git(shop, 'rev-parse', 'main~1')[:7]})"
        assert not revision.folder.is_relative_to(shop.parent)
        assert (shop / "shop.py").read_text() == "three, not committed"
    assert not revision.folder.exists()
    assert list(revision.folder.parents[2].iterdir()) == []
    assert state(shop) == before
    assert not (shop.parent / ".git/worktrees").exists()


def test_a_commit_is_its_own_name(shop: Path) -> None:
    commit = git(shop, "rev-parse", "HEAD")
    for asked, said in ((commit[:9], commit[:9]), (commit, commit[:12])):
        with checked_out(shop, asked) as revision:
            assert revision.name == said


def interrupted_in(shop: Path, seen: list[Path]) -> None:
    """A measurement that Ctrl-C ends."""
    with checked_out(shop, "main") as revision:
        (revision.folder / "shop.py").write_text("changed by the app")
        (revision.folder / "new").mkdir()
        seen.append(revision.folder)
        raise KeyboardInterrupt


def test_it_is_removed_whatever_happens(shop: Path) -> None:
    before = state(shop)
    seen: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_in(shop, seen)
    assert not seen[0].exists()
    assert state(shop) == before


def test_what_a_killed_run_left_is_removed_by_the_next(shop: Path) -> None:
    before = state(shop)
    place = places.make()
    git(shop, "worktree", "add", "--detach", str(place.path / "tree"), "main~1")
    place.lock.close()
    assert leftovers.clear() == [str(place.path)], "as every run clears up"
    assert "prunable" in git(shop, "worktree", "list")
    with checked_out(shop, "main"):
        pass
    assert state(shop) == before


def test_somebody_elses_lost_worktree_is_not_touched(shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "--detach", str(tmp_path / "theirs"), "main")
    (tmp_path / "theirs").rename(tmp_path / "on a disk that is not mounted")
    with checked_out(shop, "main"):
        pass
    assert str(tmp_path / "theirs") in git(shop, "worktree", "list")


def test_no_hook_runs_and_the_variables_of_one_lead_nowhere(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = shop.parent / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    with checked_out(shop, "main") as revision:
        assert not (revision.folder.parent / "ran").exists()


@pytest.mark.parametrize(
    ("ref", "said", "cause"),
    [
        ("mian", "There is no revision 'mian' here.", "did you mean 'main'?"),
        ("--help", "There is no revision '--help' here.", "a typo"),
        ("HEAD^{tree}", "There is no revision", "a typo"),
        ("", "There is no revision '' here.", "a typo"),
    ],
)
def test_what_is_no_revision_is_refused(shop: Path, ref: str, said: str, cause: str) -> None:
    with pytest.raises(UsageError) as refused, checked_out(shop, ref):
        pass
    assert said in refused.value.what
    assert cause in refused.value.cause


def test_a_shallow_clone_says_so(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", shop.parent.as_uri(), "shallow")
    with pytest.raises(UsageError) as refused, checked_out(tmp_path / "shallow/shop", "HEAD~1"):
        pass
    assert "fetch-depth: 0" in refused.value.cause
    assert refused.value.next_command.endswith("fetch --unshallow")


def test_an_app_that_was_elsewhere_or_in_no_repository_is_refused(shop: Path, tmp_path: Path) -> None:
    later = shop.parent / "later"
    later.mkdir()
    before = state(shop)
    with pytest.raises(UsageError, match="main has no folder later"), checked_out(later, "main"):
        pass
    assert state(shop) == before
    (tmp_path / "plain").mkdir()
    with pytest.raises(UsageError, match="is in no git repository"), checked_out(tmp_path / "plain", "main"):
        pass


def test_without_git_it_is_said(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions.shutil, "which", lambda _name: None)
    with pytest.raises(MissingError, match="git was not found"), checked_out(shop, "main"):
        pass
