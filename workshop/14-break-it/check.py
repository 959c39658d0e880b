"""Whether a window was made void."""

from wsgilab.workshop.checks import Evidence, Outcome, Rating, Run, any_of, missing, passed


def check(evidence: Evidence) -> Outcome:
    return any_of(evidence.runs, void_on_purpose, "A run with a void window is missing.")


def void_on_purpose(run: Run) -> Outcome | None:
    if reasons := run.voids():
        return passed(f"Void in {run.name}: {reasons[0]}.")
    if any(row.rating == Rating.BAD for row in run.rows):
        return missing(f"In {run.name} the server failed, and the measurement did not: a void window is missing.")
    return missing(f"In {run.name} every window counts: a void one is missing.")
