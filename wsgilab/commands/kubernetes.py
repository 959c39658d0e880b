"""`./lab kubernetes render`: writes manifests with which a cluster measures what is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from wsgilab.api.prepared import selection
from wsgilab.commands import environment, values
from wsgilab.commands.console import say
from wsgilab.commands.grammar import Command, debug, flag, option
from wsgilab.commands.options import WHERE, in_a_cluster, schedule
from wsgilab.errors import EXIT_DONE, MissingError, UsageError, to_paste
from wsgilab.kubernetes.containers import Images
from wsgilab.kubernetes.rendering import Order, rendered
from wsgilab.measure.job import job_for
from wsgilab.model.request import Request

DEFAULT_NAMESPACE = "wsgilab"
OF_THE_LAB = Images("wsgilab-server:local", "wsgilab-runner:local", local=True)
"""Built by `docker compose build`, and loaded into the nodes by hand."""
DIGEST = "@sha256:"


@click.command(cls=Command, name="kubernetes", example="./lab kubernetes render --out cluster --servers gunicorn,uwsgi")
@click.argument("action", metavar="render", type=values.RENDER)
@option("--out", type=values.FOLDER, required=True, group=WHERE, metavar="DIR", help="The folder to write to.")
@option("--namespace", default=DEFAULT_NAMESPACE, group=WHERE, metavar="NAME", help="The namespace (default: wsgilab).")
@option(
    "--server-image",
    group=WHERE,
    metavar="IMAGE@DIGEST",
    help="The image of all servers (default: wsgilab-server:local, loaded into the nodes).",
)
@option(
    "--runner-image",
    group=WHERE,
    metavar="IMAGE@DIGEST",
    help="The runner's (default: wsgilab-runner:local, loaded into the nodes).",
)
@flag("--testruns", WHERE, "Load from pods of the k6-operator, --generators of them: one TestRun for each window.")
@flag("--force", WHERE, "Overwrite what is in DIR.")
@schedule("run", rates="100,250")
@in_a_cluster()
@debug
def command(
    action: str,  # noqa: ARG001 - there is only one
    out: Path,
    namespace: str,
    force: bool,
    server_image: str | None,
    runner_image: str | None,
    **asked: Any,
) -> int:
    """Write manifests with which a Kubernetes cluster measures the servers.

    A kustomize base and overlays: the servers, and a Job that is the runner. Nothing is sent to a cluster.
    """
    testruns = asked.pop("testruns")
    request = _request(asked)
    lab, servers = selection(request)
    job_for(request, servers)  # refuses what no window could be made of
    files = rendered(Order(lab, servers, request, _images(server_image, runner_image), namespace, testruns))
    _require_free(out, force)
    _write(out, files)
    for remark in lab.remarks:
        say(remark)
    print(f"{out}: {len(files)} files, for {', '.join(server.name for server in servers)}.")
    print(f"Look them over, then: kubectl apply --server-side --kustomize {to_paste(out / 'base')}")
    return EXIT_DONE


def _request(asked: Mapping[str, Any]) -> Request:
    ways = asked["keep_alive"]
    if ways and len(ways) > 1:
        cause = "a Job measures once, and gives one verdict"
        next_command = "./lab kubernetes render --keep-alive reused --out cluster"
        raise UsageError("A Job measures new connections or reused ones, not both.", cause, next_command)
    return environment.request("run", {**asked, "keep_alive": ways[0] if ways else None})


def _images(server: str | None, runner: str | None) -> Images:
    """Both from a registry, or both loaded by hand. Raises UsageError for a tag: it may be another image tomorrow."""
    if server is None and runner is None:
        return OF_THE_LAB
    for name, image in (("--server-image", server), ("--runner-image", runner)):
        if image is None or DIGEST not in image:
            raise UsageError(
                f"{name} needs an image with its digest.",
                "a tag may be another image on the next node; and both images come from a registry, or neither does",
                "docker image ls --digests",
            )
    return Images(str(server), str(runner))


def _require_free(out: Path, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder.", "a file has that name", to_paste("ls", "-l", out))
    if not force and out.is_dir() and any(out.iterdir()):
        what = f"{out} is not empty."
        raise UsageError(what, "it was rendered before; --force writes over it", to_paste("ls", out))


def _write(out: Path, files: Mapping[str, str]) -> None:
    try:
        for name, text in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        what = f"{error.filename} cannot be written: {error.strerror}."
        cause = "a folder that is not yours, or a full disk"
        raise MissingError(what, cause, to_paste("ls", "-ld", out.parent)) from error
