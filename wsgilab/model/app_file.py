"""What `lab.toml` may say: an app, what it needs, and its traffic. Pure; the JSON Schema is made from these types."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from wsgilab.model import needs

MOST_REQUESTS = 100
"""Each has figures of its own in every window: more would be a table that nobody reads."""
MOST_WEIGHT = 1e6

END = r"$(?!\n)"
"""To Python, `$` alone is also before a line end that is the last character."""
Name = Annotated[str, Meta(pattern=rf"^[A-Za-z0-9][A-Za-z0-9 _.-]{{0,39}}{END}", description="Shown in reports.")]
Path = Annotated[
    str,
    Meta(pattern=rf"^/[^\s\x00-\x1f\x7f]*{END}", max_length=8_000, description="Begins with a slash; {placeholders}."),
]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
Status = Annotated[int, Meta(ge=100, le=599)]
Rate = Annotated[float, Meta(gt=0, le=20_000, description="Requests per second.")]
Text = Annotated[str, Meta(min_length=1)]
Command = Text
Scalar = str | int | float | bool
Rows = str | list[dict[str, Scalar]]
"""A CSV file next to lab.toml with a header line, or a list of tables."""


class _Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """A key that nobody reads is a typo, and no wish."""


class Expectation(_Strict, frozen=True):
    """What a good answer looks like."""

    status: Status | Annotated[list[Status], Meta(min_length=1)] | None = None
    """One status code or several; any 2xx where it is left out."""
    text: Text | None = None
    """Text that the answer's body must hold."""


class Exchange(_Strict, frozen=True, kw_only=True):
    """One request: what is sent, and what is kept of the answer."""

    path: Path
    method: Method = "GET"
    headers: dict[str, str] = {}
    json: Any | UnsetType = UNSET
    form: dict[str, str] | None = None
    body: str | None = None
    body_file: str | None = None
    """A file next to lab.toml, sent as it is."""
    save: dict[str, str] = {}
    """Name to regular expression: its first group, found in the answer, fills {name} from then on."""


class TrafficRequest(Exchange, frozen=True, kw_only=True):
    """One kind of request in the mix."""

    name: Name
    weight: Annotated[float, Meta(gt=0, le=MOST_WEIGHT)] = 1.0
    """Its share of the traffic, relative to the others."""
    data: Rows | None = None
    """Rows that fill {placeholders}, one after the other."""
    expect: Expectation = Expectation()
    slo: str | None = None
    """What these requests must keep, besides the objective of all: `p95<100ms and failed<1%`."""


class Traffic(_Strict, frozen=True):
    """How the requests arrive."""

    rates: Annotated[list[Rate], Meta(min_length=1, max_length=20)] | None = None
    slo: str | None = None
    follow_redirects: bool = False
    keep_alive: bool = False
    users: Annotated[int, Meta(ge=1, le=1_000)] = 20
    """Sessions that log in before the schedule begins; requests take turns among them."""
    login_data: Rows | None = None
    """Rows that fill {placeholders}, a row for each user."""
    think_time_s: Annotated[float, Meta(ge=0, le=600)] = 0.0
    """The least time between two requests of one user."""


class HealthSection(_Strict, frozen=True):
    """How a service says that it is there: one of these; with none, by taking connections on its port."""

    tcp: bool = False
    """By taking connections on its port."""
    http: str | None = None
    """An address that answers with a status below 500."""
    command: Command | None = None
    """A command that ends with 0."""
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = needs.DEFAULT_TIMEOUT_S
    """How long that may take."""


class ServiceSection(_Strict, frozen=True):
    """Something that the app talks to. {host}, {port} and {scratch} (a folder of its own) are filled in."""

    command: Command | None = None
    """What starts it as a local process, for a shell; it stays in the foreground."""
    compose: Text | None = None
    """A Compose file, relative to lab.toml, that describes it as a container."""
    service: Text | None = None
    """Its name in there; its own name where that is left out."""
    port: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    """Where it listens. Local: a free one where it is left out. In a container: what its Compose file exposes."""
    health: HealthSection = HealthSection()
    export: dict[str, str] = {}
    """Variables for the app that say where the service is: `{REDIS_URL = "redis://{host}:{port}"}`."""


class AppSection(_Strict, frozen=True):
    """Which app, and what it needs to be installed and started."""

    app: Text | None = None
    """MODULE:ATTRIBUTE, or a factory: `shop:create_app()`."""
    requirements: list[str] | None = None
    """Requirement files next to lab.toml, or requirements as pip takes them."""
    python: Text | None = None
    env: dict[str, str] = {}
    env_file: Text | None = None
    health: Path | None = None
    writes: list[Text] = []
    """Files and folders in its own folder that it writes. Each server then has a copy of the folder."""
    setup: Command | None = None
    """What is done in each server's copy before it starts, for a shell."""
    reset: Command | None = None
    """What is done between two windows of a server, so that each finds the same."""


class ClickSection(_Strict, frozen=True):
    """Something that a browser clicks on. Selectors are those of CSS."""

    name: Name
    page: Path
    """The page that is open then."""
    click: Text
    """Selects what is clicked on; of several elements, the first."""
    content: Text
    """Selects what shows the new content: an element that appears, or whose text changes."""


class VitalsSection(_Strict, frozen=True):
    """What `./lab vitals` does in a browser."""

    clicks: Annotated[list[ClickSection], Meta(max_length=20)] = []


class AppFile(_Strict, frozen=True):
    """All of lab.toml."""

    app: AppSection = AppSection()
    services: dict[str, ServiceSection] = {}
    """What the lab starts before the servers, by name."""
    traffic: Traffic = Traffic()
    login: list[Exchange] = []
    """Steps that each user takes once, in this order; cookies are kept."""
    requests: Annotated[list[TrafficRequest], Meta(max_length=MOST_REQUESTS)] = []
    vitals: VitalsSection = VitalsSection()


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of lab.toml."""
    found = msgspec.json.schema(AppFile)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "lab.toml of WSGI Lab", **found}
