"""What is said of servers that run on other CPUs than they were given."""

from __future__ import annotations

from wsgilab.measure.pinning import DELEGATE, not_alone, not_pinned, not_pinned_error


def test_servers_on_their_own_cpus_are_not_mentioned() -> None:
    assert not_pinned({0, 1}, {"gunicorn": "0-1", "dev": "0"}) is None


def test_servers_that_may_use_others_are_named_with_both_lists() -> None:
    """As a rootless engine without delegation leaves them."""
    said = not_pinned({0}, {"gunicorn": "0-7", "dev": "0", "uwsgi": "0-7"})
    assert said == (
        "Not pinned: gunicorn, uwsgi may use CPU 0-7 and not only 0 (SERVER_CPUS), so servers and load may share CPUs."
    )


def test_a_system_without_pinning_is_said_to_have_none() -> None:
    assert (not_pinned({0}, {"gunicorn": ""}) or "").startswith("Not pinned: this system cannot pin a process to a CPU")


def test_the_cure_for_a_rootless_engine_is_one_line() -> None:
    error = not_pinned_error("Not pinned: …", "compose")
    assert error.next_command == DELEGATE
    assert "\n" not in DELEGATE
    assert not_pinned_error("Not pinned: …", "local").next_command == "./lab doctor"


def test_pods_with_so_many_cpus_of_their_own_are_not_mentioned_whichever_they_are() -> None:
    assert not_alone(1, {"gunicorn": "5", "dev": "2"}) is None
    assert not_alone(2, {"gunicorn": "5,7"}) is None


def test_pods_that_share_a_node_s_cpus_are_named() -> None:
    said = not_alone(1, {"gunicorn": "0-7", "dev": "3", "uwsgi": ""})
    assert said == (
        "Not pinned: gunicorn, uwsgi may use CPU 0-7 or unknown, and not 1 CPU of their own, so they share CPUs with "
        "whatever else runs on the node."
    )
    error = not_pinned_error(said, "kubernetes")
    assert "static CPU manager policy" in error.cause
    assert error.next_command.startswith("kubectl get pods")
