"""Whether a HAR file, or a browser that clicked, shows a page that waited for its server, and one that did not."""

from collections import defaultdict
from urllib.parse import urlsplit

from wsgilab.workshop.checks import Evidence, Felt, Outcome, Record, any_of, missing, passed

LONG_MS, SHORT_MS = 250.0, 100.0
LATE_MS, TIMES = 200.0, 2.0
"""A click whose answer takes so long, and so many times as long as with another server, has waited in a queue."""
MOSTLY = 0.8
"""Share of a slow page's time that must lie before its first byte: connecting waits too, where the queue is full."""


def check(evidence: Evidence) -> Outcome:
    return any_of(
        [*evidence.records_of("har"), *evidence.felt],
        lambda piece: clicked(piece) if isinstance(piece, Felt) else judged(piece),
        "A HAR file in results/workshop/, or a run with clicks of a browser, is missing.",
    )


def judged(record: Record) -> Outcome:
    pages = by_port(record.data)
    if len(pages) < 2:
        return missing(f"{record.name} has pages of {len(pages)} of the lab's servers: a second one is missing.")
    slow = {port: waits for port, waits in pages.items() if max(wait for wait, _ in waits) >= LONG_MS}
    quick = [port for port, waits in pages.items() if min(wait for wait, _ in waits) <= SHORT_MS and port not in slow]
    if not slow:
        return missing(f"In {record.name} every page came at once: one of a server under overload is missing.")
    if not quick:
        return missing(f"In {record.name} every server kept you waiting: one with room is missing.")
    port, waits = next(iter(slow.items()))
    wait_ms, whole_ms = max(waits)
    if wait_ms < MOSTLY * whole_ms:
        return missing(
            f"In {record.name} the slow page spent its time elsewhere: one that waits for its server is missing."
        )
    return passed(f"Port {port}: {wait_ms:.0f} of {whole_ms:.0f} ms were waiting for the first byte.")


def clicked(felt: Felt) -> Outcome:
    """The button that says at once that it is loading: when was the answer on the screen, with which server?"""
    rows = [row for row in felt.verdict.rows if (row.action, row.vital) == ("feedback first", "content_ms")]
    times = {row.server: row.p75_ms.value for row in rows if row.rate_rps and row.p75_ms}
    if len(times) < 2:
        return missing(f"{felt.name} has clicks with load on {len(times)} of the servers: a second one is missing.")
    (quick, quick_ms), *_, (slow, slow_ms) = sorted(times.items(), key=lambda found: found[1])
    if slow_ms < LATE_MS or slow_ms < TIMES * quick_ms:
        return missing(f"In {felt.name} every answer came at once: one of a server under overload is missing.")
    return passed(f"After a click the answer of {slow} took {slow_ms:.0f} ms, that of {quick} {quick_ms:.0f} ms.")


def by_port(har) -> dict[int, list[tuple[float, float]]]:
    """(until the first byte, everything) in ms of each page that was answered, by the port of this machine."""
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    log = har.get("log")
    for entry in log.get("entries", []) if isinstance(log, dict) else []:
        try:
            address, status = urlsplit(entry["request"]["url"]), entry["response"]["status"]
            timings = entry["timings"]
            connecting = max(0.0, float(timings.get("connect") or 0.0))  # -1 where a connection was used again
            times = connecting + float(timings["wait"]), float(entry["time"])
            is_page = address.hostname in ("127.0.0.1", "localhost") and address.path == "/page"
            if is_page and address.port and status == 200:
                found[address.port].append(times)
        except (KeyError, TypeError, ValueError):  # an extension of some browser
            continue
    return dict(found)
