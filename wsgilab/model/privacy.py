"""What a report that is passed on should not hold: values of secrets, and where its user is at home. Pure.

Secrets are told by the names of their variables. A value that no name gives away is nobody's secret here: look at
`manifest.json` before you publish it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from wsgilab.model.controls import each_text
from wsgilab.model.manifest import Manifest, ServerEntry

HIDDEN = "***"
SECRET_NAME = re.compile(
    r"SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|COOKIE|SIGNATURE|API_?KEY|(^|_)(KEY|PASS|PWD|AUTH|DSN|SALT)$|DATABASE_UR[IL]",
    re.IGNORECASE,
)
SETTING = re.compile(r"\b(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>'[^']*'|\"[^\"]*\"|[^\s,;]+)")
"""`NAME=VALUE` inside a text. Names in small letters may be parameters of an address, which tell workloads apart."""
PASSWORD_IN_ADDRESS = re.compile(r"(?<=://)(?P<user>[^/\s:@]*):[^/\s@]+@")
SHORTEST_VALUE = 4
"""A shorter one is looked for nowhere else: it would be found in the middle of words."""
SHORTEST_UNNAMED = 8
"""The same of a value that a name does not give away."""
ANY_HOME = r"/home/[^/\s:;,'\"]+|/Users/[^/\s:;,'\"]+|/root|[A-Za-z]:\\Users\\[^\\\s:;,'\"]+"
WITHIN_WORDS = r"(?:(?<![\w.])|(?<=-\w))(?:%s)(?=[/\\\s:;,'\")\]]|$)"


def private(manifest: Manifest, home: str = "") -> Manifest:
    """The manifest without values of secrets and without anybody's home folder. `home`: that of whoever reads it here.

    The workload stays as it is: `/home/news` is a page.
    """
    cleaned = each_text(manifest, partial(_clean, home=home))
    servers = tuple(_private_server(server, home) for server in manifest.servers)
    return replace(cleaned, workload=manifest.workload, servers=servers)


def without_home(text: str, home: str) -> str:
    """The text with `~` for one home folder; the root of a file system is none."""
    if len(home.strip("/\\")) < 2 or home not in text:
        return text
    return re.sub(WITHIN_WORDS % re.escape(home.rstrip("/")), "~", text)


def private_text(text: str, environment: Mapping[str, object], home: str = "") -> str:
    """What a program with that environment wrote, without the values of secrets and without anybody's home folder."""
    secrets = (str(value) for name, value in environment.items() if SECRET_NAME.search(name) and value)
    return _clean(_hidden(text, [secret for secret in secrets if len(secret) >= SHORTEST_VALUE]), home)


def without_values(text: str, variables: Mapping[str, str]) -> str:
    """What an app wrote, without the values of the variables that somebody gave it.

    But for a short value whose name does not look like that of a secret: `8`, `debug` and `5432` are words of any log.
    """
    told = {
        line
        for name, value in variables.items()
        for line in (value, *value.splitlines())  # of a key in several lines, a log may hold one
        if len(line) >= (SHORTEST_VALUE if SECRET_NAME.search(name) else SHORTEST_UNNAMED)
    }
    return _hidden(text, told)


def _private_server(server: ServerEntry, home: str) -> ServerEntry:
    """A setting that is hidden in the environment is hidden in the command and the pattern that repeat it, too."""
    environment: Mapping[str, object] = server.environment or {}
    cleaned = each_text(server, lambda text: private_text(text, environment, home))
    if cleaned.environment is None:
        return cleaned
    shown = {
        name: HIDDEN if SECRET_NAME.search(name) and value else value for name, value in cleaned.environment.items()
    }
    return replace(cleaned, environment=shown)


def _hidden(text: str, values: Iterable[str]) -> str:
    """The text without these values, the longest first: one may hold another."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _clean(text: str, home: str) -> str:
    text = SETTING.sub(_hidden_setting, text)
    text = PASSWORD_IN_ADDRESS.sub(rf"\g<user>:{HIDDEN}@", text)
    return re.sub(WITHIN_WORDS % ANY_HOME, "~", without_home(text, home))


def _hidden_setting(found: re.Match[str]) -> str:
    return f"{found['name']}={HIDDEN}" if SECRET_NAME.search(found["name"]) else found[0]
