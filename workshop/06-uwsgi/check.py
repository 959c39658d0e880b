"""Whether slots were seen to serve, and a short queue to refuse."""

from wsgilab.workshop.checks import Evidence, Outcome, Rating, Run, all_of, any_of, both_at, missing, passed, void_in

REFUSED = 0.05
"""Share of the requests from which on a full queue was more than a hiccup."""


def check(evidence: Evidence) -> Outcome:
    slots = any_of(evidence.runs, slots_serve, "A run with uwsgi-single and uwsgi at the same rate is missing.")
    queue = any_of(evidence.runs, queue_refuses, "A run of uwsgi-single next to itself with another queue is missing.")
    return all_of(slots, queue)


def slots_serve(run: Run) -> Outcome | None:
    single, several = run.row("uwsgi-single"), run.row("uwsgi")
    if single is None or several is None:
        return None
    if void := void_in(run, "uwsgi-single", "uwsgi"):
        return void
    for few, many in both_at(single, several):
        if (few.rating, many.rating) == (Rating.BAD, Rating.GOOD):
            return passed(f"At {few.rate_rps:g} rps one slot is too few, and {several.concurrency} are enough.")
    return missing(f"In {run.name}, a rate is missing at which one slot is too few and several are enough.")


def queue_refuses(run: Run) -> Outcome | None:
    long, variants = run.row("uwsgi-single"), [row for row in run.family("uwsgi-single") if row.variant_of]
    if long is None or not variants:
        return None
    if void := void_in(run, *(row.server for row in (long, *variants))):
        return void
    for variant in variants:
        for patient, short in both_at(long, variant):
            if short.refused_ratio >= REFUSED > patient.refused_ratio:
                refused = f"{short.refused_ratio:.0%} of its requests"
                return passed(
                    f"At {short.rate_rps:g} rps {variant.server} refuses {refused}; uwsgi-single lets them wait."
                )
    return missing(f"In {run.name}, no queue was short enough to be full: requests that are refused are missing.")
