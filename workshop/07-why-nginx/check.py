"""Whether slow clients were seen to take Gunicorn's workers, and none behind nginx."""

from wsgilab.workshop.checks import Evidence, Outcome, Rating, Run, any_of, both_at, missing, passed, void_in

ROOM = 0.8
"""Share of what all slots could serve, up to which an undisturbed server has no reason to be late."""
NOTHING = "A run with gunicorn and gunicorn-nginx at the same rate is missing."


def check(evidence: Evidence) -> Outcome:
    return any_of(evidence.runs, workers_taken, NOTHING)


def workers_taken(run: Run) -> Outcome | None:
    bare, behind = run.row("gunicorn"), run.row("gunicorn-nginx")
    if bare is None or behind is None:
        return None
    if void := void_in(run, "gunicorn", "gunicorn-nginx"):
        return void
    if bare.slots is None or behind.service_ms is None:
        return None
    limit_rps = bare.slots / behind.service_ms.value * 1000
    for alone, buffered in both_at(bare, behind):
        easy = alone.rate_rps <= ROOM * limit_rps
        if easy and (alone.rating, buffered.rating) == (Rating.BAD, Rating.GOOD):
            seen = f", {bare.slots_seen} of {bare.slots} slots seen" if bare.slots_seen else ""
            return passed(f"At {alone.rate_rps:g} rps gunicorn is bad{seen}, and behind nginx it is good.")
    if all(load.rating == Rating.BAD for load in (*bare.loads, *behind.loads)):
        return missing(f"In {run.name} both missed the SLO: a rate that four free workers can serve is missing.")
    return missing(
        f"In {run.name}, whatever came did not hold up gunicorn alone: visitors who hold its workers are missing."
    )
