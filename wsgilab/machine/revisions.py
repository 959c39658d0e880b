"""A revision of somebody's git repository, checked out in a place of our own for as long as it is measured.

It is a detached working tree (git-worktree(1)): the user's index, branches, and files stay untouched, no hook runs, and
what git keeps about it under .git/worktrees goes with it. What a killed run left of that is removed by the next one.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wsgilab.errors import MissingError, UsageError, did_you_mean, to_paste
from wsgilab.machine import places, processes
from wsgilab.machine.environment import inherited
from wsgilab.machine.processes import Outcome

CHECK_OUT_TIMEOUT_S = 600.0
"""A large repository on a slow disk."""
POINTERS = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|COMMON_DIR|PREFIX|NAMESPACE|OBJECT_DIRECTORY|CEILING_DIRECTORIES)"
)
"""Set by git for its hooks: in a pre-push hook they would lead every command to the repository that is pushed."""
NO_HOOKS = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")


@dataclass(frozen=True)
class Revision:
    """An app as it was at a commit."""

    name: str
    """What was asked for, and the commit: `main (1f2e3d4)`; the commit alone where that is what was asked for."""
    folder: Path
    """The same folder of the repository as the app's, in that revision."""


@contextmanager
def checked_out(folder: Path, ref: str) -> Iterator[Revision]:
    """The revision `ref` of the repository that holds `folder`, for as long as the block lasts.

    Raises UsageError where there is no such repository, revision or folder in it, MissingError where git is missing or
    cannot check it out.
    """
    root = _repository(folder)
    commit = _commit(root, ref)
    inside = folder.resolve().relative_to(root)
    place = places.make()
    tree = place.path / "tree"
    try:
        _remove_left(root)
        done = _git(root, *NO_HOOKS, "worktree", "add", "--detach", str(tree), commit, timeout_s=CHECK_OUT_TIMEOUT_S)
        if not done.ok:
            raise _cannot_check_out(root, ref, done, place.path)
        if not (tree / inside).is_dir():
            raise UsageError(
                f"{ref} has no folder {inside}.",
                "the app was somewhere else at that revision, or git does not hold it",
                _shown(root, "ls-tree", "--name-only", ref),
            )
        yield Revision(ref[:12] if commit.startswith(ref) else f"{ref} ({commit[:7]})", tree / inside)
    finally:
        _git(root, "worktree", "remove", "--force", "--force", str(tree))
        place.remove()


def _repository(folder: Path) -> Path:
    if not shutil.which("git"):
        raise MissingError(
            "git was not found.", "another revision is read from the app's git repository", "apt-get install git"
        )
    found = _git(folder, "rev-parse", "--show-toplevel")
    if found.ok:
        return Path(found.out.rstrip("\n")).resolve()
    if "safe.directory" in found.err:
        raise UsageError(
            f"git does not trust {folder}: it belongs to another user.",
            "a container or a CI runner that works as another user than the one who made the clone",
            to_paste("git", "config", "--global", "--add", "safe.directory", folder),
        )
    raise UsageError(
        f"{folder} is in no git repository.",
        "--against measures a revision of the app, and git has none; --baseline FOLDER takes a saved run instead",
        "./lab gate --help",
    )


def _commit(root: Path, ref: str) -> str:
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.ok:
        return found.out.strip()
    shallow = _git(root, "rev-parse", "--is-shallow-repository").out.strip() == "true"
    if shallow:
        cause = "the clone is shallow: it holds the last commits alone (actions/checkout wants fetch-depth: 0)"
        raise UsageError(f"There is no revision '{ref}' here.", cause, _shown(root, "fetch", "--unshallow"))
    names = _git(root, "for-each-ref", "--format=%(refname:short)").out.split()
    cause = did_you_mean(ref, names, "a typo, or a branch that was not fetched", cutoff=0.7)
    raise UsageError(f"There is no revision '{ref}' here.", cause, _shown(root, "branch", "--all"))


def _remove_left(root: Path) -> None:
    """Remove what git still knows of working trees of ours that are gone, and of no others."""
    for line in _git(root, "worktree", "list", "--porcelain").out.splitlines():
        tree = Path(line.removeprefix("worktree "))
        if line.startswith("worktree ") and places.NAME.fullmatch(tree.parent.name) and not tree.exists():
            _git(root, "worktree", "remove", "--force", "--force", str(tree))


def _cannot_check_out(root: Path, ref: str, done: Outcome, place: Path) -> MissingError:
    full = "No space left" in done.err
    return MissingError(
        f"git cannot check out {ref}: {done.last_line}.",
        f"the disk of {place.parent} is full; TMPDIR can name another one"
        if full
        else "the repository is damaged, or a filter (LFS) is missing",
        to_paste("df", "-h", place.parent) if full else _shown(root, "fsck"),
    )


def _shown(root: Path, *words: str) -> str:
    """A git command for a person to paste."""
    return to_paste("git", "-C", root, *words)


def _git(folder: Path, *words: str, timeout_s: float = processes.TIMEOUT_S) -> Outcome:
    command: Sequence[str] = ["git", "-C", str(folder), *words]
    return processes.ask(command, environment=_environment(), timeout_s=timeout_s)


def _environment() -> dict[str, str]:
    return inherited(POINTERS.fullmatch) | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
