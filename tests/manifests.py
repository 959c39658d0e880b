"""What `./lab kubernetes render` writes, as tests look at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from wsgilab.api.prepared import selection
from wsgilab.kubernetes.containers import Images
from wsgilab.kubernetes.rendering import Order, rendered
from wsgilab.lab.servers import Lab
from wsgilab.model.request import Request

Json = dict[str, Any]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe one; that in C, where it is there, takes a tenth of the time."""
LOCAL = Images("wsgilab-server:local", "wsgilab-runner:local", local=True)
ALL = (
    *("dev-single", "dev", "gunicorn", "uwsgi-single", "uwsgi", "gunicorn-gthread", "gunicorn-gevent"),
    *("gunicorn-nginx", "uwsgi-http", "waitress", "granian"),
)
EVERYTHING = Request(servers=ALL, variants=("eight=gunicorn,GUNICORN_WORKERS=8", "wide=uwsgi,UWSGI_THREADS=8"), seed=1)
"""Each server of compose.yaml, and a variant of either kind."""


def order(request: Request = EVERYTHING, images: Images = LOCAL, testruns: bool = False) -> Order:
    lab, servers = selection(request)
    return Order(lab, servers, request, images, "wsgilab", testruns)


def files(request: Request = EVERYTHING, testruns: bool = False) -> Mapping[str, str]:
    return rendered(order(request, testruns=testruns))


def documents(texts: Mapping[str, str], folder: str = "") -> Iterator[tuple[str, Json]]:
    """(its file, each object) of the YAML below a folder."""
    for path, text in texts.items():
        if path.startswith(folder) and path.endswith(".yaml"):
            for document in yaml.load_all(text, LOADER):
                yield path, document


def of_kind(texts: Mapping[str, str], kind: str) -> dict[str, Json]:
    """The objects of a kind, by name."""
    return {document["metadata"]["name"]: document for _, document in documents(texts) if document["kind"] == kind}


def pods(texts: Mapping[str, str]) -> dict[str, Json]:
    """The pods that Deployments, Jobs and nobody make: `metadata` and `spec`, by name."""
    made = of_kind(texts, "Deployment") | of_kind(texts, "Job")
    templates = {name: found["spec"]["template"] for name, found in made.items()}
    return templates | of_kind(texts, "Pod")


def containers(texts: Mapping[str, str]) -> dict[str, Json]:
    """Every container, by its name: no two have the same."""
    return {each["name"]: each for pod in pods(texts).values() for each in pod["spec"]["containers"]}


def environment(container: Json) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


def raw_lab() -> Lab:
    """compose.yaml with the variants of EVERYTHING, with its variables filled in."""
    return selection(EVERYTHING)[0]


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()
