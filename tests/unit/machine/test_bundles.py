"""A bundle: what is written is read again, and each kind of damage has a name."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wsgilab.errors import LabError, MissingError, UsageError
from wsgilab.machine import bundles
from wsgilab.machine.bundles import LOCK, MANIFEST, Bundle, this_machine
from wsgilab.model.bundle import LAB, Contents, Image, is_below

WHEEL = "wheels/app-1-py3-none-any.whl"
PACKED_IMAGES = "images/images.tar.gz"
LONG = f"wheels/long-1-cp313-{'.'.join(['manylinux_2_17_x86_64'] * 9)}.whl"
"""Longer than the oldest kind of tar can say."""
FILES = {
    f"lab/{LOCK}": b"app==1\n",
    "lab/services/app.py": b"app = 1\n",
    WHEEL: b"w" * 5000,
    LONG: b"l",
    PACKED_IMAGES: b"i" * 9,
}
ONE_IMAGE = Image("server:local", "linux/amd64", "f" * 64)


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    for name, content in FILES.items():
        (tmp_path / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sources" / name).write_bytes(content)
    return {name: tmp_path / "sources" / name for name in FILES}


@pytest.fixture
def contents(sources: dict[str, Path]) -> Contents:
    pieces = tuple(bundles.piece_of(name, path) for name, path in sources.items())
    return Contents("0.1.0", "2026-11-20T08:00:00+00:00", this_machine(), (ONE_IMAGE,), pieces)


@pytest.fixture
def file(tmp_path: Path, contents: Contents, sources: dict[str, Path]) -> Path:
    bundles.write(tmp_path / "lab.tar", contents, sources)
    return tmp_path / "lab.tar"


@pytest.fixture
def clone(tmp_path: Path, sources: dict[str, Path]) -> Path:
    """The lab that the bundle was made from."""
    return Path(shutil.copytree(tmp_path / "sources/lab", tmp_path / "clone"))


def verified(path: Path) -> Bundle:
    found = bundles.read(path)
    found.verify()
    return found


def with_manifest(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The same bundle, its table of contents changed."""
    with tarfile.open(path) as archive:
        members = [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]
    data = json.loads(members[0][1])
    change(data)
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for member, content in [(members[0][0], json.dumps(data).encode()), *members[1:]]:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_what_was_written_is_read_again(file: Path, contents: Contents, tmp_path: Path) -> None:
    found = verified(file)
    assert found.contents == contents
    assert [piece.short_name for piece in found.contents.of(LAB)] == [LOCK, "services/app.py"]
    assert {piece.name: b"".join(found.chunks(piece)) for piece in contents.pieces} == FILES
    assert not list(tmp_path.glob("*.part"))


def test_any_tar_can_list_and_unpack_it(file: Path, tmp_path: Path, sources: dict[str, Path]) -> None:
    with tarfile.open(file) as archive:
        assert archive.getnames() == [MANIFEST, *FILES]
    os.chmod(sources["lab/services/app.py"], 0o755)
    bundles.write(file, bundles.read(file).contents, sources)
    with tarfile.open(file) as archive:
        assert archive.getmember("lab/services/app.py").mode == 0o755, "the launcher must be one that starts"


def test_where_writing_fails_no_half_bundle_is_left(
    tmp_path: Path, contents: Contents, sources: dict[str, Path]
) -> None:
    with pytest.raises(KeyError):
        bundles.write(tmp_path / "half.tar", contents, {name: path for name, path in sources.items() if name != WHEEL})
    assert not list(tmp_path.glob("half*"))


@pytest.mark.parametrize("left_out", [1, 1024, 4000, 10_000])
def test_a_truncated_one_says_how_much_of_it_is_there(file: Path, left_out: int) -> None:
    with tarfile.open(file) as archive:
        whole = archive.getmembers()[-1].offset_data + 512
    file.write_bytes(file.read_bytes()[: whole - left_out])
    with pytest.raises(UsageError, match=r"is truncated: [\d,]+ of [\d,]+ bytes are there") as raised:
        bundles.read(file)
    assert raised.value.next_command == f"ls -l {file}"


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_is_found_and_the_piece_named(file: Path, name: str) -> None:
    found = bundles.read(file)
    data = bytearray(file.read_bytes())
    data[found.offsets[name]] ^= 1
    file.write_bytes(data)
    with pytest.raises(UsageError, match=rf"is damaged: {name} does not have the checksum") as raised:
        verified(file)
    assert raised.value.next_command == f"cksum {file}"


