"""One more server in compose.yaml, in a copy of the lab: it is measured and drawn like the others."""

from __future__ import annotations

from pathlib import Path

import twelfth
from support import Lab, only_run, windows_of

from wsgilab.machine.ports import free_ports


def test_a_server_that_was_added_to_compose_yaml_is_measured_and_drawn(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    copy = twelfth.copied(tmp_path / "copy", free_ports(1)[0])
    what = ("--servers", f"{twelfth.NAME},gunicorn", "--rate", "20", "--rounds", "1", "--duration", "1")
    # Not the lab of the folder that the tests run in, which comes first otherwise.
    own = {"PYTHONPATH": str(copy), "PYTHONSAFEPATH": "1"}
    done = lab("run", *what, WAITRESS_TWO_THREADS="3", **own)
    assert done.returncode == 0, done.stdout + done.stderr
    windows = {window["plan"]["server"]: window["load"]["ok"] for window in windows_of(only_run(lab))}
    assert windows == {twelfth.NAME: 20, "gunicorn": 20}
    report = (only_run(lab) / "report.html").read_text()
    assert f'fill="{twelfth.COLOUR}"' in report
    assert "Waitress, two threads" in report
