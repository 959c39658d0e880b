"""The Job that measures, where it keeps what it measured, and the pod by which that is fetched."""

from __future__ import annotations

from wsgilab.kubernetes.containers import Images, Json, Shape, part
from wsgilab.kubernetes.pods import LAB, LOAD, USER, Document, labels, pod
from wsgilab.kubernetes.testrun import ACCOUNT
from wsgilab.lab.servers import Lab

RUNNER, RESULTS = "runner", "results"
REQUEST, REQUEST_FILE = "request", "request.json"
"""The ConfigMap with the request, and its one file."""
TESTRUN, TESTRUN_FILE = "testrun", "testrun.json"
"""The same with what the runner makes of each window for the k6-operator."""
MOUNTED_RESULTS = "/results"
CLAIM = {"name": RESULTS, "persistentVolumeClaim": {"claimName": RESULTS}}
KEPT = ("LAB_RESULTS", "PYTHONPATH")
"""What the runner is told in Compose and needs here: the rest is in the request, or says where it is in Compose."""
ROOM = "1Gi"
FETCHED_WITHIN_S = 3600


def job(lab: Lab, images: Images, namespace: str, testruns: bool) -> Document:
    """The runner: k6 runs in its own container, and results go to the claim.

    It needs no right in the cluster, so it has none: it knows servers by name, and asks themselves how they are. With
    `testruns` it has the right to have the k6-operator drive the load.
    """
    described = dict(lab.services[RUNNER])
    told = {name: described["environment"][name] for name in KEPT} | {"LAB_NEXT_STEPS": next_steps(namespace)}
    described |= {
        "user": f"{USER}:{USER}",
        "command": ["carry-out", "--show"],
        "environment": told,
        # What the lab in the image has, and what only Compose needs.
        "volumes": [f"{RESULTS}:{MOUNTED_RESULTS}"],
    }
    measuring = part(RUNNER, described, images, Shape(mounts={MOUNTED_RESULTS: CLAIM}))
    measuring.container["env"].append(_from_file("LAB_REQUEST", REQUEST, REQUEST_FILE))
    more: Json = {"restartPolicy": "Never", "securityContext": {"fsGroup": USER}}
    if testruns:
        measuring.container["env"].append(_from_file("LAB_TESTRUN", TESTRUN, TESTRUN_FILE))
        more |= {"serviceAccountName": ACCOUNT, "automountServiceAccountToken": True}
    spec = pod([measuring], **more)
    content = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": RUNNER, "labels": labels(RUNNER, LOAD)},
        "spec": {
            # A measurement that failed says why; a second one in its place would hide that.
            "backoffLimit": 0,
            "template": {"metadata": {"labels": labels(RUNNER, LOAD)}, "spec": spec},
        },
    }
    return Document("Measures once, and ends with the code of ./lab run.", content)


def _from_file(variable: str, config_map: str, file: str) -> Json:
    return {"name": variable, "valueFrom": {"configMapKeyRef": {"name": config_map, "key": file}}}


def claim() -> Document:
    """Where runs are kept."""
    content = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": RESULTS, "labels": LAB},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": ROOM}}},
    }
    return Document("Where runs are kept, also when the Job is gone.", content)


def reader(images: Images, namespace: str) -> Document:
    """A pod that does nothing and mounts the results, so that they can be copied; it ends by itself."""
    described = {
        "image": images.runner,
        "pull_policy": "never",
        "entrypoint": ["sleep"],
        "command": [str(FETCHED_WITHIN_S)],
        "user": f"{USER}:{USER}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "cpuset": "0",
        "mem_limit": "64m",
        "volumes": [f"{RESULTS}:{MOUNTED_RESULTS}"],
    }
    mounts: dict[str, Json] = {MOUNTED_RESULTS: CLAIM}
    copying = part(RESULTS, described, images, Shape(mounts=mounts, cpu="100m"))
    spec = pod(
        [copying],
        restartPolicy="Never",
        securityContext={"fsGroup": USER},
        activeDeadlineSeconds=FETCHED_WITHIN_S,
    )
    content = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": RESULTS, "namespace": namespace, "labels": labels(RESULTS, RESULTS)},
        "spec": spec,
    }
    return Document("Has the results for as long as they are copied; no part of what measures.", content)


def next_steps(namespace: str) -> str:
    """The last lines of the runner's log: how to have the files. In the folder of the manifests."""
    inside = f"kubectl --namespace {namespace}"
    return "\n".join(
        (
            "Fetch the files:  kubectl apply --filename results.yaml",
            f"                  {inside} wait --for=condition=Ready pod/{RESULTS}",
            f"                  {inside} cp {RESULTS}:{MOUNTED_RESULTS} results",
            "                  kubectl delete --filename results.yaml",
            f"Measure again:    {inside} delete job {RUNNER}",
            "                  kubectl apply --server-side --kustomize base  # or the overlay that you applied",
            f"Stop:             kubectl delete namespace {namespace}",
        )
    )
