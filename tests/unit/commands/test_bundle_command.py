"""`./lab bundle`: what is packed, and what becomes of each piece of one."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.commands import bundle_making, bundle_using
from wsgilab.commands.cli import main
from wsgilab.engines import compose, images
from wsgilab.machine import bundles, folders
from wsgilab.machine.bundles import LOCK, Bundle, this_machine
from wsgilab.machine.processes import Outcome
from wsgilab.machine.requirements import Requirements
from wsgilab.model.bundle import APP, Contents, Image

SERVER = Image("server:local", "linux/amd64", "a" * 64)
NGINX = '#!/bin/sh\necho "nginx version: nginx/1.26"\n'


class Engine:
    """A Docker engine with these images, which loads what it is fed."""

    def __init__(self, there: dict[str, Image], kind: str = "linux/amd64") -> None:
        self.there = there
        self.kind = kind
        self.loaded = b""

    def described(self, name: str) -> tuple[Image, int] | None:
        return (self.there[name], 7) if name in self.there else None

    def platform(self) -> str:
        return self.kind

    def load(self, chunks: Iterable[bytes]) -> Outcome:
        for chunk in chunks:
            self.loaded += chunk
        self.there[SERVER.name] = SERVER
        return Outcome(0)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine({})
    monkeypatch.setattr(compose, "why_not", lambda: None)
    for name in ("described", "platform", "load"):
        monkeypatch.setattr(images, name, getattr(engine, name))
    monkeypatch.setattr(bundle_using, "_require_room", lambda _bundle: None)
    return engine


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab with an empty cache."""
    root = tmp_path / "clone"
    for name in (LOCK, "services/app.py"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(name)
    monkeypatch.setattr(bundle_using, "ROOT", root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return root


def made(folder: Path, clone: Path, nginx: str = NGINX) -> Bundle:
    program = folder / "nginx/usr/sbin/nginx"
    program.parent.mkdir(parents=True)
    program.write_text(nginx)
    program.chmod(0o755)
    (folder / "images").write_bytes(b"layers")
    unpacked = folders.pack(folder / "nginx", folder / "nginx.tar.gz")
    sources = {
        f"lab/{LOCK}": clone / LOCK,
        "lab/services/app.py": clone / "services/app.py",
        "tools/nginx.tar.gz": folder / "nginx.tar.gz",
        "images/images.tar.gz": folder / "images",
    }
    pieces = tuple(bundles.piece_of(name, path, unpacked) for name, path in sources.items())
    contents = Contents("0.1.0", "2026-11-20T08:00:00+00:00", this_machine(), (SERVER,), pieces)
    bundles.write(folder / "lab.tar", contents, sources)
    return bundles.read(folder / "lab.tar")


@pytest.fixture
def bundle(tmp_path: Path, clone: Path) -> Bundle:
    return made(tmp_path, clone)


def test_all_that_is_missing_is_unpacked_once(
    bundle: Bundle, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bundle_using.use(bundle) == 0
    nginx = tmp_path / "cache/wsgilab/tools/nginx/usr/sbin/nginx"
    assert nginx.read_text() == NGINX
    assert [path.name for path in nginx.parents[3].iterdir()] == ["nginx"], "nothing half done is left"
    assert engine.loaded == b"layers"
    assert "Next: ./lab run --quick" in capsys.readouterr().out
    engine.loaded = b""
    nginx.write_text("mine")
    assert bundle_using.use(bundle) == 0
    assert nginx.read_text() == "mine", "what is there is left alone"
    assert engine.loaded == b""
    said = capsys.readouterr().err
    assert "nginx is there already" in said
    assert "the images are there already" in said


def test_an_image_of_the_same_name_that_is_another_is_replaced(bundle: Bundle, engine: Engine) -> None:
    engine.there[SERVER.name] = replace(SERVER, fingerprint="b" * 64)
    assert bundle_using.use(bundle) == 0
    assert engine.loaded == b"layers"


def test_without_an_engine_the_rest_is_used(
    bundle: Bundle, clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compose, "why_not", lambda: "there is no docker command")
    assert bundle_using.use(bundle) == 0
    assert "the images are not loaded: there is no docker command." in capsys.readouterr().err


def test_another_kind_of_engine_is_named_and_the_rest_is_used(
    bundle: Bundle, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.kind = "linux/arm64"
    assert bundle_using.use(bundle) == 3
    said = capsys.readouterr()
    assert f"{bundle.path} has images for linux/amd64, and this Docker engine runs linux/arm64." in said.err
    assert "Next: ./lab run --engine local" in said.err
    assert not said.out
    assert engine.loaded == b""
    assert (tmp_path / "cache/wsgilab/tools/nginx").is_dir()


def test_images_of_another_state_of_the_lab_are_not_loaded(
    bundle: Bundle, engine: Engine, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / "services/app.py").write_text("newer")
    assert bundle_using.use(bundle) == 2
    assert "Not the same here: services/app.py." in capsys.readouterr().err
    assert engine.loaded == b""


def test_a_damaged_image_never_reaches_the_engine(
    bundle: Bundle, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(bundle.path.read_bytes())
    data[bundle.offsets["images/images.tar.gz"]] ^= 1
    bundle.path.write_bytes(data)
    assert bundle_using.use(bundle) == 2
    assert "images/images.tar.gz does not have the checksum" in capsys.readouterr().err
    assert engine.loaded == b""


def test_a_tool_that_does_not_run_here_is_not_kept(
    tmp_path: Path, clone: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    old = made(tmp_path, clone, "#!/bin/sh\necho 'version GLIBC_2.99 not found' >&2\nexit 1\n")
    assert bundle_using.use(old) == 3
    assert "does not run here (version GLIBC_2.99 not found)" in capsys.readouterr().err
    assert not (tmp_path / "cache/wsgilab/tools/nginx").exists()
    assert engine.loaded == b"layers", "the rest is used"


def test_all_that_is_built_into_images_is_compared() -> None:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "services/Dockerfile").read_text(), re.MULTILINE)
    copied = {name for line in lines for name in line.split()}
    assert {"services/", "wsgilab/", ".env"} <= copied
    assert [name for name in copied - {".env"} if not name.startswith(bundle_using.IN_IMAGES)] == []


def test_git_says_which_files_are_the_lab(tmp_path: Path) -> None:
    for name in ("lab", "docs/how-to.md", "results/run/verdict.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "lab", "docs", "link"], cwd=tmp_path, check=True)
    assert [source.name for source in bundle_making.lab_files(tmp_path)] == ["lab/docs/how-to.md", "lab/lab"]


def test_a_lab_that_came_in_a_bundle_can_be_bundled_again(tmp_path: Path) -> None:
    there = ("lab", ".env", ".ci/run", "docs/how-to.md", "workshop/results/a.md")
    here = ("results/run/verdict.json", ".venv/bin/python", "wsgilab/__pycache__/a.pyc", "wsgilab.tar", ".venv.lock")
    for name in (*there, *here):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {source.name for source in bundle_making.lab_files(tmp_path)} == {f"lab/{name}" for name in there}


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as raised:
        main(["bundle", *words])
    said = capsys.readouterr()
    return int(raised.value.code or 0), said.out, said.err


def test_the_list_names_every_kind_of_piece(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(capsys, "--list", str(bundle.path))
    assert code == 0
    for text in ("2 files: the lab", "nginx", "server:local (linux/amd64)", this_machine().computer, "tar -xf"):
        assert text in out
    code, out, err = asked(capsys, "--list", str(bundle.path), "--json")
    assert (code, "checking" in err) == (0, True)
    assert Contents.from_json(json.loads(out)) == bundle.contents


def test_the_list_finds_damage(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(bundle.path.read_bytes())
    data[bundle.offsets["lab/services/app.py"]] ^= 1
    bundle.path.write_bytes(data)
    code, out, err = asked(capsys, "--list", str(bundle.path))
    assert (code, out) == (2, "")
    assert "lab/services/app.py does not have the checksum" in err


def test_what_excludes_each_other_or_is_there_already_is_refused(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(bundle.path)
    code, _, err = asked(capsys, "--use", path, "--list", path)
    assert (code, "--list and --use cannot be combined" in err) == (2, True), err
    code, _, err = asked(capsys, "--use", path, "--json")
    assert (code, "--json and --use cannot be combined" in err) == (2, True), err
    before = bundle.path.read_bytes()
    code, _, err = asked(capsys, "--without-images", "--out", path)
    assert (code, f"{path} is there already" in err) == (2, True), err
    assert bundle.path.read_bytes() == before
    code, _, err = asked(capsys, "--without-images", "--out", f"{path}/below/x.tar")
    assert (code, "There is no folder" in err) == (2, True), err


GRAFANA = Image("grafana:1", "linux/amd64", "c" * 64)


@pytest.fixture
def maker(clone: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A lab with nothing to download, and an engine with the image that a run needs."""
    engine.there[SERVER.name] = SERVER
    monkeypatch.setattr(bundle_making, "ROOT", clone)
    monkeypatch.setattr(bundle_making, "PACKAGES", {})
    monkeypatch.setattr(bundle_making.wheels, "download", lambda _lock, folder: packed_wheel(folder / "pip-1.whl"))
    everything = {GRAFANA.name: "docker pull grafana:1", SERVER.name: "docker compose build image"}
    of_a_run = {SERVER.name: everything[SERVER.name]}
    monkeypatch.setattr(images, "names", lambda _root, services=(): of_a_run if services else everything)
    monkeypatch.setattr(images, "save", lambda names, file, _moved: file.write_text(" ".join(names)))
    return engine


def packed_wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pip.py", "pass")


def test_an_image_that_no_run_needs_is_left_out_by_name(
    maker: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = asked(capsys, "--out", str(tmp_path))
    assert code == 0, err
    assert "grafana:1 is not in it: this machine does not have it, and no run needs it; docker pull grafana:1" in err
    assert "server:local (linux/amd64)" in out
    (file,) = tmp_path.glob("wsgilab-*.tar")
    found = bundles.read(file)
    assert [image.name for image in found.contents.images] == [SERVER.name]
    assert {piece.name for piece in found.contents.pieces} >= {
        f"lab/{LOCK}",
        "wheels/pip-1.whl",
        "images/images.tar.gz",
    }
    maker.there[GRAFANA.name] = GRAFANA
    assert asked(capsys, "--out", str(tmp_path / "all.tar"))[0] == 0
    assert bundles.read(tmp_path / "all.tar").contents.images == (GRAFANA, SERVER)


def shop(folder: Path, lab_toml: str = "") -> Path:
    (folder / "shop").mkdir()
    (folder / "shop/requirements.txt").write_text("stripe-lite\n")
    (folder / "shop/lab.toml").write_text(lab_toml)
    return folder / "shop"


def test_what_an_app_requires_is_packed_but_for_what_the_lab_has(
    maker: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built: list[Requirements] = []

    def build(requirements: Requirements, folder: Path) -> None:
        built.append(requirements)
        for name in ("stripe_lite-2-py3-none-any.whl", "pip-1.whl"):
            packed_wheel(folder / name)

    monkeypatch.setattr(bundle_making.wheels, "build", build)
    folder = shop(tmp_path)
    code, out, err = asked(capsys, "--without-images", "--app-dir", str(folder), "--out", str(tmp_path / "b.tar"))
    assert code == 0, err
    assert "1 package more, for an app" in out
    assert built == [Requirements((), (folder / "requirements.txt",))]
    found = bundles.read(tmp_path / "b.tar")
    assert [piece.name for piece in found.contents.of(APP)] == ["app/stripe_lite-2-py3-none-any.whl"]
    found.extract_wheels(tmp_path / "wheels")
    assert {path.name for path in (tmp_path / "wheels").iterdir()} == {"stripe_lite-2-py3-none-any.whl", "pip-1.whl"}

    words = ["--without-images", "--requirement", "other", "--app-dir", str(folder), "--out", str(tmp_path / "c.tar")]
    assert asked(capsys, *words)[0] == 0
    assert built[-1] == Requirements(("other",))


def test_an_app_for_another_python_is_not_packed(
    maker: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shop(tmp_path, '[app]\npython = "2.7"\n')
    code, _, err = asked(capsys, "--app-dir", str(folder), "--out", str(tmp_path / "b.tar"))
    assert (code, "The app wants Python 2.7" in err) == (2, True), err


def test_wheels_are_kept_for_what_is_installed_later(
    bundle: Bundle, engine: Engine, clone: Path, tmp_path: Path
) -> None:
    packed_wheel(tmp_path / "x-1-py3-none-any.whl")
    sources = {f"lab/{LOCK}": clone / LOCK, "app/x-1-py3-none-any.whl": tmp_path / "x-1-py3-none-any.whl"}
    pieces = tuple(bundles.piece_of(name, path) for name, path in sources.items())
    bundles.write(tmp_path / "wheels.tar", Contents("0", "2026", this_machine(), (), pieces), sources)
    assert bundle_using.use(bundles.read(tmp_path / "wheels.tar")) == 0
    assert [path.name for path in (clone / ".venv/wheels").iterdir()] == ["x-1-py3-none-any.whl"]


def test_an_image_that_a_run_needs_has_to_be_there(
    maker: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del maker.there[SERVER.name]
    code, _, err = asked(capsys, "--out", str(tmp_path))
    assert (code, "server:local cannot be packed" in err) == (3, True), err
    assert not list(tmp_path.glob("*.tar*"))


@pytest.mark.parametrize("step", ["write", "read"])
def test_where_it_is_interrupted_nothing_is_left(
    maker: Engine, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    if step == "write":
        monkeypatch.setattr(bundles, "write", interrupt)
    else:
        monkeypatch.setattr(Bundle, "verify", interrupt)
    folder = tmp_path / "out"
    folder.mkdir()
    code, _, err = asked(capsys, "--out", str(folder))
    assert (code, "nothing half made is left" in err) == (130, True), err
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(
    maker: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bundles, "write", refuse)
    code, _, err = asked(capsys, "--out", str(tmp_path / "b.tar"))
    assert code == 3
    assert f"{tmp_path}/b.tar cannot be written: Permission denied." in err
    assert f"Next: df -h {tmp_path}" in err
    assert [path.name for path in tmp_path.iterdir()] == ["clone"], "nothing is left"
