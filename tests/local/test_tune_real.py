"""`lab tune` on real servers with a small budget: interrupted once, and gone on with."""

from __future__ import annotations

import json
import signal

from support import Lab, only_run, windows_of

ASKED = ("tune", "--server", "gunicorn", "--duration", "2")


def test_a_tuning_measures_settings_one_after_the_other_and_goes_on_where_it_was(lab: Lab) -> None:
    running = lab.start(*ASKED, "--budget", "32")
    try:
        running.says("[3] ")
        running.signal(signal.SIGINT)
        assert running.ends() == 130
    finally:
        running.kill()
    folder = only_run(lab)
    before = (folder / "windows.jsonl").read_bytes()
    assert f"--resume {folder}" in running.output

    refused = lab(*ASKED, "--slo", "p99<1s", "--resume", folder)
    assert refused.returncode == 2
    assert "was asked something else" in refused.stderr

    done = lab(*ASKED, "--budget", "32", "--resume", folder)
    assert done.returncode in (0, 5), done.stdout + done.stderr  # 5: a machine so busy that no window counts
    assert (folder / "windows.jsonl").read_bytes().startswith(before)
    tuning = json.loads((folder / "tuning.json").read_text())
    assert len(tuning["attempts"]) == len(windows_of(folder)) > 2
    assert not tuning["problem"]
    tried = {point["name"]: point for point in tuning["landscape"] if point["windows"]}
    assert {"gunicorn-sync-1", "gunicorn-sync-2"} <= tried.keys(), "one before it was interrupted, one after"
    assert 25 <= (tried["gunicorn-sync-1"]["predicted_rps"] or 44) <= 55, "one slot of 22 ms"
    servers = json.loads((folder / "verdict.json").read_text())["servers"]
    assert {row["server"] for row in servers} == set(tried)
    assert lab("report", folder).stdout == done.stdout
