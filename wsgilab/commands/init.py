"""`./lab init`: writes a first lab.toml for an app."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zlib
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from wsgilab.commands import typed, values
from wsgilab.commands.console import say
from wsgilab.commands.grammar import Command, debug, flag, option
from wsgilab.commands.options import of_an_app
from wsgilab.commands.signals import stop_on_signals
from wsgilab.engines.background import needed, withheld
from wsgilab.engines.start_failure import not_told
from wsgilab.errors import EXIT_DONE, MissingError, ServerError, UsageError, to_paste
from wsgilab.lab import ROOT, app_finder, draft_text, drafts, own_app, redraft
from wsgilab.lab.access_log import from_log
from wsgilab.lab.app_file import NAME, read
from wsgilab.lab.drafts import Draft
from wsgilab.lab.har import from_har
from wsgilab.lab.redraft import Kept
from wsgilab.machine import processes
from wsgilab.machine.environment import inherited
from wsgilab.machine.environments import Workshop
from wsgilab.machine.packages import cache_dir
from wsgilab.machine.requirements import Requirements
from wsgilab.model.privacy import without_values
from wsgilab.model.words import listed

DEFAULT_APP = "app:app"
IMPORT_TIMEOUT_S = 60.0
GZIPPED = b"\x1f\x8b"
"""How a file begins that was rotated away."""
LONGEST_LINE, LARGEST_ARCHIVE = 65_536, 200_000_000


@click.command(cls=Command, name="init", example="./lab init --app-dir ~/shop --app shop:create_app --from access.log")
@of_an_app()
@option(
    "--from",
    "source",
    type=values.FILE,
    group="What it is drafted from",
    metavar="LOG|HAR",
    help="An access log (common or combined format) or a HAR file from a browser (default: the app's own routes).",
)
@flag("--with-values", "What it is drafted from", "Keep ids and query strings that were seen; bodies never.")
@flag("--force", "Output", "Write the requests of an existing lab.toml anew; the rest of it is kept.")
@debug
def command(app_dir: Path, source: Path | None, with_values: bool, force: bool, **asked: Any) -> int:
    """Write a first lab.toml: the traffic of an app, from its routes, an access log or a HAR file.

    Ids become parameters; query strings and whatever else could be somebody's own are left out.
    """
    path = app_dir / NAME
    if not app_dir.is_dir():
        raise UsageError(
            f"There is no folder {app_dir}.", "a typo, or a path from elsewhere", to_paste("ls", app_dir.parent)
        )
    if path.exists() and not force:
        raise UsageError(
            f"{path} is there already.", "it was written before", to_paste("./lab", "run", "--app-dir", app_dir)
        )
    spec = asked.pop("app") or _said(path) or app_finder.find(app_dir) or DEFAULT_APP
    older = _older(path)
    draft = _from_file(source, with_values) if source else _from_routes(app_dir, spec, asked)
    text, kept = _text(draft, spec, older, path)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror}."
        raise MissingError(
            what, "the folder is not yours, or the disk is full", to_paste("ls", "-ld", app_dir)
        ) from error
    print(f"{path}: {len(draft.kinds)} requests, drafted from {draft.source}.")
    for note in draft.notes:
        say(f"left out: {note}.")
    if kept.names:
        say(f"kept of the older one: {listed(kept.names)}; its requests are written anew.")
    print(f"Look it over, then: {_run(app_dir, asked)}")
    return EXIT_DONE


def _run(app_dir: Path, asked: Mapping[str, Any]) -> str:
    """The command that measures what was drafted, with what else was said about the app."""
    words = [word for text in asked["requirements"] for word in ("--requirement", text)]
    words += ["--python", asked["python"]] if asked["python"] else []
    words += [word for name, value in asked["app_variables"] for word in ("--env", f"{name}={value}")]
    words += ["--env-file", str(asked["env_file"])] if asked["env_file"] else []
    return f"./lab {typed.shown(['run', '--app-dir', str(app_dir), *words])}"


def _older(path: Path) -> str:
    """The text of the lab.toml that is to be written over; nothing where there is none. Raises UsageError."""
    if not path.exists():
        return ""
    read(path)  # says where it is wrong
    return path.read_text(encoding="utf-8")


def _text(draft: Draft, spec: str, older: str, path: Path) -> tuple[str, Kept]:
    """The new lab.toml, and what it keeps of the older one. Raises UsageError where that cannot be carried over."""
    anew = [("app", "app"), *([("traffic", "rates")] if draft.rates else [])]
    kept = redraft.kept(older, anew)
    text = draft_text.written(draft, spec, kept)
    added = [] if "app.health" in kept.names else [("app", "health")]
    if redraft.says_the_same(older, text, [*anew, *added]):
        return text, kept
    raise UsageError(
        f"{path} says more than a draft does, and that cannot be carried over as it is written: {listed(kept.names)}.",
        "keys outside of [app] and [traffic] that lead into them, or a table in one line",
        f"{to_paste('mv', path, f'{path}.old')}; {to_paste('./lab', 'init', '--app-dir', path.parent)}",
    )


def _said(path: Path) -> str | None:
    """Which app the lab.toml names that is to be written over."""
    return read(path).app.app if path.exists() else None


def _from_file(source: Path, with_values: bool) -> Draft:
    """What a log or an archive says. A log is read a line at a time: it may be larger than the memory."""
    try:
        with source.open("rb") as file:
            is_packed = file.peek(len(GZIPPED)).startswith(GZIPPED)
            packed = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_packed else file
            text = io.TextIOWrapper(packed, encoding="utf-8-sig", errors="replace", newline="\n")
            lines = iter(partial(text.readline, LONGEST_LINE), "")
            first = next((line for line in lines if not line.isspace()), "")
            if not first.lstrip().startswith("{"):
                return from_log(chain([first], lines), with_values)
            archive = first + text.read(LARGEST_ARCHIVE)
    except (OSError, EOFError, zlib.error) as error:
        what = f"{source} cannot be read: {getattr(error, 'strerror', None) or error}."
        raise UsageError(what, "a typo, or a file that is not yours to read", to_paste("ls", "-l", source)) from error
    if len(archive) > LARGEST_ARCHIVE:
        cause = f"a HAR file is read as a whole, and may have {LARGEST_ARCHIVE / 1e6:g} MB; answers are not needed"
        raise UsageError(f"{source} is too large.", cause, to_paste("ls", "-l", source))
    return from_har(archive, with_values)


def _from_routes(folder: Path, spec: str, asked: Mapping[str, Any]) -> Draft:
    """The routes of the app, which is imported in its own environment by a process of its own."""
    given = {name: value for name, value in asked.items() if value}
    fields = own_app.fields("run", {**given, "app_dir": str(folder)})
    python = _python(fields)
    environment = {
        **needed(inherited(), python.parent),
        **fields["app_variables"],
        "LAB_APP": spec,
        "LAB_APP_DIR": str(folder.resolve()),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    script = ROOT / "services/serve/routes.py"
    done = processes.ask_and_end([python, script], folder, environment, IMPORT_TIMEOUT_S)
    routes = _last_json(done.out) if done.ok else None
    if routes is None:
        reason = "it ended the process" if done.ok else without_values(done.last_line, fields["app_variables"])
        names = withheld(inherited(), done.out)
        raise ServerError(
            f"{spec} in {folder} cannot be imported: {reason}.",
            "another name of the module or the app, or something that it needs is not installed" + not_told(names),
            f"{to_paste('./lab', 'init', '--app-dir', folder)} --app MODULE:ATTR",
        )
    return drafts.from_routes(routes, spec)


def _last_json(text: str) -> list[dict[str, Any]] | None:
    """What the last line that is a list says; None where there is none. An app may print what it likes after it."""
    for line in reversed(text.splitlines()):
        if line.startswith("["):
            try:
                return list(json.loads(line))
            except ValueError:
                continue
    return None


def _python(fields: Mapping[str, Any]) -> Path:
    requirements = Requirements(
        tuple(fields.get("requirements", ())), tuple(map(Path, fields.get("requirement_files", ())))
    )
    if not requirements and not fields.get("python"):
        return Path(sys.executable)
    with stop_on_signals() as stop:
        workshop = Workshop(cache_dir(), ROOT / "services/install.py", ROOT / "locks/server.txt", say, stop)
        return workshop.environment(requirements, fields.get("python")).python
