"""A folder in one file, and back: plain files only, and nothing outside of the folder."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from wsgilab.errors import UsageError
from wsgilab.machine import folders


def packed(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, leads_to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, leads_to
    return info


def test_what_is_packed_comes_back_without_its_links(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "usr/sbin").mkdir(parents=True)
    (source / "usr/sbin/nginx").write_text("nginx")
    os.chmod(source / "usr/sbin/nginx", 0o755)
    (source / "usr/readme").write_text("read")
    (source / "usr/link").symlink_to("/etc/passwd")
    (source / "folder").symlink_to("usr")
    assert folders.pack(source, tmp_path / "packed.tar.gz") == 9
    folders.unpack(tmp_path / "packed.tar.gz", target)
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()) == [
        "usr/readme",
        "usr/sbin/nginx",
    ]
    assert os.access(target / "usr/sbin/nginx", os.X_OK)
    assert not os.access(target / "usr/readme", os.X_OK)


@pytest.mark.parametrize(
    "bad",
    [
        member("../escaped"),
        member("/tmp/escaped"),
        member("a/../../escaped"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.LNKTYPE, "good"),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda bad: f"{bad.name}-{bad.type!r}",
)
def test_what_leads_elsewhere_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    (tmp_path / "target").mkdir()
    archive = packed(tmp_path / "bad.tar.gz", member("good"), bad)
    with pytest.raises(UsageError, match="which is no plain file below its folder"):
        folders.unpack(archive, tmp_path / "target")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bad.tar.gz", "good", "target"]


def test_a_file_that_comes_twice_and_one_that_is_cut_off_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be unpacked"):
        folders.unpack(packed(tmp_path / "twice.tar.gz", member("a"), member("a")), tmp_path / "twice")
    big = member("big")
    big.size = 10_000
    cut = packed(tmp_path / "cut.tar.gz", big)
    cut.write_bytes(cut.read_bytes()[:60])
    with pytest.raises(UsageError, match="cannot be unpacked"):
        folders.unpack(cut, tmp_path / "cut")
