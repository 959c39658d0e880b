"""Saved runs that something went wrong with: a disk, an editor, a version of the lab, somebody with bad intentions.

Mutator(seed).spoil(FOLDER)   changes one to four things in the files of a saved run, the same ones for the same seed
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOSTILE = (
    "\x1b]0;owned\x1b\\\x1b[31m\x9b2J",
    "\u202egnp.exe",
    "\ud800",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "![x](http://evil.example/x.png) [y](javascript:alert(1))",
    "`\n\n# heading\n\n| a | b |\n| --- | --- |\n",
    "a\\|b\r\n</details>",
    "{{ 7 * 7 }}{% for x in y %}",
    "[bold]x[/nothing]",
    "%s%n$(id)",
    "",
    "x" * 5000,
    "../../../etc/passwd",
    "\0",
)
LISTS_OF_CPUS = ("0-999999999", "0-4095," * 200 + "0", "5-1")
NUMBERS = (0, -1, 1, 0.1, 1e-320, 1e15, -1e15, 1e16, 1e308, 10**400, 2**63, float("nan"), float("inf"), -0.0, 4096)
ODD = (None, True, False, [], {}, [[]], {"a": {"b": []}}, *HOSTILE, *NUMBERS)
NESTED = "[" * 2000 + "]" * 2000
TEXT_OF_NESTED = "NESTED-2000"
FEW_WINDOWS = 4


def copy_of(golden: Path, folder: Path, few: int = FEW_WINDOWS) -> None:
    """The beginning of a saved run, without its reports."""
    folder.mkdir()
    shutil.copy(golden / "manifest.json", folder)
    with (golden / "windows.jsonl").open("rb") as file, (folder / "windows.jsonl").open("wb") as copy:
        copy.writelines(line for _, line in zip(range(few), file, strict=False))


class Mutator:
    """Spoils saved runs, by a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def spoil(self, folder: Path) -> list[str]:
        """Change one to four things; gives their names."""
        done = []
        for _ in range(self._random.choice((1, 1, 2, 3, 4))):
            change = self._random.choice(self._changes())
            path = folder / self._random.choice(("manifest.json", "windows.jsonl"))
            if path.is_file():
                change(path)
                done.append(f"{change.__name__} {path.name}")
        return done

    def _changes(self) -> list[Callable[[Path], None]]:
        likely = [self._like_itself] * 8 + [self._odd_value] * 4 + [self._bytes] * 2
        return [*likely, self._odd_key, self._lost_key, self._many, self._cut, self._lines, self._instead]

    def _like_itself(self, path: Path) -> None:
        """What gets furthest: text for text, a number for a number, the same in many lines."""
        choice = self._random.getrandbits(32)

        def change(value: Any) -> Any:
            chosen = random.Random(choice)
            if isinstance(value, str):
                return chosen.choice((*HOSTILE, *LISTS_OF_CPUS))
            if isinstance(value, int | float) and not isinstance(value, bool):
                number = chosen.choice((-1, 1, 1)) * 10.0 ** chosen.choice((-320, -15, -3, 0, 3, 9, 14.9))
                return chosen.choice((number, int(number), number * value if abs(value) < 1e15 else 0))
            return chosen.choice(ODD)

        self._change_json(path, change, self._random.choice((1, 1, FEW_WINDOWS)))

    def _odd_value(self, path: Path) -> None:
        self._change_json(path, lambda _: self._random.choice((*ODD, TEXT_OF_NESTED)))

    def _many(self, path: Path) -> None:
        self._change_json(path, lambda value: [value] * self._random.choice((2, 30, 3000)))

    def _odd_key(self, path: Path) -> None:
        def change(value: Any) -> Any:
            if not isinstance(value, dict) or not value:
                return {self._random.choice(HOSTILE): value}
            old = self._random.choice(list(value))
            return {(self._random.choice(HOSTILE) if key == old else key): item for key, item in value.items()}

        self._change_json(path, change)

    def _lost_key(self, path: Path) -> None:
        def change(value: Any) -> Any:
            if isinstance(value, dict | list) and value:
                value = value.copy()
                value.pop(self._random.choice(list(value) if isinstance(value, dict) else range(len(value))))
            return value

        self._change_json(path, change)

    def _bytes(self, path: Path) -> None:
        content = bytearray(path.read_bytes())
        for _ in range(self._random.choice((1, 3, 30))):
            at = self._random.randrange(len(content) + 1)
            noise = self._random.choice(
                (b"\x00", b"\xff", b"\x1b[31m", b"\xc2\x9b", b"\n", b'"', b"}", b"[" * 5000, b"9" * 5000)
            )
            content[at : at + self._random.choice((0, 1, 7))] = noise
        path.write_bytes(content)

    def _cut(self, path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: self._random.randrange(len(content) + 1)])

    def _lines(self, path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        self._random.shuffle(lines)
        path.write_bytes(b"".join(lines + lines[: self._random.randrange(5)]) + b"\n" * self._random.choice((0, 2000)))

    def _instead(self, path: Path) -> None:
        path.unlink()
        kind = self._random.choice(("nothing", "folder", "nowhere", "empty"))
        if kind == "folder":
            path.mkdir()
        elif kind == "nowhere":
            path.symlink_to("nowhere")
        elif kind == "empty":
            path.touch()

    def _change_json(self, path: Path, change: Callable[[Any], Any], lines_to_change: int = 1) -> None:
        """Change a value somewhere: the same one in some lines of windows.jsonl, or one in the manifest."""
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        where = self._random.getrandbits(32)
        for number in self._random.sample(range(len(lines)), min(lines_to_change, len(lines))):
            try:
                changed = _changed(json.loads(lines[number]), change, random.Random(where))
            except (ValueError, RecursionError):
                continue  # no JSON any more
            lines[number] = json.dumps(changed).replace(f'"{TEXT_OF_NESTED}"', NESTED)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _changed(value: Any, change: Callable[[Any], Any], where: random.Random) -> Any:
    """The value, changed itself or somewhere inside; places near the surface are as likely as deep ones."""
    if not isinstance(value, dict | list) or not value or where.random() < 0.1:
        return change(value)
    inside = value.copy()
    key = where.choice(list(value) if isinstance(value, dict) else range(len(value)))
    inside[key] = _changed(value[key], change, where)
    return inside
