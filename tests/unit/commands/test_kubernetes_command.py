"""`./lab kubernetes render`: what it writes where, and what it refuses before it writes anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.commands import carry_out
from wsgilab.commands.cli import main
from wsgilab.model.request import Request

DIGEST = f"registry.example/lab@sha256:{'0' * 64}"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAB_ENGINE", "LAB_RESULTS", "LAB_APP_DIR", "LAB_START_TIMEOUT_S"):
        monkeypatch.delenv(name, raising=False)


def render(out: Path, *words: str) -> int | str | None:
    with pytest.raises(SystemExit) as raised:
        main(["kubernetes", "render", "--out", str(out), *words])
    return raised.value.code


def test_it_says_what_it_wrote_and_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "my cluster"
    assert render(out, "--servers", "gunicorn,uwsgi", "--rate", "50") == 0
    said = capsys.readouterr().out
    files = [path for path in out.rglob("*") if path.is_file()]
    assert f"{len(files)} files, for gunicorn, uwsgi." in said
    assert f"kubectl apply --server-side --kustomize '{out}/base'" in said
    request = Request.from_json((out / "base/request.json").read_text())
    assert (request.servers, request.rates_rps, request.engine) == (("gunicorn", "uwsgi"), (50.0,), "kubernetes")


def test_what_is_there_is_written_over_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(tmp_path / "out", "--servers", "dev") == 0
    assert render(tmp_path / "out", "--servers", "gunicorn") == 2
    assert "is not empty" in capsys.readouterr().err
    assert "name: dev" in (tmp_path / "out/base/servers.yaml").read_text()
    assert render(tmp_path / "out", "--servers", "gunicorn", "--force") == 0
    assert "name: dev" not in (tmp_path / "out/base/servers.yaml").read_text()


def test_a_variable_of_the_environment_reaches_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNICORN_WORKERS", "7")
    assert render(tmp_path / "out", "--servers", "gunicorn", "--app", "shop:app") == 0
    written = (tmp_path / "out/base/servers.yaml").read_text()
    assert "'7'" in written
    assert "shop:app" in written
    request = Request.from_json((tmp_path / "out/base/request.json").read_text())
    assert request.settings["GUNICORN_WORKERS"] == "7"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--server-image", "lab:1", "--runner-image", DIGEST], "--server-image needs an image with its digest"),
        (["--server-image", DIGEST], "--runner-image needs an image with its digest"),
        (["--keep-alive", "both"], "not both"),
        (["--namespace", "My_Lab"], "Nothing in a cluster can be called 'My_Lab'"),
        (["--variant", "x-=gunicorn"], "Nothing in a cluster can be called 'x-'"),
        (["--servers", "gunicron"], "did you mean 'gunicorn'?"),
        (["--rate", "0.1"], "not one request"),
        (["--app-dir", "."], "no option '--app-dir'"),
    ],
)
def test_what_no_cluster_can_have_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert render(tmp_path / "out", *words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_this_machine_is_in_no_pod(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_APP_DIR", str(tmp_path))
    assert render(tmp_path / "out") == 2
    assert "pods see only what is in their image" in capsys.readouterr().err


def test_there_is_nothing_else_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["kubernetes", "deploy", "--out", "x"])
    assert "'deploy' is not something that it can do" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert render(tmp_path / "file") == 2
    assert "is not a folder" in capsys.readouterr().err
    assert render(tmp_path / "file" / "below") == 3
    assert "cannot be written" in capsys.readouterr().err


def test_the_job_s_command_shows_people_how_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []

    def measure(request: Request, as_json: bool) -> int:
        asked.append(request)
        return 5

    monkeypatch.setattr(carry_out, "measure", measure)
    monkeypatch.setenv("LAB_REQUEST", Request(engine="kubernetes", servers=("dev",)).to_json())
    monkeypatch.setenv("LAB_RESULTS", "/results")
    with pytest.raises(SystemExit, match="5"):
        main(["carry-out", "--show"])
    assert asked == [Request(engine="kubernetes", servers=("dev",), results="/results")]
