"""Whether throttling was seen, and a kill for memory."""

from wsgilab.workshop.checks import Evidence, Outcome, Run, all_of, any_of, missing, passed, void_in


def check(evidence: Evidence) -> Outcome:
    throttled = any_of(evidence.runs, was_throttled, "A run in which a quota froze a server is missing.")
    killed = any_of(evidence.runs, was_killed, "A run in which the kernel killed a process for its memory is missing.")
    return all_of(throttled, killed)


def was_throttled(run: Run) -> Outcome | None:
    if run.verdict.engine == "local":
        return None
    for row in run.rows:
        frozen_s = sum(load.throttled_s for load in row.loads)
        if frozen_s > 0:
            return passed(f"A quota froze {row.server} for {frozen_s:.1f} s.")
    if void := void_in(run, *(row.server for row in run.rows)):
        return void
    return missing(f"In {run.name} no server was throttled: a quota that is too small for the load is missing.")


def was_killed(run: Run) -> Outcome | None:
    if run.verdict.engine == "local":
        return None
    for row in run.rows:
        kills = sum(load.oom_kills for load in row.loads)
        if kills > 0:
            return passed(f"The kernel killed processes of {row.server} for their memory: {kills:.0f} in all.")
    if void := void_in(run, *(row.server for row in run.rows)):
        return void
    return missing(
        f"In {run.name} no process was killed for its memory: a limit that is too small for the app is missing."
    )
