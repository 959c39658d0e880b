"""bcrypt, as libxcrypt computes it."""

from __future__ import annotations

import pytest

from wsgilab.machine import bcrypt


@pytest.mark.parametrize(
    ("password", "digest"),
    [
        ("", "q1wbVgYezarXi1FgOYk1qMNtxVndjJm"),
        ("secret", "4AbFLftUBUHQbseIwAiOGKsNRgByuEG"),
        ("ä" * 30, "BLm9Rv.Iw8ut.hb6WdutDMBXP3gx5T."),
    ],
)
def test_a_password_is_hashed_as_everywhere_else(password: str, digest: str) -> None:
    assert bcrypt.hashed(password, bytes(range(16))) == f"$2b$04$..CA.uOD/eaGAOmJB.yMBu{digest}"
