"""A drafted lab.toml is one that the lab reads, and holds nothing that was somebody's own."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from wsgilab.commands.init import _from_file
from wsgilab.errors import UsageError
from wsgilab.lab import drafts
from wsgilab.lab.access_log import from_log
from wsgilab.lab.app_file import NAME, read
from wsgilab.lab.draft_text import written
from wsgilab.lab.drafts import Draft, from_routes
from wsgilab.lab.har import from_har
from wsgilab.lab.traffic import traffic_for_k6
from wsgilab.model.app_file import MOST_REQUESTS, MOST_WEIGHT, AppFile

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
    assert "1 requests that were not answered 2xx or 3xx" in notes
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


# ── odd shapes ──────────────────────────────────────────────────────────────────────────────────────────────────────


def line(request: str, status: int = 200, client: str = "203.0.113.9") -> str:
    return f'{client} - - [10/Oct/2026:13:55:36 +0000] "{request}" {status} 12 "-" "a \\"quoted\\" agent"\n'


def test_whatever_stands_in_a_log_what_is_drafted_can_be_read(tmp_path: Path) -> None:
    asked = (
        *("GET /a HTTP/1.1", "OPTIONS * HTTP/1.1", "GET //[ HTTP/1.1", "GET http://[x/ HTTP/1.1", "GET half HTTP/1.1"),
        *("GET /\x07bell HTTP/1.1", f"GET /{'x' * 9_000} HTTP/1.1", "GET http://shop.example/b HTTP/1.1", "GET /a/+2"),
        *("GET /a/ HTTP/1.1", "GET /käse HTTP/1.1", "PRI * HTTP/2.0", "GET /{id} HTTP/1.1"),
    )
    lines = [line(request, client="2001:db8::1") for request in asked]
    draft = from_log([*lines, *lines, lines[0][:40], "\ufffd\x00\n"])
    assert sorted(kind.path for kind in parsed(draft, tmp_path).requests) == sorted(
        ["/a", "/b", "/a/+2", "/a/", "/käse", "/%7Bid%7D"]
    )
    assert "12 requests for what is no path" in draft.notes
    assert "4 lines that are not in that format" in draft.notes, "two of PRI, an unfinished one, and rubbish"


def test_what_a_browser_had_already_is_an_answer_like_others(tmp_path: Path) -> None:
    found = parsed(from_log([line("GET /a HTTP/1.1", 304), line("GET /b HTTP/1.1", 302)]), tmp_path)
    assert [kind.expect.status for kind in found.requests] == [None, 302]


def test_a_log_of_millions_is_a_mix_that_can_be_read(tmp_path: Path) -> None:
    found = from_log([line("GET /a HTTP/1.1"), line("GET /b HTTP/1.1")])
    found.kinds[0].count, found.kinds[1].count = 7_000_000, 3_500_000
    assert [kind.weight for kind in parsed(found, tmp_path).requests] == [MOST_WEIGHT, MOST_WEIGHT / 2]


def test_a_log_of_which_each_path_is_another_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MOST_TOLD_APART", 2)
    draft = from_log(line(f"GET /{name} HTTP/1.1") for name in ("a", "b", "c", "d", "b"))
    assert [kind.path for kind in draft.kinds] == ["/b", "/a"]
    assert any(note.startswith("2 requests of further kinds") for note in draft.notes)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_log_is_read_by_line_packed_or_not_with_a_mark_of_its_encoding_or_without(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(pack(b"\xef\xbb\xbf\r\n" + line("GET /a HTTP/1.1").encode() * 9 + b"\xff\xfe\x00" * 50_000))
    assert [kind.path for kind in _from_file(path, False).kinds] == ["/a"]


def test_a_packed_log_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.log.gz"
    path.write_bytes(gzip.compress(line("GET /a HTTP/1.1").encode() * 9)[:-9])
    with pytest.raises(UsageError, match="cannot be read"):
        _from_file(path, False)


def test_an_archive_of_odd_entries_is_what_can_be_made_of_it(tmp_path: Path) -> None:
    plain = entry("GET", "https://shop.example/a")
    odd = [
        plain,
        {**plain, "response": {"status": 0}},  # blocked, or given up
        {**plain, "response": {"status": 304}},
        {**plain, "response": {"status": 404}},
        {**plain, "response": None},
        {"request": {"method": "GET", "url": "http://[half"}},
        {"request": {"method": ["GET"], "url": "https://shop.example/b"}},
        {"request": {"method": "POST", "url": "https://shop.example/c", "postData": [1]}},
        entry("POST", "https://shop.example/d", mimeType="application/x-www-form-urlencoded", params=[{"x": 1}, 5]),
    ]
    path = tmp_path / "recorded.har"
    path.write_text("\ufeff\n" + json.dumps({"log": {"entries": odd}}))
    draft = _from_file(path, False)
    found = parsed(draft, tmp_path)
    assert [(kind.path, kind.weight, kind.expect.status) for kind in found.requests] == [
        ("/a", 3, None),
        ("/c", 1, None),
        ("/d", 1, None),
    ]
    assert "2 requests that were not answered 2xx or 3xx" in draft.notes
    with pytest.raises(UsageError, match="not a HAR file"):
        from_har('{"log": {"entries": [{"request": {"url": "/"}, "response": 5}]}}')


def test_of_an_app_with_hundreds_of_routes_the_first_are_taken(tmp_path: Path) -> None:
    routes = [{"rule": f"/page-{number}x", "methods": ["GET", "POST"]} for number in range(MOST_REQUESTS + 7)]
    draft = from_routes([{"rule": "/two words", "methods": ["GET"]}, *routes], "shop:app")
    found = parsed(draft, tmp_path)
    assert len(found.requests) == MOST_REQUESTS
    assert found.requests[0].path == "/two%20words"
    assert f"15 routes, for a lab.toml has {MOST_REQUESTS} requests at most" in draft.notes
