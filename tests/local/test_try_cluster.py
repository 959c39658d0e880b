"""deploy/kubernetes/try.sh, which nobody here can run for real: its steps, with programs that pretend."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

SCRIPT = "deploy/kubernetes/try.sh"
VERDICT = '{\n  "engine": "kubernetes",\n  "servers": [{\n    "server": "gunicorn"}, {\n    "server": "uwsgi"}]}\n'
KUBECTL = """\
#!/bin/sh
echo "kubectl $* [$KUBECONFIG]" >> "$ASKED"
case "$*" in
  *"get job runner"*) echo True ;;
  *exitCode*) printf %s "$EXIT_CODE" ;;
  *"containers[*].name"*) echo "gunicorn nginx nginx-exporter uwsgi" ;;
  *" cp "*) for last; do :; done; mkdir -p "$last/run"; printf %s "$VERDICT" > "$last/run/verdict.json" ;;
esac
"""
OTHER = '#!/bin/sh\necho "$(basename "$0") $* [$KUBECONFIG]" >> "$ASKED"\n'
LAB = f"""\
#!/bin/sh
echo "lab $1 $2" >> "$ASKED"
[ "$1" = report ] || PYTHONPATH={ROOT} exec {sys.executable} -m wsgilab "$@"
"""
PROMISED = re.findall(r"^#     (ok: .*)$", (ROOT / SCRIPT).read_text(), re.MULTILINE)


def tried(
    folder: Path, verdict: str = VERDICT, exit_code: str = "0", maker: str = "kind"
) -> tuple[subprocess.CompletedProcess[str], str]:
    """What the script says, and which programs it asked for what. `maker`: what can make a cluster."""
    (folder / "deploy/kubernetes").mkdir(parents=True)
    shutil.copy(ROOT / SCRIPT, folder / SCRIPT)
    programs = folder / "bin"
    programs.mkdir()
    for name, text in {"kubectl": KUBECTL, maker: OTHER, "docker": OTHER}.items():
        (programs / name).write_text(text)
    (folder / "lab").write_text(LAB)
    for path in (*programs.iterdir(), folder / "lab"):
        path.chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LAB_")},
        **{"PATH": f"{programs}:/usr/bin:/bin", "ASKED": str(folder / "asked"), "TMPDIR": str(folder)},
        **{"VERDICT": verdict, "EXIT_CODE": exit_code, "KUBECONFIG": "/mine"},
    }
    command = ["bash", str(folder / SCRIPT), "--servers", "gunicorn,uwsgi"]
    asked = folder / "asked"
    asked.touch()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done, asked.read_text()


def test_it_prints_what_its_head_promises_and_leaves_no_cluster(tmp_path: Path) -> None:
    done, asked = tried(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("ok: ")] == PROMISED
    assert len(PROMISED) == 7
    steps = [
        "docker compose build",
        "kind create",
        "kind load",
        "lab kubernetes render",
        "kubectl apply",
        "kind delete",
    ]
    assert [asked.index(step) for step in steps] == sorted(asked.index(step) for step in steps)
    assert "overlays/try" in asked, "it fits on a laptop"
    assert "[/mine]" not in asked, "the current cluster of whoever tries it is left alone"
    assert not list(tmp_path.glob("tmp.*")), "nothing is left behind"


@pytest.mark.parametrize(
    ("verdict", "exit_code", "said"),
    [
        (VERDICT, "4", "the runner ended with 4"),
        (VERDICT, "", "the runner ended with no code"),
        (VERDICT.replace("kubernetes", "compose"), "0", "the verdict is of another engine"),
        (VERDICT.replace("uwsgi", "waitress"), "5", "the verdict lacks uwsgi"),
    ],
)
def test_what_went_wrong_is_said_and_the_cluster_goes_all_the_same(
    tmp_path: Path, verdict: str, exit_code: str, said: str
) -> None:
    done, asked = tried(tmp_path, verdict, exit_code)
    assert done.returncode == 1
    assert said in done.stderr
    assert "kind delete cluster --name wsgilab-try" in asked


def test_without_a_program_that_makes_clusters_nothing_is_built(tmp_path: Path) -> None:
    done, asked = tried(tmp_path, maker="minikube")
    assert (done.returncode, "there is neither kind nor k3d" in done.stderr) == (3, True), done.stderr
    assert asked == ""
