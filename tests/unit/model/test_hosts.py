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
        (["app=,role=servers", LOAD], "names no Docker engine", "missing"),
        (["app=far,role=servers,address=10.0.0.5", "b=here,role=load"], "b sends load, and has no", "'default'"),
        (["app=ssh://lab@10.0.0.6,role=servers,address=10.0.0.6", LOAD], "app and load-1 are the same", "both are"),
        ([APP, LOAD, LOAD.replace("6", "7")], "Two hosts are called load-1", "a name of its own"),
        ([APP, LOAD, LOAD.replace("load-1", "b")], "load-1 and b are the same machine", "both are ssh://lab@10.0.0.6"),
        (["app=far,role=servers,network=lab", LOAD], "app has the network 'lab'", "overlay:NAME"),
        ([APP, f"{LOAD},network=overlay:lab"], "A network is named where none can be", "load hosts join it"),
        ([f"{APP},network=overlay:lab", LOAD], "A network is named where none can be", "in containers"),
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


def test_where_nobody_sends_load_this_machine_is_proposed_in_a_line_that_can_be_pasted() -> None:
    with pytest.raises(UsageError) as caught:
        hosts.of([APP], allow_public=False)
    assert caught.value.next_command == f"./lab doctor --host {APP} --host load-1=default,role=load"
    assert hosts.of([APP, "load-1=default,role=load"], allow_public=False), "and it is taken"


def test_servers_are_processes_here_or_containers_of_the_engine_that_their_host_names() -> None:
    here = hosts.of([f"{APP},cpus=0-2", LOAD], allow_public=False)
    there = hosts.of(["app=far,role=servers,address=10.0.0.5", LOAD], allow_public=False)
    assert here
    assert there
    assert (here.elsewhere, there.elsewhere) == (False, True)
    assert here.settings == {"SERVER_CPUS": "0-2"}
    assert there.settings == {"BIND_ADDRESS": "10.0.0.5"}, "ports are published there and nowhere else"


def test_servers_can_be_reached_by_an_overlay_and_need_no_address_then() -> None:
    together = hosts.of(["app=far,role=servers,network=overlay:lab", LOAD], allow_public=False)
    assert together
    assert (together.servers.overlay, together.servers.address) == ("lab", "")
    assert together.settings == {}
    assert "network=overlay:lab" in together.doctor


def test_a_public_address_is_taken_by_whoever_says_so() -> None:
    public = "app=here,role=servers,address=8.8.8.8"
    together = hosts.of([public, LOAD], allow_public=True)
    assert together
    assert together.servers.address == "8.8.8.8"
