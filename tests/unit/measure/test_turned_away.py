"""The settings that turn requests away, in the words of the servers themselves."""

from __future__ import annotations

import pytest
from factories import inside, load_result, plan, usage

from wsgilab.measure.log_lines import may_tell_of_refusals, with_refusals
from wsgilab.measure.summary import refusal
from wsgilab.measure.turned_away import counted, setting_in
from wsgilab.model.window import Window

GUNICORN = "[2026-03-01 12:00:00 +0000] [7] [WARNING] Invalid request from ip=127.0.0.1: "


@pytest.mark.parametrize(
    ("said", "setting"),
    [
        (f"{GUNICORN}Request Line is too large (4515 > 4094)", "limit_request_line"),
        (f"{GUNICORN}limit request headers fields size", "limit_request_field_size"),
        (f"{GUNICORN}limit request headers fields", "limit_request_fields"),
        ("<h1><p>URI Too Long</p></h1>\n  Request Line is too large (4515 &gt; 4094)", "limit_request_line"),
        ("<p>Error parsing headers: &#x27;limit request headers fields size&#x27;", "limit_request_field_size"),
        ("invalid request block size: 9300 (max 4096)...skip", "buffer-size"),
        ("invalid HTTP request size (max 4096)...skip", "buffer-size"),
        ("<center><h1>Request Header Or Cookie Too Large</h1>", "large_client_header_buffers"),
        ("<head><title>414 Request-URI Too Large</title></head>", "large_client_header_buffers"),
        ("Request Header Fields Too Large\n\nexceeds max_header of 262144", "max_request_header_size"),
        ("Worker (pid:7) exited with code 1.", ""),
        ("", ""),
    ],
)
def test_each_server_has_words_of_its_own(said: str, setting: str) -> None:
    assert setting_in(said) == setting


def test_lines_of_a_log_are_counted_by_setting() -> None:
    lines = ["booting", "invalid request block size: 1 (max 4096)...skip", "invalid request block size: 2 (max 4096)"]
    assert counted(lines) == {"buffer-size": 2}


def test_an_answer_that_k6_looked_at_tells_too() -> None:
    console = (
        r'time="2026-03-01T12:00:00Z" level=info msg="{\"status\":\"431\",\"redirect_to\":\"\",\"host\":\"h\",'
        r'\"blames_host\":false,\"text\":\"<p>limit request headers fields size</p>\"}" source=console'
    )
    assert refusal(console.splitlines(), {"431": 30})["refused_by"] == "limit_request_field_size"


def measured(requests: float, **statuses: int) -> Window:
    load = load_result([24.0] * 0, 600, statuses={name[1:]: count for name, count in statuses.items()})
    return Window(plan(), load, usage(requests, inside=inside()))


def test_a_log_is_asked_only_where_requests_did_not_come_through() -> None:
    assert may_tell_of_refusals(measured(0.0, s502=600))
    assert may_tell_of_refusals(measured(0.0, s0=600)), "closed without an answer"
    assert not may_tell_of_refusals(measured(800.0, s500=600)), "the app answered"
    assert not may_tell_of_refusals(measured(790.0, s200=600))
    assert not may_tell_of_refusals(Window(plan(), None, None))


def test_what_a_log_says_is_kept_with_the_window() -> None:
    refused = with_refusals(measured(0.0, s502=600), "booting\ninvalid request block size: 9300 (max 4096)...skip\n")
    assert refused.usage
    assert refused.usage.inside
    assert refused.usage.inside.refusals == {"buffer-size": 1}
    silent = measured(0.0, s502=600)
    assert with_refusals(silent, "booting") is silent
