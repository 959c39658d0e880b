"""Whether workers were replaced under load without a failed request."""

from wsgilab.workshop.checks import Evidence, Outcome, Run, all_of, any_of, missing, passed

IN_ORDER = ("reload", "recycled", "exit 0")
"""How workers end that were asked to; which of these it is depends on the server and the kernel."""


def check(evidence: Evidence) -> Outcome:
    return all_of(*(any_of(evidence.runs, reloaded(name), nothing(name)) for name in ("gunicorn", "uwsgi")))


def nothing(server: str) -> str:
    return f"A window in which workers of {server} were replaced under load is missing."


def reloaded(server: str):
    def judged(run: Run) -> Outcome | None:
        rows = run.family(server)
        windows = [window for row in rows for window in run.windows_of(row.server) if replaced(window)]
        if not windows:
            return None
        lost = sum(window.load.scheduled - window.load.ok for window in windows if window.load)
        if lost:
            some = f"{lost} requests failed while workers of {server} were replaced"
            return missing(f"In {run.name}, {some}: a reload without a failed request is missing.")
        ends = sum(replaced(window) for window in windows)
        return passed(f"{ends} workers of {windows[0].plan.server} were replaced, and no request failed.")

    return judged


def replaced(window) -> int:
    inside = window.usage.inside if window.usage else None
    if inside is None or window.usage.restarts or window.died:
        return 0
    return min(sum(inside.worker_ends.get(why, 0) for why in IN_ORDER), inside.worker_starts)
