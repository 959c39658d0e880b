"""What a long run costs the runner itself."""

from __future__ import annotations

import json
import re
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
REPORT = """
import sys
from pathlib import Path
from wsgilab.commands.cli import main
try:
    main(["report", sys.argv[1]])
finally:
    status = Path("/proc/self/status")
    sys.stderr.write(status.read_text() if status.exists() else "")
"""
"""The report, and then the most memory that it had: what the kernel tells of a child counts its parent's, too."""


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
    done = subprocess.run(
        [sys.executable, "-c", REPORT, str(folder.path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if Path("/proc/self/status").exists():
        (most_kb,) = re.findall(r"^VmHWM:\s+(\d+) kB", done.stderr, re.MULTILINE)
        assert int(most_kb) / 1024 <= MEMORY_MB
    assert (folder.path / "report.html").stat().st_size <= REPORT_KB * 1024
