"""Whether a server was measured against itself, with intervals."""

from wsgilab.workshop.checks import Evidence, Outcome, Run, again, any_of, is_twin, measured, missing, passed, void_in

LEAST_WINDOWS = 3
FIGURES = ("p50_ms", "p99_ms")


def check(evidence: Evidence) -> Outcome:
    return any_of(evidence.runs, against_itself, "A run of a server next to a twin of it is missing.")


def against_itself(run: Run) -> Outcome | None:
    pairs = [(row.variant_of, row.server) for row in run.rows if is_twin(row)]
    if not pairs:
        return None
    base, twin = pairs[0]
    if void := void_in(run, str(base), twin):
        return void
    windows = [load.windows for name in (base, twin) for load in measured(run.row(str(name)))]
    if not windows or min(windows) < LEAST_WINDOWS:
        return missing(f"In {run.name} each of the twins has too few windows: intervals are missing.")
    compared = [one for one in run.verdict.comparisons if {one.a, one.b} == {base, twin} and one.metric in FIGURES]
    if not compared:
        return missing(f"In {run.name}, {base} and {twin} were not compared at the same rate.")
    shown = [one for one in compared if one.result != "no difference shown"]
    if shown:
        said = f"In {run.name} a difference of the twins is shown ({shown[0].metric})"
        return again(f"{said}: you were the one in twenty, or something else kept the machine busy.")
    return passed(f"{base} and {twin}: no difference shown, over {min(windows)} windows each.")