def test_a_damaged_header_is_damage(file: Path) -> None:
    offset = bundles.read(file).offsets[WHEEL]
    data = bytearray(file.read_bytes())
    data[offset - 512 : offset] = b"\xff" * 512
    file.write_bytes(data)
    with pytest.raises(UsageError, match=f"is damaged: {WHEEL} is not there as its table of contents says"):
        bundles.read(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty file"), (b"PK\x03\x04" * 300, "is not a bundle"), (b"\0" * 4096, "is not a bundle")],
)
def test_another_file_is_no_bundle(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        bundles.read(tmp_path / "other")


def test_another_tar_is_no_bundle(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("README"), io.BytesIO())
    with pytest.raises(UsageError, match=r"is not a bundle of the lab: it does not begin with manifest\.json"):
        bundles.read(tmp_path / "other.tar")


@pytest.mark.parametrize("path", ["missing.tar", "."])
def test_what_cannot_be_read_is_told(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        bundles.read(tmp_path / path)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("pieces"),
        lambda data: data["pieces"].append({"name": "lab/x"}),
        lambda data: data["pieces"][0].update(size_bytes="7"),
        lambda data: data["pieces"][0].update(size_bytes=-1),
        lambda data: data["pieces"][0].update(size_bytes=10**40),
        lambda data: data["pieces"][0].update(sha256="0"),
        lambda data: data["pieces"][0].update(name="lab/../../etc/passwd"),
        lambda data: data["pieces"][0].update(name="elsewhere/x"),
        lambda data: data["pieces"][2].update(name="wheels/below/app.whl"),
        lambda data: data["pieces"].append(data["pieces"][0]),
        lambda data: data["images"][0].update(name=7),
        lambda data: data["target"].update(python="3.13\x1b[2J"),
        lambda data: data.update(version=None),
    ],
)
def test_a_table_of_contents_that_no_bundle_has_is_damage(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with pytest.raises(UsageError, match="its table of contents cannot be read"):
        bundles.read(with_manifest(file, change))


def test_a_file_that_the_table_of_contents_does_not_name_is_refused(file: Path) -> None:
    with tarfile.open(file, "a", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("lab/more"), io.BytesIO())
    with pytest.raises(UsageError, match="it holds more than its table of contents says"):
        bundles.read(file)


def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path, contents: Contents) -> None:
    one = replace(contents, pieces=(replace(contents.pieces[0], size_bytes=0, sha256=hashlib.sha256().hexdigest()),))
    link = tarfile.TarInfo(one.pieces[0].name)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "link.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        manifest = json.dumps(one.to_json()).encode()
        header = tarfile.TarInfo(MANIFEST)
        header.size = len(manifest)
        archive.addfile(header, io.BytesIO(manifest))
        archive.addfile(link)
    with pytest.raises(UsageError, match="is not there as its table of contents says"):
        bundles.read(tmp_path / "link.tar")


def require_lab_unpacked(refused: LabError, clone: Path) -> None:
    """Check that what it says to do next unpacks the lab, also where ./lab itself is."""
    (clone / "lab").touch()
    subprocess.run(refused.next_command, shell=True, cwd=clone, check=True)
    assert (clone / "../lab-of-bundle/lab" / LOCK).is_file()


def test_a_newer_format_names_the_lab_that_reads_it(file: Path, clone: Path) -> None:
    with pytest.raises(UsageError, match="has format 2, and this lab reads format 1") as raised:
        bundles.read(with_manifest(file, lambda data: data.update(schema=2)))
    require_lab_unpacked(raised.value, clone)


def refusal(found: Bundle, root: Path) -> LabError:
    with pytest.raises(LabError) as raised:
        found.require_fit(root)
    return raised.value


