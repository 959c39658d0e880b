"""Whether a variant beats the server that it was made from."""

from wsgilab.workshop.checks import (
    Evidence,
    Outcome,
    Rating,
    Run,
    ServerRow,
    any_of,
    both_at,
    is_twin,
    missing,
    passed,
    void_in,
)

NOTHING = "A run of a server next to a variant of it, with settings of your own, is missing."


def check(evidence: Evidence) -> Outcome:
    return any_of(evidence.runs, beaten, NOTHING)


def beaten(run: Run) -> Outcome | None:
    variants = [row for row in run.rows if row.variant_of and not is_twin(row)]
    pairs = [(base, row) for row in variants if (base := run.row(str(row.variant_of)))]
    if not pairs:
        return None
    for default, mine in pairs:
        if outcome := higher_capacity(default, mine) if run.verdict.is_search else keeps_what_is_missed(default, mine):
            return outcome
    if void := void_in(run, *(row.server for pair in pairs for row in pair)):
        return void
    return missing(f"In {run.name} no variant kept the SLO where its server missed it: a better one is missing.")


def keeps_what_is_missed(default: ServerRow, mine: ServerRow) -> Outcome | None:
    for before, after in both_at(default, mine):
        if (before.rating, after.rating) == (Rating.BAD, Rating.GOOD):
            return passed(f"At {before.rate_rps:g} rps {default.server} is bad and {mine.server} is good.")
    return None


def higher_capacity(default: ServerRow, mine: ServerRow) -> Outcome | None:
    before, after = default.capacity_rps, mine.capacity_rps
    if before is None or after is None or before.high is None or after.low is None or after.low <= before.high:
        return None
    return passed(f"{mine.server} carries {after.value:g} rps, {default.server} {before.value:g} rps.")
