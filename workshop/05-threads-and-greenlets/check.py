"""Whether threads or greenlets were seen to help, and greenlets that block were caught."""

from wsgilab.workshop.checks import (
    Evidence,
    Outcome,
    Rating,
    Run,
    all_of,
    any_of,
    both_at,
    missing,
    passed,
    void_in,
)

CHEAP = ("gunicorn-gthread", "gunicorn-gevent")
GEVENT = "gunicorn-gevent"


def check(evidence: Evidence) -> Outcome:
    helps = any_of(evidence.runs, cheap_slots_help, "A run with sync workers and with threads or greenlets is missing.")
    trap = any_of(evidence.runs, caught_blocking, "A run of gevent with and without the trap is missing.")
    return all_of(helps, trap)


def cheap_slots_help(run: Run) -> Outcome | None:
    sync, others = run.row("gunicorn"), [row for name in CHEAP if (row := run.row(name))]
    if sync is None or not others:
        return None
    if void := void_in(run, "gunicorn", *(row.server for row in others)):
        return void
    for other in others:
        for few, many in both_at(sync, other):
            if (few.rating, many.rating) == (Rating.BAD, Rating.GOOD):
                return passed(f"At {few.rate_rps:g} rps gunicorn is bad and {other.server} is good.")
    return missing(f"In {run.name}, a rate is missing at which sync workers miss the SLO and the others keep it.")


def caught_blocking(run: Run) -> Outcome | None:
    plain, variants = run.row(GEVENT), [row for row in run.family(GEVENT) if row.server != GEVENT]
    if plain is None or not variants:
        return None
    if void := void_in(run, *(row.server for row in (plain, *variants))):
        return void
    for variant in variants:
        seen = variant.slots_seen
        blocked = seen is not None and variant.slots is not None and seen < variant.slots / 10
        for load, late in both_at(plain, variant):
            if blocked and (load.rating, late.rating) == (Rating.GOOD, Rating.BAD):
                return passed(
                    f"{variant.server} was declared {variant.slots} slots and had {seen}: its greenlets blocked."
                )
    return missing(
        f"In {run.name}, greenlets gave way to each other in every variant: one in which they block is missing."
    )