def test_it_fits_this_machine_and_the_lab_that_it_was_made_from(file: Path, clone: Path) -> None:
    bundles.read(file).require_fit(clone)


def test_another_processor_is_named(file: Path, clone: Path) -> None:
    target = replace(this_machine(), machine="sparc")
    refused = refusal(bundles.read(with_manifest(file, lambda data: data["target"].update(machine="sparc"))), clone)
    assert isinstance(refused, MissingError)
    assert refused.what == f"{file} is for {target.computer}, and this is {this_machine().computer}."
    assert refused.next_command == "./lab bundle"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"libc": "another C library"}, "another C library"),
        ({"system": "Darwin", "libc": ""}, "is for Darwin"),
        ({"python": "3.7"}, f"is for Python 3.7, and the lab has Python {this_machine().python} here"),
    ],
)
def test_another_system_or_python_is_named_and_the_images_may_fit(
    file: Path, clone: Path, contents: Contents, other: dict[str, str], said: str
) -> None:
    found = bundles.read(with_manifest(file, lambda data: data["target"].update(other)))
    refused = refusal(found, clone)
    assert isinstance(refused, MissingError)
    assert said in refused.what
    assert refused.next_command == f"tar -xOf {file} {PACKED_IMAGES} | docker load"
    without = replace(found, contents=replace(found.contents, pieces=contents.pieces[:3]))
    assert refusal(without, clone).next_command == "./lab bundle"


def test_an_older_one_is_named_with_what_differs(file: Path, clone: Path) -> None:
    (clone / LOCK).write_text("app==2\n")
    refused = refusal(bundles.read(file), clone)
    assert isinstance(refused, UsageError)
    assert f"another state of the lab (version 0.1.0, 2026-11-20). Not the same here: {LOCK}." in refused.what
    require_lab_unpacked(refused, clone)


def test_what_differs_is_found_below_a_place(file: Path, clone: Path) -> None:
    found = bundles.read(file)
    assert found.differing(clone, ("services/",)) == []
    (clone / "services/app.py").unlink()
    assert found.differing(clone, ("services/",)) == ["services/app.py"]
    found.require_fit(clone)


def test_wheels_that_are_there_are_not_written_again(file: Path, tmp_path: Path) -> None:
    found, folder = bundles.read(file), tmp_path / "below/wheels"
    found.extract_wheels(folder)
    there = {f"wheels/{path.name}": path.read_bytes() for path in folder.iterdir()}
    assert there == {name: FILES[name] for name in (WHEEL, LONG)}
    written = folder / Path(WHEEL).name
    before = written.stat().st_ino
    found.extract_wheels(folder)
    assert written.stat().st_ino == before
    written.write_bytes(b"half")
    found.extract_wheels(folder)
    assert written.read_bytes() == FILES[WHEEL]


def test_a_damaged_piece_gets_no_name_on_the_disk(file: Path, tmp_path: Path) -> None:
    found = bundles.read(file)
    data = bytearray(file.read_bytes())
    data[found.offsets[WHEEL] + 4999] ^= 1
    file.write_bytes(data)
    with pytest.raises(UsageError, match="is damaged"):
        found.extract_wheels(tmp_path / "wheels")
    assert list((tmp_path / "wheels").iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_written(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(10**9, 10**9, 1000)  # type: ignore[attr-defined]
    monkeypatch.setattr(bundles.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(MissingError, match=r"The lab's \.venv needs 50 MB in .*, and 0\.0 MB are free") as raised:
        bundles.read(file).extract_wheels(tmp_path / "wheels")
    assert raised.value.next_command == f"df -h {tmp_path}"
    assert not (tmp_path / "wheels").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lab/a b", True),
        ("a", True),
        ("/a", False),
        ("a/../b", False),
        ("a//b", False),
        ("./a", False),
        ("", False),
        ("a\\b", False),
        ("a\nb", False),
        ("a/", False),
    ],
)
def test_names_that_lead_elsewhere(name: str, expected: bool) -> None:
    assert is_below(name) is expected
