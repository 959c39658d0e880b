"""What of windows.jsonl cannot be used, in sentences: few of them, however much it is. Pure."""

from __future__ import annotations

from wsgilab.results import saved

MOST_NAMED = 20
"""More sentences than this nobody reads."""


class Damage:
    """Lines that cannot be used, told in stretches."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stretches: list[tuple[int, int, str]] = []
        """(first line, last line, what they are)."""
        self._unnamed = 0

    def add(self, number: int, what: str) -> None:
        """One more line, in ascending order of numbers."""
        first, last, before = self._stretches[-1] if self._stretches else (0, 0, "")
        if before == what and last == number - 1 and not self._unnamed:
            self._stretches[-1] = (first, number, what)
        elif len(self._stretches) < MOST_NAMED:
            self._stretches.append((number, number, what))
        else:
            self._unnamed += 1

    def sentences(self) -> list[str]:
        """A sentence for each stretch, and one for what is beyond counting."""
        said = [self._sentence(*stretch) for stretch in self._stretches]
        return [*said, f"{self._name}: {self._unnamed} more lines cannot be used: skipped"] if self._unnamed else said

    def _sentence(self, first: int, last: int, what: str) -> str:
        if first == last:
            return f"{self._name} line {first} {what}"
        return f"{self._name} lines {first} to {last} {what.replace('is ', 'are ', 1).replace('was ', 'were ', 1)}"


def what_is_wrong(line: bytes, error: Exception) -> str:
    """What follows `line 7` in a sentence about a line that cannot be used."""
    if not line.endswith(b"\n"):
        return "is cut off in the middle: that window is lost, the others are not"
    if isinstance(error, saved.OtherVersion):
        return f"was written by another version of the lab ({error}): skipped"
    return "is damaged: skipped"
