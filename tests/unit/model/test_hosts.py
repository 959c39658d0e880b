"""Machines that measure together, as people write them down."""

from __future__ import annotations

import pytest

from wsgilab.errors import UsageError
from wsgilab.model import hosts
from wsgilab.model.hosts import Host, Role

APP = "app=here,role=servers,address=10.0.0.5"
LOAD = "load-1=ssh://lab@10.0.0.6,role=load"


def test_a_host_is_what_its_text_says_and_back() -> None:
    assert hosts.parse(APP) == Host("app", "here", Role.SERVERS, "10.0.0.5")
    pinned = f"{LOAD},cpus=0-1,3"
    assert hosts.parse(pinned) == Host("load-1", "ssh://lab@10.0.0.6", Role.LOAD, "", "0-1,3")
    assert [str(hosts.parse(text)) for text in (APP, LOAD, pinned)] == [APP, LOAD, pinned]


def test_one_has_the_servers_and_the_others_send_the_load() -> None:
    together = hosts.of([APP, LOAD, "load-2=far,role=load,cpus=0"], allow_public=False)
    assert together
    assert together.servers.name == "app"
    assert together.load_in_words == ("load-1", "load-2 (CPUs 0)")
    assert together.doctor == f"./lab doctor --host {APP} --host {LOAD} --host load-2=far,role=load,cpus=0"
    assert hosts.of([], allow_public=False) is None


@pytest.mark.parametrize(
    ("texts", "what", "cause"),
    [
        (["app"], "'app' describes no host", "a host is NAME=DOCKER"),
        (["app=here,rolle=load"], "describes no host", "did you mean 'role'"),
        (["App=here,role=load"], "A host cannot be called 'App'", "small letters"),
        (["app=here"], "app has the role ''", "servers or load"),
        (["app=here,role=server"], "app has the role 'server'", "did you mean 'servers'"),
        (["app=,role=load"], "app names no Docker engine", "ssh://"),
        (["app=x,role=load,cpus=all"], "app has the CPUs 'all'", "0-2,5"),
        ([LOAD], "none of them would be it", "role=servers"),
        ([APP, "b=there,role=servers"], "app, b would be it", "twice"),
        ([APP], "None of these hosts sends load", "role=load is missing"),
        (["app=ssh://b,role=servers,address=10.0.0.5", LOAD], "app is for servers, and is not this", "'here'"),
        (["app=,role=servers", LOAD], "names no Docker engine", "missing"),
        (["app=default,role=servers,address=10.0.0.5", "b=here,role=load"], "app is for servers", "here"),
        ([APP, LOAD, LOAD.replace("6", "7")], "Two hosts are called load-1", "a name of its own"),
        ([APP, LOAD, LOAD.replace("load-1", "b")], "load-1 and b are the same machine", "both are ssh://lab@10.0.0.6"),
        (["app=here,role=servers", LOAD], "app has no address", "address=… is missing"),
        (["app=here,role=servers,address=app.local", LOAD], "app has the address 'app.local'", "IPv4"),
        (["app=here,role=servers,address=0.0.0.0", LOAD], "app has the address 0.0.0.0", "never on all"),
        (["app=here,role=servers,address=8.8.8.8", LOAD], "app has the address 8.8.8.8", "--allow-public-address"),
    ],
)
def test_machines_that_could_never_measure_together_are_refused(texts: list[str], what: str, cause: str) -> None:
    with pytest.raises(UsageError) as caught:
        hosts.of(texts, allow_public=False)
    assert what in caught.value.what
    assert cause in caught.value.cause


def test_a_public_address_is_taken_by_whoever_says_so() -> None:
    public = "app=here,role=servers,address=8.8.8.8"
    together = hosts.of([public, LOAD], allow_public=True)
    assert together
    assert together.servers.address == "8.8.8.8"
