"""Errors that nobody foresaw, in three parts."""

from __future__ import annotations

import errno

from wsgilab.commands import typed
from wsgilab.errors import LabError, MissingError


def unforeseen(error: Exception) -> LabError:
    """A full disk, or a fault of the lab itself."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MissingError(
            f"Something could not be written: {error.strerror}.",
            "the disk of the output, of /tmp or of /dev/shm is full",
            "df -h",
        )
    return LabError(
        f"Something in the lab itself went wrong: {type(error).__name__}: {error}",
        "a bug in the lab, not a mistake of yours: please report it, with what --debug shows",
        typed.again("--debug"),
    )
