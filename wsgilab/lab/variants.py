"""A server with some settings changed, measured under a name of its own: `twin=gunicorn,GUNICORN_WORKERS=8`.

A setting is a variable that compose.yaml names for the server, or any other: that one goes to the environment that the
app (and the server) sees.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from wsgilab.errors import UsageError, nearest, to_paste
from wsgilab.lab.servers import Lab, filled_in, read_services, settings_in, slots_of, unknown
from wsgilab.machine.ports import free_ports
from wsgilab.model.controls import visible
from wsgilab.model.request import Revision
from wsgilab.model.server import App, Server

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
THE_LABS_OWN = re.compile(r"LAB_|PYTHONPATH$|PATH$|PROMETHEUS_MULTIPROC_DIR$")
"""Variables that carry the lab itself; compose.yaml names those of them that may be set."""
NOT_FOR_APPS = re.compile(r"LAB_|PATH$|PROMETHEUS_MULTIPROC_DIR$")
"""Those that no app can be told: PYTHONPATH is told it besides."""
PROXY = "nginx-variants"
"""In Compose, variants get an nginx besides the one that runs: that one would have to start anew to know of them."""
FIRST_PROXY_PORT = 8101
EXAMPLE = "./lab run --variant eight=gunicorn,GUNICORN_WORKERS=8"


@dataclass(frozen=True)
class Variant:
    """What was asked for with one --variant; or a server with another revision of the app."""

    name: str
    base: str
    settings: Mapping[str, str] = field(default_factory=dict)
    app: App | None = None
    about: str = ""
    """What is different, where settings do not say it."""

    @property
    def text(self) -> str:
        """The argument again."""
        return ",".join([f"{self.name}={self.base}", *(f"{name}={value}" for name, value in self.settings.items())])


def parse(text: str) -> Variant:
    """A variant from its argument. Raises UsageError naming the part that cannot be read."""
    if visible(text) != text:
        raise _unreadable(
            f"--variant '{visible(text)}' has bytes or characters that no setting can have.",
            "bytes that are not UTF-8, or a control character",
        )
    first, *rest = text.split(",")
    name, equals, base = (part.strip() for part in first.partition("="))
    if not equals or not base:
        raise _unreadable(f"'{text}' names no server to vary.", "a variant is NAME=SERVER, then settings")
    if not NAME.fullmatch(name):
        raise _unreadable(f"'{name}' cannot name a variant.", "a name has lower-case letters, digits and dashes")
    settings: dict[str, str] = {}
    for part in rest:
        setting, equals, value = part.partition("=")
        setting = setting.strip()
        if not equals or not VARIABLE_NAME.fullmatch(setting):
            raise _unreadable(f"'{part}' in --variant {name} is not a setting.", "a setting is VARIABLE=VALUE")
        if setting in settings:
            raise _unreadable(f"--variant {name} sets {setting} twice.", "a setting has one value")
        settings[setting] = value.strip()
    return Variant(name, base, settings)


def add(lab: Lab, variants: Sequence[Variant]) -> Lab:
    """The lab with these servers too. Raises UsageError for a name that is taken, an unknown server or setting."""
    raw = read_services(lab.root)
    settings = {name: settings_in(raw[name]) for name in lab.servers if name in raw}
    servers, services = dict(lab.servers), dict(lab.services)
    proxied = sum(bool(server.variant_of and server.via) for server in servers.values())
    ports = free_ports(len(variants), {server.port for server in servers.values()})
    for variant, port in zip(variants, ports, strict=True):
        if variant.name in services or variant.name in (PROXY, f"{PROXY}-exporter"):
            taken = "a service of compose.yaml" if variant.name in lab.services else "another --variant"
            raise _unreadable(f"The name '{variant.name}' is taken.", f"{taken} has it already")
        if variant.base not in settings:
            meant = nearest(variant.base, settings, cutoff=0.4)
            error = unknown("server", variant.base, list(settings))
            anew = to_paste("./lab", "run", "--variant", replace(variant, base=meant).text) if meant else EXAMPLE
            raise UsageError(error.what, error.cause, anew)
        _check_settings(variant, settings)
        base = replace(lab.servers[variant.base], port=port)
        url = f"http://{PROXY}:{FIRST_PROXY_PORT + proxied}" if base.via else f"http://{variant.name}:8000"
        proxied += 1 if base.via else 0
        service = _service(raw[variant.base], variant, lab.variables)
        services[variant.name] = service
        servers[variant.name] = _server(base, variant, service, url)
    return replace(lab, servers=servers, services=services)


def with_revision(lab: Lab, servers: Sequence[Server], was: Revision) -> tuple[Lab, list[Server]]:
    """(the lab, these servers and each once more with another revision of the app)."""
    named = {"LAB_APP": was.app} if was.app else {}
    asked = [
        Variant(
            name=before(server.name),
            base=server.variant_of or server.name,
            settings={**server.settings, **named},
            app=App(was.app_dir, revision=was.name),
            about=f"the app at {was.name}",
        )
        for server in servers
    ]
    lab = add(lab, asked)
    return lab, [*servers, *lab.select([variant.name for variant in asked])]


def before(server: str) -> str:
    """The name of the server that serves the app as it was: `gunicorn-before`."""
    return f"{server}-before"


def again(server: Server) -> str:
    """The options that measure a server once more, by itself; of another revision, which is gone then, its base."""
    base = server.variant_of or server.name
    if server.name in (base, before(base)):
        return f"--servers {base}"
    return to_paste("--servers", base, "--variant", Variant(server.name, base, server.settings).text)


def inside_port(server: Server) -> int:
    """The port that nginx, or the server itself, listens on in the lab's own network."""
    return urlsplit(server.url).port or 0


