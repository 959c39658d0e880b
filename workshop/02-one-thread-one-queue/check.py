"""Whether the limit of a single slot lies between two rates that were measured."""

from wsgilab.workshop.checks import (
    Evidence,
    Outcome,
    Rating,
    Run,
    ServerRow,
    any_of,
    measured,
    missing,
    passed,
    void_in,
)

FARTHEST = 3.0
"""The higher rate over the lower one."""
NOTHING = (
    "A run of a server that handles one request at a time, at a rate below its limit and one above it, is missing."
)


def check(evidence: Evidence) -> Outcome:
    return any_of(evidence.runs, limit_between_two_rates, NOTHING)


def limit_between_two_rates(run: Run) -> Outcome | None:
    single = [row for row in run.rows if row.slots_used == 1]
    if not single:
        return None
    return any_of(single, lambda row: judged(run, row), NOTHING)


def judged(run: Run, row: ServerRow) -> Outcome:
    if void := void_in(run, row.server):
        return void
    good = [load.rate_rps for load in measured(row) if load.rating == Rating.GOOD]
    bad = [load.rate_rps for load in measured(row) if load.rating == Rating.BAD]
    if not good:
        return missing(
            f"In {run.name}, {row.server} kept the SLO at none of its rates: one below its limit is missing."
        )
    if not bad:
        return missing(f"In {run.name}, {row.server} kept the SLO at every rate: one above its limit is missing.")
    if min(bad) > FARTHEST * max(good):
        far = f"{max(good):g} and {min(bad):g} rps are too far apart to say where its limit is"
        return missing(f"In {run.name}, {far}: rates nearer to each other are missing.")
    limit = f"; 1 slot ÷ time in the app is {row.slots_rps:.0f} rps" if row.slots_rps else ""
    return passed(f"{row.server} keeps the SLO at {max(good):g} rps and misses it at {min(bad):g} rps{limit}.")
