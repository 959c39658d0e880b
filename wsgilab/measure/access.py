"""Who may ask Prometheus, and write to it: everybody with the password that is made here, once for each folder of data.

A page in a browser can send requests to this machine, and Prometheus takes samples from everybody who can reach it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from wsgilab.machine.bcrypt import hashed

USER = "lab"
PASSWORD, WEB, CLIENT, URL = "password", "web.yaml", "client.yaml", "url"
"""Files: the password alone, Prometheus's `--web.config.file`, promtool's `--http.config.file`, an address with it."""


def grant(folder: Path, url: str, *, shared: bool = False) -> str:
    """The address `url` with user and password, which are kept in files of `folder`; made where there are none.

    `shared`: other users may read them, who share nothing but the folder. Raises OSError where they cannot be written.
    """
    kept = folder / PASSWORD
    if not kept.exists():
        password = secrets.token_urlsafe(24)
        users = {"basic_auth_users": {USER: hashed(password, secrets.token_bytes(16))}}
        login = {"basic_auth": {"username": USER, "password_file": str(kept)}}
        mode = 0o644 if shared else 0o600
        for name, text in (
            (WEB, yaml.safe_dump(users)),
            (CLIENT, yaml.safe_dump(login)),
            (URL, with_password(url, password)),
            (PASSWORD, password),  # the last: where it is, the others are
        ):
            _write(folder / name, text, mode)
    return with_password(url, kept.read_text(encoding="ascii"))


def with_password(url: str, password: str) -> str:
    """A URL that says who asks, as the lab's HTTP client takes it. Not for people: see `http.public`."""
    at = urlsplit(url)
    return at._replace(netloc=f"{USER}:{password}@{at.netloc}").geturl()


def url_of(environment: Mapping[str, str]) -> str | None:
    """The Prometheus that an environment names: LAB_PROMETHEUS_URL, or the text of the file LAB_PROMETHEUS_URL_FILE."""
    named = environment.get("LAB_PROMETHEUS_URL")
    file = environment.get("LAB_PROMETHEUS_URL_FILE")
    if named or not file:
        return named
    try:
        return Path(file).read_text(encoding="ascii").strip()
    except OSError:
        return None


def _write(path: Path, text: str, mode: int) -> None:
    # In place with its mode from the first byte on; renamed, so that nobody reads half of it.
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask says
        file.write(text)
    part.replace(path)
