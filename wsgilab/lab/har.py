"""The traffic of an app as a browser recorded it: HTTP Archive 1.2."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from wsgilab.errors import UsageError
from wsgilab.lab.drafts import METHODS, Collected, Draft, Kind


@dataclass(frozen=True)
class _Recorded:
    """One request of an archive."""

    method: str
    host: str
    target: str
    status: str
    """Empty where the archive does not say it; `0` where no answer came."""
    posted: Mapping[str, Any]


def from_har(text: str, values: bool = False) -> Draft:
    """The requests to its commonest host. Raises UsageError where it is no archive, or an empty one."""
    try:
        requests = list(_requests(json.loads(text)))
        hosts = Counter(request.host for request in requests)
        host = hosts.most_common(1)[0][0]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError, AttributeError) as error:
        raise UsageError(
            f"This is not a HAR file: {type(error).__name__}: {error}.",
            "it was cut off, or is another kind of file; the browser's developer tools save one, under Network",
            "./lab init --help",
        ) from error
    collected = Collected(values)
    for request in requests:
        if request.host == host and request.method in METHODS:
            kind = collected.add(request.method, request.target, request.status)
            if kind:
                _describe_body(kind, request.posted)
    others = sum(hosts.values()) - hosts[host]
    notes = [f"{others} requests to other hosts than {host}"] if others else []
    return collected.draft(f"{hosts[host]} requests that a browser recorded", notes=notes)


def _requests(archive: Any) -> Iterator[_Recorded]:
    """Those of all entries. Raises KeyError, TypeError or AttributeError where something is missing or misshapen."""
    for entry in archive["log"]["entries"]:
        request, response = entry["request"], entry.get("response") or {}
        address = str(request["url"])
        try:
            url = urlsplit(address)
        except ValueError:  # half an address in brackets
            continue
        target = url.path + (f"?{url.query}" if url.query else "")
        status = response.get("status")
        posted = request.get("postData")
        yield _Recorded(
            method=str(request.get("method")),
            host=url.netloc,
            target=target,
            status="" if status is None else str(status),
            posted=posted if isinstance(posted, Mapping) else {},
        )


def _describe_body(kind: Kind, posted: Mapping[str, Any]) -> None:
    """The names in a body, never what they hold."""
    text = str(posted.get("text") or "")
    if "json" in str(posted.get("mimeType")):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return
        kind.keys = tuple(map(str, found)) if isinstance(found, dict) else ()
    elif "urlencoded" in str(posted.get("mimeType")):
        kind.form = tuple(dict.fromkeys(_names(posted.get("params"), text)))


def _names(parameters: object, text: str) -> Iterator[str]:
    """Names of a form's fields, as browsers list them, or from the body itself."""
    if isinstance(parameters, list) and parameters:
        yield from (str(said["name"]) for said in parameters if isinstance(said, Mapping) and "name" in said)
    else:
        yield from (name for name, _ in parse_qsl(text, keep_blank_values=True))
