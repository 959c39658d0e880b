"""Whether all five servers of the lesson were measured in one run."""

from wsgilab.workshop.checks import Evidence, Outcome, Run, any_of, measured, missing, passed, void_in

FIVE = ("dev-single", "dev", "gunicorn", "uwsgi-single", "uwsgi")


def check(evidence: Evidence) -> Outcome:
    return any_of(evidence.runs, first_verdict, "There is no run in results/ yet.")


def first_verdict(run: Run) -> Outcome | None:
    there = [server for server in FIVE if run.row(server)]
    if len(there) < len(FIVE):
        return missing(f"A run with all five servers of the lesson is missing; {run.name} has {len(there)} of them.")
    if void := void_in(run, *FIVE):
        return void
    ratings = [f"{row.server} {row.rating}" for row in run.rows if row.server in FIVE and measured(row)]
    return passed(f"Your verdict: {', '.join(ratings)}.")
