"""Whether an app that is not the lab's own was measured, with good answers."""

from wsgilab.workshop.checks import Evidence, Outcome, Run, any_of, measured, missing, passed, void_in

THE_LABS, OF_EXERCISES = "app:app", ("crash:", "late:", "keeps:")
ITS_ROUTES = ("", "/", "/io", "/cpu", "/mix", "/json", "/page", "/page/orders", "/upload", "/health")
FAILED = 0.5
"""Share of the requests from which on nothing was learnt about the app."""


def check(evidence: Evidence) -> Outcome:
    return any_of(evidence.runs, own_app, "A run of an app that is not the lab's own is missing.")


def is_own(run: Run) -> bool:
    """Whether it was somebody's own: many are called app:app, as the lab's is, but have other pages."""
    app = run.verdict.conditions.app or ""
    path = run.workload.partition("?")[0] if run.workload.startswith("/") else ""
    other_pages = path not in ITS_ROUTES or run.workload in ("traffic", "script")
    return bool(app) and not app.startswith(OF_EXERCISES) and (app != THE_LABS or other_pages)


def own_app(run: Run) -> Outcome | None:
    if not is_own(run):
        return None
    if void := void_in(run, *(row.server for row in run.rows)):
        return void
    loads = [load for row in run.rows for load in measured(row)]
    answered = [load for load in loads if (failed := load["failed_ratio"]) and failed.value < FAILED]
    if not answered:
        return missing(f"In {run.name} most requests failed: good answers of your app are missing.")
    best = max(load["goodput_rps"].value for load in answered if load["goodput_rps"])
    return passed(f"{run.verdict.conditions.app} was measured, up to {best:.0f} good answers per second.")
