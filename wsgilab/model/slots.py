"""How many requests a server handles at once, and how that is known. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wsgilab.model import words


@dataclass(frozen=True)
class Slots:
    """What compose.yaml declares, what was seen, and what the server says itself."""

    declared: int | None
    seen: int | None = None
    """None where nothing contradicts what it is set for."""
    configured: int | None = None
    """What the server says that it is set for, where that is not what was declared."""
    full: bool = True
    """Whether those seen are all: others waited for a place. Else there are so many at least."""

    @property
    def told(self) -> int | None:
        """What it is set for, as far as anybody says: the server itself rather than compose.yaml."""
        return self.declared if self.configured is None else self.configured

    @property
    def count(self) -> int | None:
        """What laws reckon with; None where nothing bounds it, or nothing is known."""
        if self.seen is None:
            return self.told
        return self.seen if self.full else max(self.seen, self.configured or 0)

    @property
    def may_be_more(self) -> bool:
        """Whether so many were seen, and nobody says how many there are: no law can call them a limit."""
        return self.seen is not None and not self.full and self.configured is None

    def in_words(self) -> str:
        """`4 slots`, `2 slots seen`, `32 slots configured (at least 19 seen at once)`, `at least 19 slots seen`."""
        slots = words.counted(self.count or 0, "slot")
        if self.seen is None or (not self.full and self.configured):
            at_least = "" if self.seen is None else f" (at least {self.seen} seen at once)"
            return f"{slots}{'' if self.configured is None else ' configured'}{at_least}"
        return f"{slots} seen" if self.full else f"at least {slots} seen"

    def at_once(self, concurrency: str) -> str:
        """`8`, `32 configured, at least 19 seen`, `4 × 2 declared, 2 seen`. `concurrency`: as compose.yaml says it."""
        told = concurrency.replace(" x ", " × ") if self.configured is None else f"{self.configured} configured"
        if self.seen is None:
            return told
        seen = f"{self.seen} seen" if self.full else f"at least {self.seen} seen"
        if self.configured is not None:
            return f"{told}, {seen}"
        return f"{told} declared, {seen}" if self.declared is not None and self.seen < self.declared else seen
