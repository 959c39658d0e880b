"""Programs out of the distribution's packages: downloaded, unpacked into a private cache, renewed there once a month.

Nothing is installed, no root is needed, and no script of a package is run.
"""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wsgilab.errors import MissingError
from wsgilab.machine import processes

DOWNLOAD_TIMEOUT_S = 180.0
RENEWAL_TIMEOUT_S = 30.0
"""A mirror that is not in reach keeps no run waiting for longer; what is in the cache will do."""
DAY_S = 86400.0
RENEW_AFTER_DAYS = 30
"""So that security updates arrive."""
TRY_AGAIN_AFTER_DAYS = 1

Announce = Callable[[str], None]
"""Hears what is going to take time."""
Explain = Callable[[str], MissingError]
"""Makes the error of the one tool that is missing, given the likely cause."""


@dataclass(frozen=True)
class Package:
    """A program in the cache: the folder it has there, the packages it comes from, and where in them it is."""

    name: str
    packages: tuple[str, ...]
    program: str
    missing: Explain
    suite: str | None = None
    """A release of Debian to take it from instead of the machine's own, out of the same mirror."""
    question: str = "--version"
    """What makes it say its version, and nothing else happen."""

    @property
    def folder(self) -> Path:
        """Where it is unpacked."""
        return cache_dir() / self.name

    @property
    def binary(self) -> Path:
        """The program, where it is in the cache."""
        return self.folder / self.program

    @property
    def age_days(self) -> int | None:
        """How long ago it was unpacked; None where it is not in the cache."""
        try:
            # Not its modification time, which is that of the package.
            return int(max(0.0, time.time() - self.binary.stat().st_ctime) // DAY_S)
        except OSError:
            return None

    @property
    def is_old(self) -> bool:
        """Whether it is in the cache and wants to be renewed."""
        return (self.age_days or 0) >= RENEW_AFTER_DAYS


def unheard(_text: str) -> None:
    """An Announce that nobody hears."""


def cache_dir() -> Path:
    """Where tools that no package manager installed for us are kept. Raises MissingError where nobody has a home."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise MissingError(
            "There is no folder for tools that are fetched.",
            f"HOME is not set, and user {os.getuid()} has none",
            'XDG_CACHE_HOME="$PWD/.cache" ./lab run',
        ) from error
    return Path(base) / "wsgilab" / "tools"


def can_fetch_packages() -> bool:
    """Whether this system can fetch packages at all."""
    return all(shutil.which(tool) for tool in ("apt-get", "dpkg-deb"))


def fetched(package: Package, why: str, announce: Announce) -> Path:
    """The folder of a package in the cache: fetched if missing (`announce` hears `why`), renewed if old.

    One that is old and cannot be renewed is used as it is. Raises MissingError where there is none.
    """
    if package.age_days is None:
        announce(f"{why}: fetching {' and '.join(package.packages)} of the distribution, once …")
        download(package, DOWNLOAD_TIMEOUT_S)
    elif package.is_old and can_fetch_packages() and _not_tried_lately(package):
        announce(f"{package.name} in the cache is {package.age_days} days old: renewing it …")
        try:
            download(package, RENEWAL_TIMEOUT_S)
        except MissingError as error:
            announce(f"it could not be renewed ({error.cause}), and is used as it is")
    return package.folder


def download(package: Package, timeout_s: float) -> None:
    """Unpack a package into the cache, with the machine's own apt configuration. Raises MissingError."""
    if not can_fetch_packages():
        raise package.missing("not on PATH, and this system has no apt to fetch it with")

    def fill(folder: Path) -> None:
        _fetch(package, folder.parent, timeout_s)
        for file in sorted(folder.parent.glob("*.deb")):
            processes.ask(["dpkg-deb", "-x", file, folder], timeout_s=timeout_s).required()

    try:
        replace(package, fill)
    except (OSError, processes.CommandFailed) as error:
        raise package.missing(f"apt-get could not fetch it: {error}") from error


def replace(package: Package, fill: Callable[[Path], None]) -> None:
    """Have `fill` unpack a package into a new folder, which then takes its place in the cache, as a whole.

    The folder above it is for what `fill` needs meanwhile. Raises MissingError where none can be made, and what `fill`
    raises.
    """
    work = package.folder.with_name(f"{package.name}.new-{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        unpacked = work / "root"
        _make(unpacked, package.missing)
        fill(unpacked)
        if package.folder.exists():  # moved, not removed: another run may be reading it
            package.folder.rename(work / "old")
        unpacked.rename(package.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _not_tried_lately(package: Package) -> bool:
    """Whether renewing it was not tried within the last day; from now on it was."""
    mark, now = package.folder.with_name(f"{package.name}.tried"), time.time()
    try:
        if mark.exists() and now - mark.stat().st_mtime < TRY_AGAIN_AFTER_DAYS * DAY_S:
            return False
        mark.touch()
        os.utime(mark, (now, now))
    except OSError:  # a cache that cannot be written cannot be renewed
        return False
    return True


def _make(folder: Path, missing: Explain) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        cause = f"there is none on PATH, and {cache_dir()} cannot be made to fetch it into ({error.strerror})"
        raise missing(f"{cause}; XDG_CACHE_HOME can name another one") from error


def _fetch(package: Package, folder: Path, timeout_s: float) -> None:
    """Download the .deb files into a folder. Raises OSError or CommandFailed."""
    options = _private_lists(package.suite, folder / "apt", package.missing, timeout_s) if package.suite else []
    # apt downloads as user _apt, who may not enter a private folder; as root it says so and goes on as root.
    command = ["apt-get", "-o", "APT::Sandbox::User=root", *options, "download", *package.packages]
    if processes.ask(command, folder, timeout_s=timeout_s).ok:
        return
    if os.geteuid() == 0:  # a fresh machine has no package lists yet
        processes.ask(["apt-get", "update"], timeout_s=timeout_s).required()
    processes.ask(command, folder, timeout_s=timeout_s).required()


def _private_lists(suite: str, folder: Path, missing: Explain, timeout_s: float) -> list[str]:
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
    processes.ask(update, timeout_s=timeout_s).required()
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
