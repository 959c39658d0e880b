"""What an app would take from a proxy is told: the client's address, and http or https."""

from __future__ import annotations

from dataclasses import replace

from checkups import QUESTION, answer, checkup, forwarded, odd, statement

from wsgilab.model.checkup import FORWARDED_FOR


def test_a_client_that_is_taken_for_its_proxy_is_told_with_the_cure() -> None:
    lost = checkup("dev", *[answer("you are 127.0.0.1")] * 2, forwarded=forwarded("you are 127.0.0.1"))
    kept = checkup("uwsgi", *[answer("you are 127.0.0.1")] * 2, forwarded=forwarded(f"you are {FORWARDED_FOR}"))
    (finding,) = odd(lost, kept)
    assert (finding.what, finding.servers) == ("Client address", ("dev",))
    assert "ProxyFix(app.wsgi_app, x_for=1" in finding.fix


def test_a_proxy_that_names_the_client_itself_is_not_accused() -> None:
    own = answer("you are 127.0.0.1", statement=statement(forwarded_for="127.0.0.1"))
    assert odd(checkup("uwsgi", *[answer("you are 127.0.0.1")] * 2, forwarded=own)) == []


def test_a_server_behind_a_socket_gives_no_address_and_that_is_no_difference_of_bodies() -> None:
    nameless = answer("you are ", statement=statement(client=""))
    direct = checkup("dev", *[answer("you are 127.0.0.1")] * 2, forwarded=forwarded(f"you are {FORWARDED_FOR}"))
    (finding,) = odd(direct, checkup("gunicorn", nameless, nameless, forwarded=nameless))
    assert (finding.what, finding.servers) == ("Client address", ("gunicorn",))
    assert "there is no address at all" in finding.said


def test_an_app_that_shows_no_address_is_not_asked_to_look_for_one() -> None:
    assert odd(checkup("dev", forwarded=forwarded("hello"))) == []


def test_links_that_stay_http_behind_tls_are_told() -> None:
    link = "see http://127.0.0.1:{}/next"
    dev = checkup("dev", *[answer(link.format(8002))] * 2, forwarded=forwarded(link.format(8002)))
    secure = forwarded(link.format(8003).replace("http:", "https:"))
    gunicorn = checkup("gunicorn", *[answer(link.format(8003))] * 2, forwarded=secure)
    (finding,) = odd(dev, gunicorn)
    assert (finding.what, finding.servers) == ("Scheme", ("dev",))
    assert finding.said.endswith("answered as for http, and as for https under gunicorn")
    (finding,) = odd(dev)
    assert finding.servers == ("dev",), "also where no server does better"
    location = (("location", "http://127.0.0.1:8002/next"),)
    redirect = replace(QUESTION, statuses=(302,))
    moved = [answer("", status=302, headers=location)] * 2
    assert [finding.what for finding in odd(checkup("dev", *moved, question=redirect, forwarded=moved[0]))] == [
        "Scheme"
    ]


def test_a_server_that_takes_the_header_away_is_named_with_its_option() -> None:
    taken = answer("you are 127.0.0.1")
    (finding,) = odd(checkup("dev", *[answer("you are 127.0.0.1")] * 2, forwarded=taken))
    assert (finding.what, finding.servers) == ("Client address", ("dev",))
    assert finding.said.endswith("(dev takes the header away before the app sees it: --trusted-proxy)")


def test_an_answer_that_changes_by_chance_does_not_depend_on_the_scheme() -> None:
    dev = checkup("dev", *[answer("a quote")] * 2, forwarded=forwarded("another quote"))
    assert odd(dev, checkup("gunicorn", *[answer("a quote")] * 2, forwarded=forwarded("a quote"))) == []


def test_a_redirect_or_a_secure_cookie_for_https_alone_shows_who_knows_the_scheme() -> None:
    for secure in (forwarded("", status=302), forwarded("hello", headers=(("set-cookie", "a=1; Path=/; Secure"),))):
        knows = checkup("gunicorn", forwarded=secure)
        (finding,) = odd(knows, checkup("dev", forwarded=forwarded("hello")))
        assert (finding.what, finding.servers) == ("Scheme", ("dev",))
