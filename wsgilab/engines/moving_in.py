"""Makes the lab's project on another machine: its images, its Compose file, and volumes with what is copied there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsgilab.engines import copied_in, host_project, override, shipping
from wsgilab.engines.containers import Addition
from wsgilab.engines.far_trouble import trouble
from wsgilab.engines.host_project import CARRIER, Terms
from wsgilab.engines.stack import EVERYTHING, Docker
from wsgilab.errors import MissingError, to_paste
from wsgilab.model.hosts import Host

CONFIG_TIMEOUT_S = 30.0
CREATE_TIMEOUT_S = 60.0
HERE = ("prometheus",)
"""What records a run, and is not there."""


@dataclass(frozen=True)
class Site:
    """Where a project is made."""

    host: Host
    docker: Docker
    """For the project: its environment names the Compose file that is written here."""
    addition: Addition
    run_id: str

    @property
    def project(self) -> str:
        """Its name."""
        return self.docker.environment["COMPOSE_PROJECT_NAME"]

    @property
    def network(self) -> str:
        """That of its containers."""
        return self.host.overlay or f"{self.project}_default"

    @property
    def services(self) -> list[str]:
        """All that can run there, now or later."""
        stack = self.docker.stack
        later = [server.name for server in stack.servers if server not in stack.first]
        return [*(name for name in stack.services if name not in HERE), *later, *self.addition.services]


def move_in(site: Site) -> Mapping[str, str]:
    """Make the project of a site, with nothing that runs. Gives the images there: their IDs by their names.

    Raises MissingError, UsageError, Interrupted.
    """
    stack = site.docker.stack
    with override.laid_over(stack.lab, stack.servers, stack.environment(), site.addition.content) as environment:
        config = _config(Docker(stack, environment))
        names = sorted(host_project.images_of(config, site.services))
        shipping.bring(names, site.host, stack)
        images = {name: _image(name, site) for name in names}
        sources = host_project.sources(config, site.services)
        files = frozenset(source for source in sources if Path(source).is_file())
        terms = Terms(site.project, site.run_id, site.host.address, site.host.overlay, images, files)
        made = host_project.project(config, site.services, stack.servers, terms)
        Path(site.docker.environment["COMPOSE_FILE"]).write_text(json.dumps(made.content, indent=1), encoding="utf-8")
        created = site.docker.ask("compose", "create", CARRIER, timeout_s=CREATE_TIMEOUT_S)
        if not created.ok:
            raise trouble(site.host, "its volumes could not be made", created.last_line)
        carrier = site.docker.ask("compose", "ps", "--all", "--quiet", CARRIER).out.strip()
        copied_in.fill(made.copies, site.host, carrier)
    return images


def _config(docker: Docker) -> Mapping[str, Any]:
    """compose.yaml and all that is laid over it, with every variable filled in. Raises MissingError."""
    said = docker.ask(*EVERYTHING, "config", "--format", "json", timeout_s=CONFIG_TIMEOUT_S)
    if not said.ok:
        what = f"compose.yaml cannot be read: {said.last_line}."
        raise MissingError(what, "an edit of compose.yaml or .env, or an old Compose", "docker compose config")
    return said.json()


def _image(name: str, site: Site) -> str:
    """The ID of an image there, which is pulled if nobody has it. Raises MissingError."""
    if not (found := _id_of(name, site)) and site.docker.get_images("pull", "--quiet", name) == 0:
        found = _id_of(name, site)
    if not found:
        said = " ".join(site.docker.last_lines)
        raise MissingError(
            f"{site.host.name} has no {name}, and could not pull it ({said}).",
            "it reaches no image registry; an image that this machine's engine has is sent there",
            to_paste("docker", "pull", name),
        )
    return found


def _id_of(name: str, site: Site) -> str:
    asked = site.docker.ask("image", "inspect", "--format", "{{.Id}}", name)
    return asked.out.strip() if asked.ok else ""
