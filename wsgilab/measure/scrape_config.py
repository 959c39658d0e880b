"""Whom Prometheus scrapes: prometheus/prometheus.yaml, with the servers of compose.yaml filled in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wsgilab.engines import Endpoint
from wsgilab.measure import access
from wsgilab.model.server import Server

Config = Mapping[str, Any]


def for_containers(shipped: Config, servers: Sequence[Server], folder: Path) -> dict[str, Any]:
    """For Compose's network: the default servers always, the others while their names can be resolved.

    `folder`: where Prometheus finds its password.
    """
    jobs = {job["job_name"]: dict(job) for job in shipped["scrape_configs"]}
    always = [server for server in servers if server.default]
    others = [server for server in servers if not server.default]
    jobs["servers"]["static_configs"] = [
        {"targets": [urlsplit(server.exporter_url).netloc], "labels": _labels(server)} for server in always
    ]
    _fill_in(jobs["more"], others)
    _use_password(jobs["prometheus"], folder)
    return {**shipped, "scrape_configs": [job for job in jobs.values() if job["job_name"] != "more" or others]}


def for_processes(shipped: Config, rules: Path, folder: Path, port: int) -> dict[str, Any]:
    """For local servers: read from files in `folder` that `Recorder.watch` writes. The rest is the same."""
    jobs = {job["job_name"]: dict(job) for job in shipped["scrape_configs"]}
    del jobs["more"]  # every local server that runs is in the job of the others
    jobs["nginx"].pop("static_configs")
    for name in ("servers", "nginx"):
        jobs[name]["file_sd_configs"] = [{"files": [str(folder / f"{name}.json")], "refresh_interval": "5s"}]
    jobs["prometheus"]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    _use_password(jobs["prometheus"], folder)
    return {**shipped, "rule_files": [str(rules)], "scrape_configs": list(jobs.values())}


def target(server: Server, at: Endpoint) -> dict[str, Any]:
    """A local server, as a file of targets names it."""
    # `instance` as in Compose: with the port of this one run in it, every run would have series of its own.
    instance = urlsplit(server.exporter_url).netloc
    return _scraped(at.exporter_url, {"instance": instance, **_labels(server)})


def proxy(exporter_url: str) -> dict[str, Any]:
    """The exporter of a local nginx, as a file of targets names it."""
    return _scraped(exporter_url, {"server": "nginx", "instance": "nginx-exporter:9100"})


def _scraped(url: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """An address of this machine, as a file of targets names it."""
    at = urlsplit(url)
    path = {"__metrics_path__": at.path} if at.path != "/metrics" else {}
    return {"targets": [at.netloc], "labels": {**labels, **path}}


def _labels(server: Server) -> dict[str, str]:
    """`via` charges the proxy's CPU and memory to the server behind it (rules.yaml)."""
    return {"server": server.name} | ({"via": server.via} if server.via else {})


def _fill_in(job: dict[str, Any], servers: Sequence[Server]) -> None:
    """Names to look up, and for those behind a proxy a rule that says so."""
    (lookup,) = job["dns_sd_configs"]
    job["dns_sd_configs"] = [{**lookup, "names": [server.name for server in servers]}]
    job["relabel_configs"] = [*job["relabel_configs"], *(_says_via(server) for server in servers if server.via)]


def _says_via(server: Server) -> dict[str, Any]:
    name = ["__meta_dns_name"]
    return {"source_labels": name, "regex": server.name, "target_label": "via", "replacement": server.via}


def _use_password(job: dict[str, Any], folder: Path) -> None:
    job["basic_auth"] = {"username": access.USER, "password_file": str(folder / access.PASSWORD)}
