"""Environments for apps, made by the real pip from our own wheels: whose pins win, what fights, what is kept."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from support import ROOT, small_file_system

from wsgilab.errors import Interrupted, MissingError, UsageError
from wsgilab.machine.environments import COMPLETE, WAITING, Environment, Workshop, find_python
from wsgilab.machine.processes import ask
from wsgilab.machine.requirements import Requirements
from wsgilab.machine.turns import LOCK
from wsgilab.machine.waiting import Stop


def wheel(folder: Path, name: str, version: str, *requires: str, content: str = "") -> Path:
    """A wheel of one module that knows its version."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {
        f"{name}.py": f"version = {version!r}\n# {content}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        record = ""
        for inside, text in files.items():
            archive.writestr(inside, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{inside},sha256={digest},{len(text)}\n"
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return path


def pinned(path: Path) -> str:
    name, version, *_ = path.name.split("-")
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which is all that pip knows: two servers, a library of theirs in two versions, an app."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wheel(folder, "loops", "2.0")
    wheel(folder, "loops", "3.0")
    wheel(folder, "server", "1.0", "loops>=2.0")
    wheel(folder, "server", "2.0", "loops>=3.0")
    wheel(folder, "shop", "1.0")
    return folder


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def workshop(tmp_path: Path, index: Path, said: list[str]) -> Workshop:
    lock = tmp_path / "servers.txt"
    lock.write_text(pinned(index / "loops-3.0-py3-none-any.whl") + pinned(index / "server-2.0-py3-none-any.whl"))
    return Workshop(tmp_path / "cache", ROOT / "services/install.py", lock, said.append, Stop())


def versions(environment: Environment, *modules: str) -> list[str]:
    code = f"import {', '.join(modules)}; print({', '.join(f'{name}.version' for name in modules)})"
    return ask([environment.python, "-c", code]).required().out.split()


def test_the_servers_come_as_they_are_locked_and_the_environment_is_kept(workshop: Workshop, said: list[str]) -> None:
    made = workshop.environment(Requirements(("shop",)))
    assert versions(made, "shop", "server", "loops") == ["1.0", "2.0", "3.0"]
    assert any("Installing collected packages: shop" in line for line in said), said
    said.clear()
    assert workshop.environment(Requirements(("shop",))) == made
    assert said == [], "nothing is installed twice"


def test_the_apps_pins_win_and_the_servers_give_way(workshop: Workshop, said: list[str]) -> None:
    made = workshop.environment(Requirements(("loops==2.0",)))
    assert versions(made, "server", "loops") == ["1.0", "2.0"]
    assert any("leave no room for the usual versions" in line for line in said)


def test_what_cannot_live_together_is_named(workshop: Workshop, index: Path) -> None:
    (index / "server-1.0-py3-none-any.whl").unlink()
    with pytest.raises(UsageError) as refused:
        workshop.environment(Requirements(("loops==2.0",)))
    assert "server 2.0 has requirement loops>=3.0, but you have loops 2.0" in refused.value.what
    assert not list((workshop.cache / "environments").iterdir()), "nothing half made is left"


def test_requirements_that_exclude_each_other_are_named(workshop: Workshop) -> None:
    with pytest.raises(UsageError) as refused:
        workshop.environment(Requirements(("server==2.0", "loops==2.0")))
    assert "server 2.0 depends on loops>=3.0" in refused.value.what


def test_a_name_that_does_not_exist_is_told_in_pips_words(workshop: Workshop) -> None:
    with pytest.raises(UsageError, match=r"shopp cannot be installed: .*shopp"):
        workshop.environment(Requirements(("shopp",)))


def test_what_a_crash_left_half_made_is_made_anew(workshop: Workshop) -> None:
    made = workshop.environment(Requirements(("shop",)))
    (made.path / COMPLETE).unlink()
    (made.path / "lib").rename(made.path / "torn")
    assert versions(workshop.environment(Requirements(("shop",))), "shop") == ["1.0"]


def test_two_commands_do_not_make_the_same_environment_at_once(workshop: Workshop, said: list[str]) -> None:
    workshop.cache.mkdir()
    lock = os.open(workshop.cache / LOCK, os.O_RDONLY | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)

    def hear(line: str) -> None:
        said.append(line)
        if line == WAITING:  # the other one has made it meanwhile
            os.close(lock)

    made = replace(workshop, announce=hear).environment(Requirements(("shop",)))
    assert said[0] == WAITING
    assert versions(made, "shop") == ["1.0"]


def test_a_file_of_requirements_counts_by_what_it_says(workshop: Workshop, tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("shop\n")
    made = workshop.environment(Requirements(files=(file,)))
    assert versions(made, "shop") == ["1.0"]
    file.write_text("shop==1.0\n")
    assert workshop.environment(Requirements(files=(file,))) != made
    with pytest.raises(UsageError, match="cannot be read"):
        workshop.environment(Requirements(files=(tmp_path / "requirement.txt",)))


def test_a_cache_that_cannot_be_written_is_told_with_the_way_out(workshop: Workshop) -> None:
    workshop.cache.write_text("a file in the way")
    with pytest.raises(MissingError, match="cannot be made"):
        workshop.environment(Requirements(("shop",)))


def test_a_signal_leaves_nothing_half_made(workshop: Workshop) -> None:
    workshop.stop._event.set()
    with pytest.raises(Interrupted):
        workshop.environment(Requirements(("shop",)))
    assert not list((workshop.cache / "environments").iterdir())


def test_a_python_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(MissingError, match=r"There is no Python '3\.99' here"):
        find_python("3.99")
    assert find_python(None).exists()


def test_the_newest_python_that_would_do_is_proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("python3.8", "python3.9", "python3.13", "python3.10", "python3.13-config"):
        (tmp_path / name).touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError) as refused:
        find_python("3.99")
    assert "which has 3.9, 3.10 and 3.13" in refused.value.cause
    assert refused.value.next_command == "./lab run --python 3.13"


def test_a_source_that_cannot_be_built_is_told_with_its_reason(workshop: Workshop, tmp_path: Path) -> None:
    source = tmp_path / "broken"
    source.mkdir()
    (source / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n')
    (source / "b.py").write_text("raise RuntimeError('libshop is too old')\n")
    with pytest.raises(UsageError, match=r"cannot be built: RuntimeError: libshop is too old") as refused:
        workshop.environment(Requirements((str(source),)))
    assert refused.value.next_command.endswith(f" {source}")


@pytest.mark.parametrize("size", ["16k", "256k"])  # for the environment itself, and for what is installed into it
def test_a_full_disk_is_told_and_the_next_try_recovers(
    workshop: Workshop, index: Path, tmp_path: Path, size: str
) -> None:
    wheel(index, "large", "1.0", content=os.urandom(400_000).hex())
    with small_file_system(tmp_path / "disk", size) as disk:
        there = replace(workshop, cache=disk)
        with pytest.raises(MissingError, match="There is no room to install") as refused:
            there.environment(Requirements(("large",)))
        assert refused.value.next_command == f"df -h {disk}"
        assert not list((disk / "environments").iterdir()), "nothing half made is left"
        subprocess.run(["mount", "-o", "remount,size=32m", disk], check=True)
        assert versions(there.environment(Requirements(("large",))), "large", "server") == ["1.0", "2.0"]


def test_a_source_that_wants_a_compiler_is_told_with_what_to_install(workshop: Workshop, tmp_path: Path) -> None:
    """As setuptools says it where there is none."""
    source = tmp_path / "native"
    source.mkdir()
    (source / "pyproject.toml").write_text('[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n')
    (source / "b.py").write_text(
        "import os\n"
        "def prepare_metadata_for_build_wheel(folder, settings=None):\n"
        "    os.mkdir(folder + '/native-1.0.dist-info')\n"
        "    with open(folder + '/native-1.0.dist-info/METADATA', 'w') as file:\n"
        "        file.write('Metadata-Version: 2.1\\nName: native\\nVersion: 1.0\\n')\n"
        "    return 'native-1.0.dist-info'\n"
        "def build_wheel(*arguments, **more):\n"
        "    raise SystemExit(\"error: command 'gcc' failed: No such file or directory\")\n"
    )
    with pytest.raises(MissingError, match=r"native has no ready-made wheel .* cannot be compiled here") as refused:
        workshop.environment(Requirements((str(source),)))
    assert refused.value.next_command == "apt-get install build-essential python3-dev"
