"""Whether the threads of `dev` were seen, and that one crash takes all of it along."""

from wsgilab.workshop.checks import Evidence, Outcome, Rating, Run, all_of, any_of, measured, missing, passed, void_in


def check(evidence: Evidence) -> Outcome:
    threads = any_of(
        evidence.runs, many_at_once, "A run of `dev` at a rate that one thread could not serve is missing."
    )
    crash = any_of(evidence.runs, one_crash, "A run in which `dev` dies and another server does not is missing.")
    return all_of(threads, crash)


def many_at_once(run: Run) -> Outcome | None:
    row = run.row("dev")
    if row is None or any(load.deaths for load in row.loads):
        return None
    if void := void_in(run, "dev"):
        return void
    if row.service_ms is None:
        return None
    one_thread_rps = 1000 / row.service_ms.value
    good = [load.rate_rps for load in measured(row) if load.rating == Rating.GOOD and load.rate_rps > one_thread_rps]
    if not good:
        could = f"one thread could serve {one_thread_rps:.0f} rps"
        return missing(f"In {run.name}, `dev` was good at no rate above that ({could}): such a rate is missing.")
    return passed(f"`dev` is good at {max(good):g} rps, where one thread could serve {one_thread_rps:.0f} rps.")


def one_crash(run: Run) -> Outcome | None:
    row = run.row("dev")
    if row is None or not any(load.deaths for load in row.loads):
        return None
    for other in run.rows:
        ended = sum(ends for window in run.windows_of(other.server) for ends in ends_in(window))
        if other.server != "dev" and ended and not any(load.deaths for load in other.loads):
            return passed(f"`dev` died; {other.server} lost {ended} workers and went on.")
    return missing(f"In {run.name}, `dev` died: a server whose workers died without taking it along is missing there.")


def ends_in(window):
    return window.usage.inside.worker_ends.values() if window.usage and window.usage.inside else ()
