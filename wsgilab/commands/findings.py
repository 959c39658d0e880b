"""What `./lab doctor` finds, one thing at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass

OK, ODD, MISSING = "ok", "odd", "missing"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: str
    """`ok`, `odd` (a run works, with a caveat) or `missing` (some run does not work)."""
    said: str
    fix: str = ""
    """The command that fixes it, where there is one."""

    def to_json(self) -> dict[str, str]:
        """As plain JSON values."""
        return asdict(self)
