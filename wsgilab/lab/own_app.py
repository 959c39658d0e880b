"""What the folder of an app says about it: lab.toml, its requirements, its variables. Options win over all of that."""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from wsgilab.errors import UsageError, did_you_mean, to_edit, to_paste
from wsgilab.lab import app_needs
from wsgilab.lab.app_file import NAME, read
from wsgilab.lab.toml_source import Source
from wsgilab.lab.variants import NOT_FOR_APPS, VARIABLE_NAME
from wsgilab.lab.workloads import SCRIPT, TRAFFIC
from wsgilab.machine.locks import LOCKS
from wsgilab.machine.requirements import CONSTRAINT, names_a_file, told_from
from wsgilab.model import slo
from wsgilab.model.app_file import AppFile
from wsgilab.model.request import DEFAULT_SLO, SEARCHES, Request, Revision

REQUIREMENTS, PROJECT, SETUP = "requirements.txt", "pyproject.toml", "setup.py"
AS_A_FILE = re.compile(r"^(?:-r|--requirement)[ =]\s*")
"""How a file of requirements is named in another one."""


def fields(command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Request that follow from the options in `given`, and from what the app's folder says.

    Raises UsageError, with file and line, for what cannot be used.
    """
    asked = dict(given)
    folder = Path(asked["app_dir"]) if asked.get("app_dir") else None
    path = folder / NAME if folder else None
    file = read(path) if path and path.exists() else AppFile()
    env_file = asked.pop("env_file", None)
    variables = dict(asked.pop("app_variables", None) or ())
    more = _of_file(Path(env_file)) if env_file else {}
    asked["app_variables"] = {**_variables(file, folder), **more, **variables}
    asked |= _requirements(asked.pop("requirements", ()), file, folder)
    asked["needs"] = app_needs.needs_of(file, path)
    found = _said(command, file) | asked
    found |= _workload(found, file, path)
    found |= _clicks(command, found, file, path)
    return found | _objective(found, file)


def needs(folder: Path, asked: Sequence[str] = ()) -> dict[str, Any]:
    """The fields of a Request that say which app it is and what it needs installed, as its folder says them.

    `asked`: what is to be installed instead. Raises UsageError as `fields`.
    """
    path = folder / NAME
    file = read(path) if path.exists() else AppFile()
    installed = {"requirements": (), "requirement_files": (), **_requirements(asked, file, folder)}
    return {"app": file.app.app, "python": file.app.python, **installed}


def at_revision(request: Request, folder: Path, was: Path, name: str) -> Revision:
    """The app of a request as it was in another revision, whose folder is `was`; its own is `folder`.

    What the request has from its folder, the revision has from its own; what was asked for by itself, and the app's
    variables, are the same for both.
    """
    now, then = needs(folder), needs(was)
    same_source = {field: getattr(request, field) == value for field, value in now.items()}
    found = {field: then[field] if same_source[field] else getattr(request, field) for field in now}
    return Revision(name, str(was), app_variables=request.app_variables, **found)


def _said(command: str, file: AppFile) -> dict[str, Any]:
    """What lab.toml says of fields that have options too."""
    found = {
        "app": file.app.app,
        "python": file.app.python,
        "slo": file.traffic.slo,
        "rates_rps": tuple(file.traffic.rates) if file.traffic.rates and command not in SEARCHES else None,
        "keep_alive": file.traffic.keep_alive or None,
        "settings": {"LAB_HEALTH_PATH": file.app.health} if file.app.health else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _workload(found: Mapping[str, Any], file: AppFile, path: Path | None) -> dict[str, Any]:
    """Which workload it is, and the file that describes it."""
    script = Path(found["script"]) if found.get("script") else None
    if script and not script.is_file():
        raise UsageError(
            f"There is no script {script}.", "a typo, or a path from elsewhere", to_paste("ls", script.parent)
        )
    is_own = found.get("app") or found.get("app_dir")  # the named workloads ask for paths of the lab's own app
    otherwise = SCRIPT if script else TRAFFIC if file.requests else "/" if is_own else None
    workload = found.get("workload") or otherwise
    if workload == SCRIPT and not script:
        raise UsageError("The workload 'script' needs a script.", "--script was left out", "./lab run --help")
    if workload == TRAFFIC and not file.requests:
        raise UsageError(
            "The workload 'traffic' needs requests.",
            f"{path} has none" if path and path.exists() else f"there is no {path or NAME}",
            to_paste("./lab", "init", "--app-dir", path.parent if path else "PATH"),
        )
    files = {
        "workload": workload,
        "traffic": str(path.resolve()) if path and workload == TRAFFIC else None,
        "script": str(script.resolve()) if script else None,
    }
    return {name: value for name, value in files.items() if value}


def _clicks(command: str, found: Mapping[str, Any], file: AppFile, path: Path | None) -> dict[str, str]:
    """The file that says what a browser clicks on. Raises UsageError where another app has none."""
    if command != "vitals":
        return {}
    if file.vitals.clicks and path:
        return {"vitals": str(path.resolve())}
    if found.get("app") or found.get("app_dir"):
        raise UsageError(
            "Nothing says what to click on in this app.",
            f"{path or NAME} has no [[vitals.clicks]] with page, click and content",
            "./lab vitals --help",
        )
    return {}


def _objective(found: Mapping[str, Any], file: AppFile) -> dict[str, str]:
    """The objective of all requests and, where they are what is measured, those of single ones. Options win."""
    asked = slo.parse(found.get("slo") or DEFAULT_SLO)
    requests = file.requests if found.get("workload") == TRAFFIC else []
    names = [request.name for request in requests]
    for name in asked.by_request:
        if name not in names:
            cause = did_you_mean(name, names, "a name is what a request of lab.toml is called")
            raise UsageError(
                f"The SLO speaks of requests named '{name}', and there are none.", cause, "./lab run --help"
            )
    own = {request.name: slo.parse(request.slo) for request in requests if request.slo}
    return {"slo": str(replace(asked, by_request={**own, **asked.by_request}))} if own else {}


def _requirements(asked: Sequence[str], file: AppFile, folder: Path | None) -> dict[str, Any]:
    """Lines and files: those that were asked for, or else lab.toml's, or else what the folder has."""
    if asked or folder is None:
        return _lines_and_files(asked, Path())
    if file.app.requirements is not None:
        return _lines_and_files(file.app.requirements, folder)
    if (folder / REQUIREMENTS).is_file():
        return _lines_and_files([REQUIREMENTS], folder)
    if (folder / PROJECT).is_file():
        wanted = _of_project(folder / PROJECT)
        return {"requirements": (*wanted, *_locked(folder)) if wanted else ()}
    return {"requirements": (str(folder.resolve()),) if (folder / SETUP).is_file() else ()}


def _locked(folder: Path) -> tuple[str, ...]:
    """The lock file of a folder, which settles what pip may choose of the versions that the project would do with."""
    found = next((folder / name for name in LOCKS if (folder / name).is_file()), None)
    return (f"{CONSTRAINT}{found.resolve()}",) if found else ()


def _lines_and_files(asked: Sequence[str], base: Path) -> dict[str, Any]:
    words = [AS_A_FILE.sub("", word) for word in asked]
    files = [word for word in words if names_a_file(word, base)]
    return {
        "requirements": tuple(told_from(word, base) for word in words if word not in files),
        "requirement_files": tuple(str((base / word).resolve()) for word in files),
    }


def _of_project(path: Path) -> tuple[str, ...]:
    """The dependencies of a pyproject.toml (https://packaging.python.org/en/latest/specifications/pyproject-toml).

    Where only its build can tell them (Poetry, say), the project itself is what is installed.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        project = said.get("project", {"dynamic": ["dependencies"]})
        if "build-system" in said and "dependencies" in project.get("dynamic", ()):
            return (str(path.parent.resolve()),)
        return tuple(map(str, project.get("dependencies", ())))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError, TypeError, RecursionError) as error:
        cause = "no TOML, or not yours to read; --requirement says what to install instead"
        raise UsageError(f"{path} cannot be read: {error}.", cause, to_paste("ls", "-l", path)) from error


def _variables(file: AppFile, folder: Path | None) -> dict[str, str]:
    if not (folder and file.app.env_file):
        return dict(file.app.env)
    named = folder / file.app.env_file
    if not named.is_file():
        cause = "a typo, or a path that is not relative to lab.toml"
        Source.open(folder / NAME).refuse(("app", "env_file"), f"there is no {named} to read variables from", cause)
    return {**_of_file(named), **file.app.env}


def _of_file(path: Path) -> dict[str, str]:
    """The variables in a file. What is wrong there is told by its line, and without its text, which may be a secret."""
    if not path.is_file():
        what = f"There is no {path} to read variables from."
        raise UsageError(what, "a typo in --env-file", to_paste("ls", path.parent))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}."
        raise UsageError(what, "not a text file, or not yours to read", to_paste("ls", "-l", path)) from error
    found: dict[str, str] = {}
    for said in parse_stream(io.StringIO(text)):
        if said.error or (said.key is not None and not _is_variable(said.key, said.value)):
            blank = len(said.original.string) - len(said.original.string.lstrip())
            line = said.original.line + said.original.string[:blank].count("\n")
            cause = "each line is NAME=VALUE, a comment, or empty; a value of several lines wants quotes"
            raise UsageError(f"{path}, line {line}: this is no variable.", cause, to_edit(path, line))
        if said.key is None:
            continue
        if NOT_FOR_APPS.match(said.key):
            what = f"{path} has {said.key}, which cannot be a variable for the app."
            raise UsageError(what, "the lab itself has it", to_edit(path))
        found[said.key] = said.value or ""
    return found


def _is_variable(name: str, value: str | None) -> bool:
    return value is not None and "\0" not in value and VARIABLE_NAME.fullmatch(name) is not None
