"""Makes the environment, or the image, of an app that brings requirements of its own."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

from wsgilab.engines import shipping
from wsgilab.engines.stack import Docker, Stack
from wsgilab.errors import MissingError, UsageError
from wsgilab.machine.environments import Workshop
from wsgilab.machine.packages import cache_dir
from wsgilab.machine.requirements import Requirements, gather
from wsgilab.model.request import ATTACHED, Request, Revision
from wsgilab.model.server import App

IMAGE = "wsgilab-app"
BUILT_FOR = "wsgilab.app"
"""The label by which images of apps are found: docker image ls --filter label=wsgilab.app"""
BUILT_FROM = "/tmp/install/app"
"""Where services/Dockerfile has the requirements."""


def prepared(stack: Stack, engine: str) -> Stack:
    """The same servers, each with what its app requires installed and the variables that it gets.

    Raises UsageError for requirements that cannot be installed, MissingError, Interrupted.
    """
    request = stack.request
    if engine in ATTACHED:
        return stack
    own = _needs_anything(request)
    app = _app(stack, engine, request, App(str(stack.lab.app_dir))) if own else None
    before = (
        _app(stack, engine, request.before, App(request.before.app_dir, revision=request.before.name))
        if request.before
        else None
    )
    return replace(stack, servers=[replace(server, app=before if server.app else app) for server in stack.servers])


def _needs_anything(request: Request) -> bool:
    return bool(request.requirements or request.requirement_files or request.python or request.app_variables)


def _app(stack: Stack, engine: str, needs: Request | Revision, app: App) -> App:
    """The app with its variables, and with an environment (or, in Compose, an image) that has what it requires."""
    requirements = Requirements(needs.requirements, tuple(map(Path, needs.requirement_files)))
    if not (requirements or needs.python):
        return replace(app, variables=needs.app_variables)
    if engine == "compose":
        return replace(app, image=_image(stack, requirements, needs.python), variables=needs.app_variables)
    root = stack.lab.root
    workshop = Workshop(
        cache_dir(), root / "services/install.py", root / "locks/server.txt", stack.listener.message, stack.stop
    )
    environment = str(workshop.environment(requirements, needs.python).path)
    return replace(app, environment=environment, variables=needs.app_variables)


def _image(stack: Stack, requirements: Requirements, python: str | None) -> str:
    """The tag of an image with these requirements, built if it is not there."""
    docker = Docker(stack, stack.environment())
    base = _python_image(stack, python)
    lock = (stack.lab.root / "locks/server.txt").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="wsgilab-requirements-") as name:
        folder = Path(name)
        gathered = gather(requirements, folder, BUILT_FROM)
        digest = hashlib.sha256("\0".join([base, gathered.digest, lock, baked_in(stack.lab.root)]).encode()).hexdigest()
        tag = f"{IMAGE}:{digest[:16]}"
        if elsewhere := stack.request.elsewhere:  # what was built here needs no network there
            shipping.bring([tag], elsewhere.servers, stack)
        if docker.ask("image", "inspect", tag).ok:
            return tag
        stack.listener.message("Building an image with the app's requirements, once …")
        code_of_build = docker.get_images(
            *("build", "--quiet", "--target", "app", "--tag", tag, "--label", f"{BUILT_FOR}={digest[:16]}"),
            *("--build-context", f"requirements={folder}", "--file", "services/Dockerfile"),
            *("--build-arg", f"PYTHON_IMAGE={base}", "--build-arg", f"K6_IMAGE={stack.lab.variables['K6_IMAGE']}"),
            *_network(docker),
            str(stack.lab.root),
        )
    if code_of_build != 0:
        raise _not_built(docker)
    return tag


def baked_in(root: Path) -> str:
    """A digest of what of the lab is in an image, and of how it is built."""
    found = hashlib.sha256()
    for path in sorted(
        path for path in (root / "services").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ):
        content = path.read_bytes()
        found.update(f"{path.relative_to(root)} {len(content)}\n".encode() + content)
    return found.hexdigest()


def _not_built(docker: Docker) -> UsageError:
    stack = docker.stack
    lines = ["The app's requirements cannot be installed in an image.", *map("  | {}".format, docker.last_lines)]
    cause = "requirements that conflict with each other or with the servers, or no network in the build; "
    if elsewhere := stack.request.elsewhere:
        cause += f"an image that is built on this machine is sent to {elsewhere.servers.name}"
        return UsageError("\n".join(lines), cause, f"./lab run --engine compose{stack.lab.app_options} --quick")
    return UsageError("\n".join(lines), cause + "a local run names the requirement", "./lab run --engine local")


def _network(docker: Docker) -> list[str]:
    """The network that the lab's own image is built with, where somebody's Compose file names one."""
    described = docker.ask("compose", "config", "--format", "json")
    services = described.json().get("services", {}) if described.ok else {}
    network = services.get("image", {}).get("build", {}).get("network")
    return ["--network", network] if network else []


def _python_image(stack: Stack, version: str | None) -> str:
    if version is None:
        return stack.lab.variables["PYTHON_IMAGE"]
    if not version.replace(".", "").isdigit():
        raise MissingError(
            f"--python {version} is not a version number, and an image needs one.",
            "it is a command on this machine, and the container does not have it",
            "./lab run --python 3.12 --engine compose",
        )
    return f"python:{version}-slim"
