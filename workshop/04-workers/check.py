"""Whether workers were seen to help with waiting, and not to help with computing."""

from wsgilab.workshop.checks import (
    Evidence,
    LoadRow,
    Outcome,
    Rating,
    Run,
    ServerRow,
    all_of,
    any_of,
    both_at,
    measured,
    missing,
    passed,
    void_in,
)

COMPUTES = ("cpu", "/cpu")


def check(evidence: Evidence) -> Outcome:
    waiting = any_of(
        evidence.runs, more_help, "A run with three different numbers of workers under a load that waits is missing."
    )
    computing = any_of(
        evidence.runs,
        more_do_not_help,
        "A run with two different numbers of workers under a load that computes is missing.",
    )
    return all_of(waiting, computing)


def by_workers(run: Run) -> dict[int, ServerRow]:
    """Gunicorn with as many workers as stand there, fewest first."""
    rows = {row.slots: row for row in run.family("gunicorn") if row.slots and measured(row)}
    return dict(sorted(rows.items()))


def computes(run: Run) -> bool:
    return run.workload.startswith(COMPUTES)


def more_help(run: Run) -> Outcome | None:
    family, rows = run.family("gunicorn"), by_workers(run)
    if computes(run) or len(family) < 2:
        return None
    if void := void_in(run, *(row.server for row in family)):
        return void
    if len(rows) < 3:
        return missing(f"{run.name} has {len(rows)} different numbers of workers: a third is missing.")
    fewest, most = min(rows), max(rows)
    for few, many in both_at(rows[fewest], rows[most]):
        if (few.rating, many.rating) == (Rating.BAD, Rating.GOOD):
            return passed(f"At {few.rate_rps:g} rps {fewest} of them is too few, and {most} are enough.")
    return missing(f"In {run.name}, a rate is missing at which {fewest} is too few and {most} are enough.")


def more_do_not_help(run: Run) -> Outcome | None:
    family, rows = run.family("gunicorn"), by_workers(run)
    if not computes(run) or not family:
        return None
    if void := void_in(run, *(row.server for row in family)):
        return void
    if len(rows) < 2:
        return missing(f"{run.name} has one number of workers: another one is missing.")
    fewest, most = min(rows), max(rows)
    for few, many in both_at(rows[fewest], rows[most]):
        if limited_by_cpu(many) and few.rating == Rating.BAD:
            both = f"{fewest} and {most} are equally too few"
            return passed(f"At {few.rate_rps:g} rps of computing, {both}: the CPU is used up.")
    return missing(f"In {run.name}, a rate is missing at which the CPU is used up, whatever the number of workers.")


def limited_by_cpu(load: LoadRow) -> bool:
    return load.rating == Rating.BAD and load.cause is not None and load.cause.kind == "CPU"
