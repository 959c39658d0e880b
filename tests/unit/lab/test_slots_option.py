"""`--slots 8`: every server that can be is set to eight slots, by what compose.yaml says of its settings."""

from __future__ import annotations

from pathlib import Path

import pytest
import twelfth
from support import ROOT

from wsgilab.errors import UsageError
from wsgilab.lab import variants
from wsgilab.lab.servers import Lab, load_lab
from wsgilab.lab.slots import Wanted, equalise, settings_for
from wsgilab.model.request import MAX_SLOTS
from wsgilab.model.server import Server

LAB = load_lab(ROOT, {})
EVERY = list(LAB.servers)
CANNOT = {"dev-single", "uwsgi-single"}


def at(*counts: int, servers: list[str] = EVERY, defaults: bool = False) -> tuple[Lab, list[Server]]:
    return equalise(LAB, servers, Wanted(counts, defaults))


def names(*counts: int, servers: list[str], defaults: bool = False) -> list[str]:
    return [server.name for server in at(*counts, servers=servers, defaults=defaults)[1]]


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 8, 12, 31, 64, MAX_SLOTS])
def test_every_server_gets_exactly_as_many_slots_or_is_left_out_by_name(count: int) -> None:
    lab, servers = at(count)
    slots = {server.name: server.slots for server in servers}
    assert slots.pop("dev") is None
    assert set(slots.values()) == {count}
    bases = {server.variant_of or server.name for server in servers}
    assert set(EVERY) - bases == (CANNOT if count > 1 else set())
    remarks = " ".join(lab.remarks)
    assert "dev has no limit to its slots" in remarks
    if count > 1:
        assert f"uwsgi-single has 1 slot, not {count}, and no setting that changes them: it is left out." in remarks


def test_a_server_that_has_them_already_is_measured_as_it_is() -> None:
    assert names(8, servers=["uwsgi", "gunicorn", "waitress"]) == ["uwsgi", "gunicorn-8", "waitress"]


def test_processes_stay_as_near_to_what_they_are_as_the_number_allows() -> None:
    label = "${P:-4} x ${T:-2}"
    for count, processes in ((8, 4), (16, 4), (6, 3), (10, 5), (7, 7), (2, 2), (9, 3), (22, 2), (1, 1)):
        assert settings_for(label, count, {}) == {"P": str(processes), "T": str(count // processes)}
    assert settings_for(label, 8, {"P": "2"}) == {"P": "2", "T": "4"}, "as it is set on this machine"
    assert settings_for("2 x ${T:-2}", 9, {}) == {"T": "4"}
    assert settings_for("1 x 1", 9, {}) == settings_for("unbounded", 9, {}) == {}


def test_with_defaults_both_are_measured_and_none_twice() -> None:
    found = names(4, 8, servers=["gunicorn", "uwsgi", "dev", "uwsgi-single"], defaults=True)
    assert found == ["gunicorn", "gunicorn-8", "uwsgi", "uwsgi-4", "dev", "uwsgi-single"]


def test_a_variant_stays_as_it_was_asked_for() -> None:
    lab = variants.add(LAB, [variants.parse("six=uwsgi,UWSGI_THREADS=6")])
    _, servers = equalise(lab, ["six", "gunicorn-nginx"], Wanted((6,)))
    assert [(server.name, server.slots) for server in servers] == [("six", 24), ("gunicorn-nginx-6", 6)]
    urls = [server.url for server in servers]
    assert urls == ["http://nginx-variants:8101", "http://nginx-variants:8102"], "behind nginx each has its own port"


def test_a_server_looks_as_ever_unless_it_stands_next_to_itself() -> None:
    def colours(defaults: bool) -> list[str | None]:
        return [server.colour for server in at(8, servers=["gunicorn"], defaults=defaults)[1]]

    assert colours(defaults=False) == ["#0072B2"]
    assert colours(defaults=True) == ["#0072B2", None]


def test_where_no_server_can_nothing_starts() -> None:
    with pytest.raises(UsageError, match=r"None of these servers can have 8 slots") as raised:
        at(8, servers=["dev-single", "uwsgi-single"])
    assert "dev-single has 1 slot" in raised.value.cause


def test_a_twelfth_server_is_set_by_its_own_label(tmp_path: Path) -> None:
    lab = load_lab(twelfth.copied(tmp_path, port=8012), {})
    _, (server,) = equalise(lab, [twelfth.NAME], Wanted((8,)))
    assert (server.name, server.slots) == (f"{twelfth.NAME}-8", 8)
    assert "WAITRESS_TWO_THREADS=8" in server.pattern
