"""What a long run costs the runner itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from factories import SERVERS, manifest, samples, story
from support import ROOT

from wsgilab.results.folder import RunFolder

WINDOWS = 2000
MEMORY_MB = 150
REPORT_KB = 400


def test_a_report_of_two_thousand_windows_fits_in_memory_and_in_a_mail(tmp_path: Path) -> None:
    """Five servers at two rates for 200 rounds, each window with ten readings."""
    folder = RunFolder.create(tmp_path / "long")
    servers = [
        {"name": each.name, "pattern": each.pattern, "concurrency": each.concurrency, "slots": each.slots}
        for each in SERVERS
    ]
    folder.write_manifest(manifest(command="run", rounds=WINDOWS // 10, slo="p99<250ms", servers=servers))
    template = [replace(each, usage=each.usage and replace(each.usage, samples=samples(2.0, 2.2))) for each in story(1)]
    with (folder.path / "windows.jsonl").open("w") as file:  # append would wait for the disk each time
        for number in range(WINDOWS):
            each = template[number % len(template)]
            window = replace(each, plan=replace(each.plan, round=1 + number // len(template), order=number))
            file.write(json.dumps(window.to_json()) + "\n")
    command = [sys.executable, "-m", "wsgilab", "report", str(folder.path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    print(f"{WINDOWS} windows: {used.ru_utime + used.ru_stime:.1f} s of CPU, {used.ru_maxrss / 1024:.0f} MB")
    assert used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2) <= MEMORY_MB
    assert (folder.path / "report.html").stat().st_size <= REPORT_KB * 1024
