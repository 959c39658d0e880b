"""The folder of what a browser felt: blocks.jsonl in place of windows.jsonl, vitals.json in place of verdict.json."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from wsgilab.analysis.vitals import VitalsFacts, analyse
from wsgilab.errors import Interrupted, LabError, UsageError, to_paste
from wsgilab.model.controls import each_text, visible
from wsgilab.model.manifest import Manifest
from wsgilab.model.privacy import without_home
from wsgilab.model.vitals import MOMENTS_MS, VITALS_SCHEMA, WIRINGS, Block, Film, VitalsVerdict
from wsgilab.results.damage import Damage, what_is_wrong
from wsgilab.results.folder import BLOCKS, RunFolder

VITALS_JSON, FILMS_JSON = "vitals.json", "films.json"
_block = msgspec.json.Decoder(Block)


@dataclass(frozen=True)
class _Films:
    films: tuple[Film, ...]


_films = msgspec.json.Decoder(_Films)
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class VitalsResult:
    """What a browser felt, and what it says of the servers."""

    verdict: VitalsVerdict
    blocks: tuple[Block, ...]
    films: tuple[Film, ...]
    folder: Path | None
    manifest: Manifest = field(default_factory=Manifest)
    trouble: LabError | Interrupted | None = None
    """Why the measurement ended early, or could not be saved whole; None where all went well."""


def holds_blocks(path: Path) -> bool:
    """Whether a folder is that of such a run."""
    return (path / BLOCKS).is_file()


def read_blocks(path: Path) -> tuple[list[Block], list[str]]:
    """(every block that can be read, a sentence for each stretch of lines that cannot). Raises UsageError."""
    blocks: list[Block] = []
    damage = Damage(BLOCKS)
    try:
        lines = (path / BLOCKS).read_bytes().splitlines(keepends=True)
    except OSError as error:
        cause = "it belongs to another user, or it was moved"
        raise UsageError(
            f"Cannot read {path / BLOCKS}: {error.strerror}.", cause, to_paste("ls", "-ld", path)
        ) from error
    for number, line in enumerate(lines, 1):
        try:
            found = _block.decode(line)
            if found.schema != VITALS_SCHEMA:
                raise ValueError(f"schema {found.schema}, this version reads {VITALS_SCHEMA}")
            blocks.append(found)
        except (ValueError, RecursionError) as error:
            damage.add(number, what_is_wrong(line, error))
    return blocks, damage.sentences()


def read_films(path: Path) -> tuple[tuple[Film, ...], list[str]]:
    """(the pictures of a run, which may have none; a sentence where they cannot be read)."""
    try:
        found = _films.decode((path / FILMS_JSON).read_bytes())
    except FileNotFoundError:
        return (), []
    except (OSError, ValueError, RecursionError):
        return (), [f"{FILMS_JSON} is damaged: there are no pictures"]
    return tuple(film for film in found.films if _holds_together(film)), []


def judge_vitals(blocks: Sequence[Block], manifest: Manifest, problems: Sequence[str]) -> VitalsVerdict:
    """The verdict on such a run, from what it left behind."""
    pinning = [manifest.not_pinned] if manifest.not_pinned else []
    facts = VitalsFacts(
        engine=manifest.engine or "unknown",
        workload=manifest.workload or "unknown",
        servers=tuple(server.name for server in manifest.servers)
        or tuple(dict.fromkeys(block.plan.server for block in blocks)),
        rates_rps=manifest.rates_rps or tuple(sorted({block.plan.rate_rps for block in blocks})),
        actions=_actions(blocks),
        rounds=manifest.rounds or max((block.plan.round for block in blocks), default=0),
        clicks=max((block.plan.clicks for block in blocks), default=0),
    )
    found = analyse(blocks, facts, [*problems, *pinning])
    home = os.path.expanduser("~")
    return each_text(found, lambda text: without_home(visible(text), home))


def write_vitals(folder: RunFolder, verdict: VitalsVerdict, films: Sequence[Film]) -> None:
    """Write vitals.json, and films.json where there are pictures, whole or not at all. Raises MissingError."""
    folder.write_json(VITALS_JSON, verdict.to_json())
    if films:
        folder.write_json(FILMS_JSON, {"films": [film.to_json() for film in films]})


def _holds_together(film: Film) -> bool:
    """Whether each moment has a picture that is there, and each picture is one that a page may show."""
    known = all(which is None or 0 <= which < len(film.frames) for which in film.shown)
    return known and len(film.shown) == len(MOMENTS_MS) and all(map(BASE64.fullmatch, film.frames))


def _actions(blocks: Sequence[Block]) -> tuple[str, ...]:
    """The lab's own buttons in the order of its page, others by name: blocks have them shuffled."""
    own = [wiring.name for wiring in WIRINGS]
    names = {name for block in blocks for name in block.plan.actions}
    return tuple(sorted(names, key=lambda name: (own.index(name) if name in own else len(own), name)))
