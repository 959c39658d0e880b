"""What an app needs: how its placeholders are filled, what is recorded of it, and what is kept out of that."""

from __future__ import annotations

from wsgilab.model.needs import Health, Needs, Service, State, filled, for_shell

DB = Service(
    name="db",
    command="postgres -D {scratch}/db -p {port}",
    compose="/home/you/shop/compose.yaml",
    service="postgres",
    health=Health(command="pg_isready -p {port}"),
    export={"DATABASE_URL": "postgresql://lab:s3cret@{host}:{port}/shop"},
)


def test_placeholders_are_filled_and_what_is_not_ours_stays() -> None:
    where = {"host": "127.0.0.1", "port": "7", "scratch": "/tmp/x"}
    assert DB.exported(where) == {"DATABASE_URL": "postgresql://lab:s3cret@127.0.0.1:7/shop"}
    assert filled("{port} {ports} ${port} {scratch}", where) == "7 {ports} ${port} /tmp/x"
    assert filled("{port}", {}) == "{port}", "what nobody knows stays"
    assert for_shell("port={port}; redis --port ${port}", {"port": "7"}) == "port=7; redis --port ${port}"


def test_a_path_with_a_space_is_one_word_for_a_shell() -> None:
    assert for_shell("redis --dir {scratch}/a b", {"scratch": "/tmp/my $dir"}) == "redis --dir '/tmp/my $dir'/a b"


def test_what_is_only_recorded_holds_no_value_and_no_path_of_this_machine() -> None:
    recorded = Needs((DB,), State(writes=("shop.db",), reset="make reset")).nameless()
    assert recorded.services[0].export == {"DATABASE_URL": ""}
    assert recorded.services[0].about == "postgres of its Compose file"
    assert "s3cret" not in repr(recorded)
    assert "/home/you" not in repr(recorded)
    assert recorded.state == State(writes=("shop.db",), reset="make reset")


def test_a_state_says_what_becomes_of_it() -> None:
    assert State(("shop.db", "uploads"), "flask seed", "flask reset").about == (
        "a copy for each server; the app writes shop.db, uploads; set up by `flask seed`; "
        "reset between windows by `flask reset`"
    )
    assert "what one window writes, the next one finds" in State(("shop.db",)).about


def test_a_service_is_called_by_its_own_name_where_it_has_no_other() -> None:
    assert (DB.container, Service("cache").container) == ("postgres", "cache")
    assert Service("cache", described_in="/a b/lab.toml").edit == "${EDITOR:-vi} '/a b/lab.toml'"
