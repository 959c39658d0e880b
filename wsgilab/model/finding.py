"""What `./lab doctor` finds, one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass

OK, ODD, MISSING = "ok", "odd", "missing"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: str
    """`ok`, `odd` (a run works, with a caveat) or `missing` (some run does not work)."""
    said: str
    fix: str = ""
    """What fixes it, where there is something: on this machine a command, in an app what to change."""
    servers: tuple[str, ...] = ()
    """Those under which an app shows it."""
    means: str = ""
    """What it means for whoever uses the app."""

    def to_json(self) -> dict[str, object]:
        """As plain JSON values. Servers and a meaning only where they are known."""
        found: dict[str, object] = {"what": self.what, "state": self.state, "said": self.said, "fix": self.fix}
        if self.servers:
            found["servers"] = list(self.servers)
        return {**found, "means": self.means} if self.means else found
