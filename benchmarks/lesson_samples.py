"""Writes the samples of docs/lesson.md anew from a saved run. No benchmark, but it wants a quiet machine just as much.

    ./lab run && python benchmarks/lesson_samples.py results/RUN

They say what the verdict says. What is too long for a lesson is then shortened by hand, without changing a figure: a
test holds them against the table of the README, which is of the same run. The date and the machine in the text's second
paragraph are changed by hand as well.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from wsgilab import api  # noqa: E402
from wsgilab.model import words  # noqa: E402
from wsgilab.model.verdict import Verdict  # noqa: E402
from wsgilab.view import lesson  # noqa: E402

LESSON = ROOT / "docs/lesson.md"
SAMPLE = re.compile(r"^> \*\*Measured\*\* `([\w-]+)`.*\n(?:> .*\n)*", re.MULTILINE)


def main(folder: str) -> int:
    verdict = api.report(folder).verdict
    LESSON.write_text(SAMPLE.sub(lambda match: sample(match[1], verdict), LESSON.read_text()))
    return 0


def sample(name: str, verdict: Verdict) -> str:
    """One quotation. The table of patterns stays in the README."""
    if name == lesson.PATTERNS:
        said = "the table in the [README](../README.md#what-it-found)."
    elif name == lesson.SHARES:
        parts = [
            f"{share.server} {words.duration(share.response_ms)}, {'at most ' * share.response_ms.censored}"
            f"{share.in_app * 100:.0f} % of it"
            for share in lesson.shares(verdict)
            if share.rate_rps == verdict.rates_rps[0]
        ]
        rate = words.rps(verdict.rates_rps[0])
        said = f"at {rate} half of the requests were answered within, and the app took: {'; '.join(parts)}."
    else:
        (claim,) = [claim for claim in verdict.claims if claim.id == name]
        said = f"{claim.result}. {words.sentence(claim.evidence)}"
    return f"> **Measured** `{name}`, in the sample: {said}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
