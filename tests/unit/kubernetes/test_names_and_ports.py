"""The runner finds in a cluster what it asks for: each name leads to a pod that listens there, and policies let it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from manifests import containers, files, matches, of_kind, order, pods

from wsgilab.api.prepared import selection
from wsgilab.engines.attached import OWN_NGINX
from wsgilab.engines.cluster import ClusterEngine
from wsgilab.kubernetes.pods import COMPONENT
from wsgilab.machine.waiting import Stop
from wsgilab.model.listener import UNHEARD
from wsgilab.model.request import Request

FILES = files()
PODS, SERVICES, POLICIES = pods(FILES), of_kind(FILES, "Service"), of_kind(FILES, "NetworkPolicy")
INSIDE = Request.from_json(FILES["base/request.json"])


def asked_for() -> list[str]:
    """Every address that the runner of these manifests asks for, as it works them out itself."""
    lab, servers = selection(INSIDE)
    engine = ClusterEngine(lab, servers, Stop(), 1.0, UNHEARD)
    endpoints = [engine.endpoint(server) for server in servers]
    urls = [url for at in endpoints for url in (at.url, at.exporter_url, at.proxy_exporter_url) if url]
    return sorted({OWN_NGINX, *urls})


def listening(pod: str, port: int) -> list[str]:
    """The containers of a pod that listen on a port."""
    return [
        each["name"]
        for each in PODS[pod]["spec"]["containers"]
        for opened in each.get("ports", ())
        if opened["containerPort"] == port
    ]


def led_to(url: str) -> tuple[str, int]:
    """(the pod, the port) that a name leads to."""
    at = urlsplit(url)
    service = SERVICES[str(at.hostname)]["spec"]
    (pod,) = [name for name, found in PODS.items() if matches(service["selector"], found["metadata"]["labels"])]
    (port,) = [port for port in service["ports"] if port["port"] == at.port]
    target = port["targetPort"]
    if isinstance(target, int):
        return pod, target
    named = [
        opened["containerPort"]
        for each in PODS[pod]["spec"]["containers"]
        for opened in each.get("ports", ())
        if opened["name"] == target
    ]
    (number,) = named
    return pod, number


@pytest.mark.parametrize("url", asked_for())
def test_each_address_leads_to_one_container_that_listens(url: str) -> None:
    pod, port = led_to(url)
    assert len(listening(pod, port)) == 1


def test_each_exporter_is_that_of_its_server() -> None:
    for server in order().servers:
        pod, port = led_to(server.exporter_url)
        assert listening(pod, port) == [server.name]
        told = {each["name"]: each["value"] for each in containers(FILES)[server.name]["env"]}
        assert told["LAB_EXPORTER_PORT"] == str(port)


def test_nothing_stands_between_the_load_and_a_server() -> None:
    for server in order().servers:
        service = SERVICES[str(urlsplit(server.url).hostname)]["spec"]
        assert service["clusterIP"] == "None"


def test_a_name_stays_while_a_pod_is_too_busy_to_be_ready() -> None:
    for name, service in SERVICES.items():
        assert service["spec"]["publishNotReadyAddresses"] is True, name


def test_nothing_is_published() -> None:
    for name, service in SERVICES.items():
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP", name
    assert of_kind(FILES, "Ingress") == {}


def test_a_deployment_makes_the_pod_that_it_looks_after_and_never_two() -> None:
    for name, deployment in of_kind(FILES, "Deployment").items():
        spec = deployment["spec"]
        others = [
            pod for pod, found in PODS.items() if matches(spec["selector"]["matchLabels"], found["metadata"]["labels"])
        ]
        assert others == [name]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_every_policy_is_about_some_pod() -> None:
    for name, policy in POLICIES.items():
        chosen = policy["spec"]["podSelector"].get("matchLabels", {})
        assert [pod for pod, found in PODS.items() if matches(chosen, found["metadata"]["labels"])], name


def allowed(direction: str, pod: str, side: str) -> list[tuple[dict[str, str] | None, set[int]]]:
    """(the labels of the other side, the ports) of each thing that base's policies allow a pod."""
    found = []
    for policy in POLICIES.values():
        spec = policy["spec"]
        if matches(spec["podSelector"].get("matchLabels", {}), PODS[pod]["metadata"]["labels"]):
            for rule in spec.get(direction, ()):
                ports = {port["port"] for port in rule["ports"]}
                found += [(peer.get("podSelector", {}).get("matchLabels"), ports) for peer in rule.get(side, [{}])]
    return found


