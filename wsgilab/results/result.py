"""What a measurement gives to a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsgilab.analysis.tuning.outcome import Tuning
from wsgilab.errors import Interrupted, LabError, MissingError
from wsgilab.model.gate import Gate
from wsgilab.model.manifest import Manifest
from wsgilab.model.verdict import Verdict
from wsgilab.model.window import Window

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Result:
    """What was measured, and what it says."""

    verdict: Verdict
    windows: tuple[Window, ...]
    """Every window in the order in which it was measured: void ones and those that a server did not survive too."""
    folder: Path | None
    """Where all of it is saved; None where that was not possible, or where it is in a volume of Docker's."""
    manifest: Manifest = field(default_factory=Manifest)
    """Everything that could explain a figure."""
    unreadable: tuple[str, ...] = ()
    """What of a saved run could not be read, in sentences; they are in the verdict too."""
    trouble: LabError | Interrupted | None = None
    """Why the measurement ended early, or could not be saved whole; None where all went well."""
    gate: Gate | None = None
    """What a gate came to; None for any other command, and where it did not get to its end."""
    tuning: Tuning | None = None
    """What a tuning came to; None for any other command."""

    def to_dataframe(self) -> pandas.DataFrame:
        """One row for each window, as in verdict.json: its plan, whether it counts, and a column for each figure.

        A figure that is a bound (`> 10 s`) is the bound, and its column `…_censored` is true. Raises MissingError where
        pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingError(
                "pandas is not installed, and a data frame needs it.",
                "the lab itself does not need it, so it is not among its requirements",
                "pip install pandas",
            ) from error
        return pandas.DataFrame([_flat(row.to_json()) for row in self.verdict.windows])


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A window of verdict.json as one row of a table."""
    flat = {name: value for name, value in row.items() if name not in ("figures", "moments", "notes")}
    for name, figure in row["figures"].items():
        flat[name], flat[f"{name}_censored"] = figure or (None, False)
    return {**flat, "notes": "; ".join(row["notes"])}