def nginx_blocks(config: str, servers: Mapping[str, Server]) -> str:
    """nginx.conf with an upstream and a `server` block for each variant of a server behind nginx."""
    for server in servers.values():
        if server.variant_of is None or not server.via:
            continue
        base = servers[server.variant_of]
        upstream = _block(config, rf"upstream {re.escape(base.name)} ")
        listener = _block(config, rf"server {{\s*listen 0\.0\.0\.0:{inside_port(base)};")
        mine = (upstream + "\n" + listener).replace(f"upstream {base.name} ", f"upstream {server.name} ")
        mine = mine.replace(f"/{base.name}.sock", f"/{server.name}.sock")
        mine = mine.replace(f"0.0.0.0:{inside_port(base)};", f"0.0.0.0:{inside_port(server)};")
        mine = re.sub(rf"(_pass (?:http://)?){re.escape(base.name)};", rf"\g<1>{server.name};", mine)
        end = config.rindex("}")
        config = f"{config[:end]}\n{mine}\n{config[end:]}"
    return config


def _block(config: str, start: str) -> str:
    """The block of nginx.conf, closing brace at its own indentation, that begins like this."""
    found = re.search(rf"^(?P<indent> *){start}.*?^(?P=indent)}}", config, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"nginx.conf has no block that begins with {start!r}")
    return found[0]


def _check_settings(variant: Variant, settings: Mapping[str, Sequence[str]]) -> None:
    """`settings`: what compose.yaml names for each server. Refuses what looks like one of these and is not."""
    own = settings[variant.base]
    owners = {setting: name for name in settings for setting in settings[name]}
    for setting in variant.settings:
        nearest = difflib.get_close_matches(setting, own, n=1, cutoff=0.8)
        if setting in own or not (setting in owners or nearest or THE_LABS_OWN.match(setting)):
            continue
        cause = "the lab itself needs it as it is"
        if setting in owners:
            cause = f"it is a setting of {owners[setting]}"
        if nearest:
            cause = f"did you mean '{nearest[0]}'?"
        raise UsageError(f"{variant.base} has no setting '{setting}'.", f"{cause}; it has {', '.join(own)}", EXAMPLE)


def _service(raw: Mapping[str, Any], variant: Variant, variables: Mapping[str, str]) -> dict[str, Any]:
    """The service of compose.yaml with the variant's settings, name and socket; nothing of it is published."""
    place = {"LAB_APP_DIR": variant.app.folder} if variant.app else {}
    service: dict[str, Any] = filled_in(dict(raw), {**variables, **variant.settings, **place})
    own = settings_in(raw)
    others = {name: value for name, value in variant.settings.items() if name not in own}
    service["environment"] = {**service["environment"], **others, "LAB_SERVER": variant.name}
    socket, mine = f"/{variant.base}.sock", f"/{variant.name}.sock"
    service["command"] = service["command"].replace(socket, mine)
    test = service["healthcheck"]["test"]
    service["healthcheck"] = {**service["healthcheck"], "test": [word.replace(socket, mine) for word in test]}
    return {key: value for key, value in service.items() if key not in ("ports", "profiles", "build")}


def _server(base: Server, variant: Variant, service: Mapping[str, Any], url: str) -> Server:
    changed = ", ".join(f"{name}={value}" for name, value in variant.settings.items()) or f"the same as {base.name}"
    changed = variant.about or changed
    concurrency = service["labels"]["lab.slots"]
    try:
        slots = slots_of(concurrency)
    except ValueError as error:
        cause = "a setting that compose.yaml counts slots by must be a whole number"
        raise _unreadable(f"--variant {variant.name} makes no number of slots: '{concurrency}'.", cause) from error
    return replace(
        base,
        name=variant.name,
        pattern=f"{base.pattern}: {changed}",
        concurrency=concurrency,
        slots=slots,
        url=url,
        exporter_url=base.exporter_url.replace(f"http://{base.name}:", f"http://{variant.name}:"),
        default=False,
        command=tuple(service["command"].split()),
        environment=service["environment"],
        port_variable="",
        variant_of=base.name,
        settings=variant.settings,
        colour=None,
        marker=None,
        app=variant.app,
    )


def _unreadable(what: str, cause: str) -> UsageError:
    return UsageError(what, cause, EXAMPLE)
