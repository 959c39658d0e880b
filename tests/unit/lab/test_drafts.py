"""A drafted lab.toml is one that the lab reads, and holds nothing that was somebody's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from wsgilab.errors import UsageError
from wsgilab.lab.app_file import NAME, read, traffic_for_k6
from wsgilab.lab.draft_text import written
from wsgilab.lab.drafts import Draft, from_har, from_log, from_routes
from wsgilab.model.app_file import AppFile

LOG = """\
203.0.113.9 - ann [10/Oct/2026:13:55:36 +0000] "GET /items/7?token=s3cret HTTP/1.1" 200 2326 "-" "Mozilla/5.0"
203.0.113.9 - ann [10/Oct/2026:13:55:36 +0000] "GET /items/8 HTTP/1.1" 200 2326
203.0.113.9 - - [10/Oct/2026:13:55:37 +0000] "GET /users/ann%40a.org/o/6f1c2b3a-0000-4000-8000-00000000abcd" 200 -
203.0.113.9 - - [10/Oct/2026:13:55:39 +0000] "POST /orders HTTP/1.1" 302 12
203.0.113.9 - - [10/Oct/2026:13:55:39 +0000] "GET /missing HTTP/1.1" 404 12
203.0.113.9 - - [10/Oct/2026:13:55:39 +0000] "GET /static/app.js HTTP/1.1" 200 12
203.0.113.9 - - [10/Oct/2026:13:55:39 +0000] "\\x16\\x03" 400 12
"""


def parsed(draft: Draft, folder: Path) -> AppFile:
    path = folder / NAME
    path.write_text(written(draft, "shop:app"))
    found = read(path)
    traffic_for_k6(found, path)
    return found


def test_a_log_becomes_its_mix_with_weights_and_rates(tmp_path: Path) -> None:
    found = parsed(from_log(LOG.splitlines()), tmp_path)
    assert [(kind.method, kind.path, kind.weight) for kind in found.requests] == [
        ("GET", "/items/{id}", 2),
        ("GET", "/users/{id}/o/{id2}", 1),
        ("POST", "/orders", 1),
    ]
    assert found.traffic.rates == [1.5, 3], "6 requests in 4 s, 3 of them in the busiest"
    assert found.requests[2].expect.status == 302


def test_nothing_of_a_visitor_is_kept_unless_it_is_wanted(tmp_path: Path) -> None:
    text = written(from_log(LOG.splitlines()), "shop:app")
    for private in ("ann", "s3cret", "203.0.113", "6f1c2b3a", "Mozilla"):
        assert private not in text
    wanted = from_log(LOG.splitlines(), values=True)
    assert "/items/{id}?token=s3cret" in [kind.path for kind in wanted.kinds]
    assert parsed(wanted, tmp_path).requests[1].data


def test_what_a_log_leaves_out_is_said() -> None:
    notes = " ".join(from_log(LOG.splitlines()).notes)
    assert "1 requests that were answered 4xx or 5xx" in notes
    assert "1 requests for static files" in notes
    assert "1 lines that are not in that format" in notes


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(UsageError, match="2 of 2 lines are not from an access log"):
        from_log(["hello", "world"])
    with pytest.raises(UsageError, match="nothing to draft from"):
        from_log(LOG.splitlines()[4:5])


def test_routes_become_requests_with_example_values(tmp_path: Path) -> None:
    routes = [
        {"rule": "/", "methods": ["GET", "HEAD", "OPTIONS"], "converters": {}},
        {"rule": "/items/<int:item>", "methods": ["GET", "PUT"], "converters": {"item": "int"}},
    ]
    found = parsed(from_routes(routes, "shop:app"), tmp_path)
    assert [(kind.name, kind.method, kind.path) for kind in found.requests] == [
        ("GET home", "GET", "/"),
        ("GET items item", "GET", "/items/{item}"),
    ]
    assert found.requests[1].data == [{"item": "1"}]
    assert parsed(from_routes([], "shop:app"), tmp_path).requests[0].path == "/"


def test_what_changes_something_is_a_comment_to_fill_in_and_a_login_too(tmp_path: Path) -> None:
    routes = [
        {"rule": "/log-in", "methods": ["GET", "POST"]},
        {"rule": "/items/<item>", "methods": ["GET", "DELETE"]},
        {"rule": "/health", "methods": ["GET"]},
    ]
    draft = from_routes(routes, "shop:app")
    found = parsed(draft, tmp_path)
    assert [kind.path for kind in found.requests] == ["/items/{item}"]
    assert found.app.health == "/health"
    assert "until you say what it sends: DELETE /items/{item}" in draft.notes[0]
    (tmp_path / NAME).write_text(re.sub(r"^# (?=\[\[|\w+ = )", "", written(draft, "shop:app"), flags=re.MULTILINE))
    filled_in = read(tmp_path / NAME)
    assert [step.path for step in filled_in.login] == ["/log-in", "/log-in"]
    assert [kind.method for kind in filled_in.requests] == ["GET", "DELETE"]


def entry(method: str, url: str, **posted: object) -> dict[str, object]:
    return {"request": {"method": method, "url": url, "postData": posted}, "response": {"status": 200}}


def test_a_har_gives_names_of_fields_and_no_values(tmp_path: Path) -> None:
    login = "user=ann&pass word=s3cret"
    har = {
        "log": {
            "entries": [
                entry("GET", "https://shop.example/items/7?q=ann"),
                entry("POST", "https://shop.example/login", mimeType="application/x-www-form-urlencoded", text=login),
                entry("POST", "https://shop.example/cart", mimeType="application/json", text='{"item": "s3cret"}'),
                entry("GET", "https://shop.example/app.css"),
                entry("GET", "https://ads.example/track"),
            ]
        }
    }
    draft = from_har(json.dumps(har))
    found = parsed(draft, tmp_path)
    assert [kind.path for kind in found.requests] == ["/items/{id}", "/login", "/cart"]
    assert found.requests[1].form == {"user": "", "pass word": ""}
    assert found.requests[2].json == {"item": ""}
    assert "s3cret" not in written(draft, "shop:app")
    assert "1 requests to other hosts than shop.example" in draft.notes


@pytest.mark.parametrize("text", ["", "[]", '{"log": {}}', '{"log": {"entries": []}}', '{"log": {"entries": [5]}}'])
def test_a_damaged_har_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a HAR file"):
        from_har(text)