@pytest.mark.parametrize("url", asked_for())
def test_policies_let_the_runner_ask_for_it(url: str) -> None:
    pod, port = led_to(url)
    labels = {name: found["metadata"]["labels"] for name, found in PODS.items()}
    assert any(
        port in ports and who and matches(who, labels["runner"]) for who, ports in allowed("ingress", pod, "from")
    )
    assert any(port in ports and who and matches(who, labels[pod]) for who, ports in allowed("egress", "runner", "to"))


def test_servers_ask_nobody_and_nobody_asks_the_runner() -> None:
    for name, pod in PODS.items():
        if pod["metadata"]["labels"][COMPONENT] == "servers":
            assert allowed("egress", name, "to") == [], name
    assert allowed("ingress", "runner", "from") == []
    assert POLICIES["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_ports_of_a_pod_have_names_of_their_own() -> None:
    for name, pod in PODS.items():
        opened = [port for each in pod["spec"]["containers"] for port in each.get("ports", ())]
        assert (
            len({port["name"] for port in opened}) == len({port["containerPort"] for port in opened}) == len(opened)
        ), name


def test_prometheus_reads_every_exporter_with_the_labels_that_rules_go_by() -> None:
    (monitor,) = of_kind(FILES, "PodMonitor").values()
    chosen = monitor["spec"]["selector"]["matchLabels"]
    found = {name for name, pod in PODS.items() if matches(chosen, pod["metadata"]["labels"])}
    assert found == {name for name, pod in PODS.items() if pod["metadata"]["labels"][COMPONENT] == "servers"}
    read = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    scraped = {
        each["name"] for pod in found for each in PODS[pod]["spec"]["containers"]
        if read & {port["name"] for port in each.get("ports", ())}
    }  # fmt: skip
    servers = order().servers
    assert scraped == {server.name for server in servers} | {"nginx-exporter"}
    rules = monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]
    via = {rule["regex"]: rule["replacement"] for rule in rules if rule["targetLabel"] == "via"}
    assert via == {server.name: server.via for server in servers if server.via}


def test_the_runner_carries_out_what_was_asked_for() -> None:
    asked = order().request
    assert INSIDE.engine == "kubernetes"
    for field in ("command", "servers", "variants", "rates_rps", "rounds", "slo", "workload", "seed", "keep_alive"):
        assert getattr(INSIDE, field) == getattr(asked, field), field
    assert INSIDE.start_timeout_s >= 300, "images may have to be pulled"
    assert INSIDE.settings["SERVER_IMAGE"] == "wsgilab-server:local", "the manifest of the run has it"
    assert INSIDE.settings["CLUSTER_NAMESPACE"] == "wsgilab", "what it says to do next is about that namespace"
    assert "LAB_APP_DIR" not in INSIDE.settings
    (job,) = of_kind(FILES, "Job").values()
    spec = job["spec"]["template"]["spec"]
    assert job["spec"]["backoffLimit"] == 0
    assert spec["restartPolicy"] == "Never"
    (container,) = spec["containers"]
    assert container["args"] == ["carry-out", "--show"]
    (request,) = [each for each in container["env"] if each["name"] == "LAB_REQUEST"]
    assert request["valueFrom"] == {"configMapKeyRef": {"name": "request", "key": "request.json"}}
