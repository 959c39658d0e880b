"""What k6/load.js hands over at the end of a window: its summary, and the answers that it looked at closely."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wsgilab.errors import LabError
from wsgilab.measure import turned_away
from wsgilab.model.window import LoadResult, RequestResult

LONGEST_ADDRESS = 200


@dataclass(frozen=True)
class HandedOver:
    """What a k6 said at its end, of its own part of the schedule."""

    result: LoadResult
    scheduled: int
    """The ticks of the schedule that were its own."""
    dropped: int
    """As k6 counted it."""
    schedule_at: float
    """When its schedule began, in epoch seconds; 0.0 where it never did."""
    scheduled_in_all: int
    """The ticks of the whole schedule."""


def handed_over(summary: Mapping[str, Any], wall_s: float, k6_cpu_s: float) -> HandedOver:
    """As `parse_summary`, with what counts for a part of a schedule. Raises LabError as that does."""
    result = parse_summary(summary, wall_s, k6_cpu_s)
    try:
        return HandedOver(
            result=result,
            scheduled=int(summary["scheduled"]),
            dropped=int(summary["dropped"]),
            schedule_at=float(summary["schedule_at_ms"]) / 1000,
            scheduled_in_all=int(summary["scheduled_in_all"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(error) from error


def parse_summary(summary: Mapping[str, Any], wall_s: float, k6_cpu_s: float) -> LoadResult:
    """Turn what k6/load.js wrote into a LoadResult.

    Raises LabError when a field is missing or is not a number.
    """
    try:
        return _parse(summary, wall_s, k6_cpu_s)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(error) from error


def refusal(console: Iterable[str], statuses: Mapping[str, int]) -> dict[str, Any]:
    """What k6/load.js wrote of the answers it looked at closely: that of the commonest status other than 2xx.

    The fields of LoadResult that say so; empty where no answer of that status was among them.
    """
    others = {status: count for status, count in statuses.items() if status != "0" and status[:1] != "2"}
    commonest = max(others, key=lambda status: others[status], default=None)
    for line in console if commonest else ():
        # logrus writes the message in quotes as Go does, which for what JSON.stringify gives is JSON's way too.
        found = re.search(r' msg=("(?:[^"\\]|\\.)*")', line)
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # cut off, or somebody else's line
            answer = json.loads(json.loads(found.group(1))) if found else {}
            if answer["status"] == commonest:
                texts = {name: _printable(str(answer[name])) for name in ("redirect_to", "host")}
                refused_by = turned_away.setting_in(str(answer.get("text", "")))
                return {**texts, "blames_host": answer["blames_host"] is True, "refused_by": refused_by}
    return {}


def _printable(text: str) -> str:
    """An address as it may be shown: it came from the app."""
    return "".join(letter for letter in text if letter.isprintable())[:LONGEST_ADDRESS]


def _parse(summary: Mapping[str, Any], wall_s: float, k6_cpu_s: float) -> LoadResult:
    sent, ok, failed, wrong = (int(summary[name]) for name in ("sent", "ok", "failed", "wrong_server"))
    # With drops the script cannot tell the last scheduled tick from the one after it: a few more may be sent.
    scheduled = max(int(summary["scheduled"]), sent)
    never_fired = max(0, scheduled - sent - int(summary["dropped"]))
    behind_at_the_end_ms = never_fired * float(summary["period_s"]) * 1000
    return LoadResult(
        scheduled=scheduled,
        sent=sent,
        dropped=scheduled - sent,
        ok=ok,
        ok_in_time=int(summary["ok_in_time"]),
        failed=failed,
        unanswered=sent - ok - failed - wrong,
        wrong_server=wrong,
        statuses={str(code): int(requests) for code, requests in summary["statuses"].items()},
        ladder_ms={str(percentile): float(ms) for percentile, ms in summary["ladder_ms"].items()},
        total_requests=int(summary["total_answered"]),
        total_sent=int(summary["total_sent"]),
        total_ok=int(summary["total_ok"]),
        started_at=float(summary["started_at_ms"]) / 1000,
        wall_s=wall_s,
        k6_cpu_s=k6_cpu_s,
        # Ticks that k6 never came to are lag too: it was that far behind when the window closed.
        lag_ms=max(float(summary["clock_lag_ms"]), behind_at_the_end_ms),
        vus_max=int(summary["vus_max"]),
        by_request={str(name): _by_request(found) for name, found in summary["by_request"]},
        unexpected_text=int(summary["unexpected_text"]),
        expected={str(code): int(answers) for code, answers in summary["expected"].items()},
        reused=None if summary["reused"] is None else int(summary["reused"]),
    )


def _by_request(found: Mapping[str, Any]) -> RequestResult:
    return RequestResult(
        scheduled=max(int(found["scheduled"]), int(found["sent"])),
        sent=int(found["sent"]),
        ok=int(found["ok"]),
        ladder_ms={str(percentile): float(ms) for percentile, ms in found["ladder_ms"].items()},
    )


def no_result(problem: str, log: str, name: str = "k6") -> LabError:
    """A generator, by its name, handed nothing over. `log`: the last that it wrote."""
    cause = f"k6 wrote: {log}" if log else "k6 wrote nothing; too little memory is a usual reason"
    return LabError(f"{name} gave no result: {problem}", cause, "./lab doctor")


def _damaged(error: Exception) -> LabError:
    return no_result(f"its summary is damaged ({error!r})", "")
