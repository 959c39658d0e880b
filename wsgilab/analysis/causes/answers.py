"""What was answered: by the app, or by the server or its proxy before the app; and whether the app asks itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from wsgilab.analysis.causes.evidence import NO_ANSWER, Evidence, added
from wsgilab.analysis.counts import calls_each
from wsgilab.model import words
from wsgilab.model.cause import Cause, Kind
from wsgilab.model.interval import Interval
from wsgilab.model.window import Window

MOSTLY, HARDLY = 0.5, 0.1
"""An answer explains a result where it is as common as half of the requests that got none at all."""
ALL = 0.995
KILLS = ("timeout", "harakiri")
"""How a server ends a worker of its own in the middle of a request."""
OVERLOAD = {"502", "503", "504"}
"""What a proxy, or a server in front of its own workers, answers when nothing behind it is free."""
NGINX_HEADERS = "large_client_header_buffers"
OF_NGINX = {
    "413": "client_max_body_size",
    "414": NGINX_HEADERS,
    "502": "{program} closed the connection or was not there",
    "504": "{program} did not answer in time",
}
"""What nginx answers by itself, and the setting or the reason."""
CLOSED = "buffer-size"
"""uWSGI's limit for request line and headers: it logs, and closes without an answer, of which its proxy makes a 502."""
LINE_LIMITS = {"gunicorn": ("limit_request_line", 4094), "uWSGI": (CLOSED, 4096)}
"""Settings that bound the request line, and their defaults; uWSGI's bounds the headers along with it."""
ADVICE = {
    "400": "does it take this request, and this host (Host: {host})?",
    "401": "it wants a login",
    "403": "it does not allow this request",
    "404": "is the path of --workload right?",
    "405": "it does not take this method",
}
CALLS = {2.0: "two requests", 3.0: "three requests", 4.0: "four requests"}


def others_than_2xx(statuses: Mapping[str, int]) -> Counter[str]:
    """Answers that are not what was asked for, by status; no answer at all is none of them."""
    return Counter({code: count for code, count in statuses.items() if code != NO_ANSWER and code[:1] != "2"})


def refused_ratio(windows: Sequence[Window]) -> float:
    """Share of the scheduled requests that got such an answer."""
    scheduled = sum(window.load.scheduled for window in windows if window.load)
    refused = sum(others_than_2xx(window.load.surprises).total() for window in windows if window.load)
    return refused / scheduled if scheduled else 0.0


def refused_before_the_app(evidence: Evidence) -> Cause | None:
    """k6 got this answer, and the app gave none like it: the server or nginx did not let the request in."""
    status, count = _commonest(evidence)
    setting = _setting(evidence)
    if setting and not count:
        status, count = NO_ANSWER, evidence.statuses[NO_ANSWER]
    share = evidence.share(count)
    if share < evidence.tolerated or not _is_from_before_the_app(evidence, status, count):
        return None
    if status in OVERLOAD and not setting and _has_better_reason(evidence):
        return None
    answer = "closed without an answer" if status == NO_ANSWER else f"HTTP {status}"
    sentence = f"refused before the app{_on(share)}: {answer} by {_who(evidence, status, setting)}"
    return Cause(Kind.ANSWER, f"{sentence}{_odd_one_out(evidence, status)}")


def cut_off_on_the_way(evidence: Evidence) -> Cause | None:
    """The app answered, and the client did not get all of it: not late, but closed by whoever is in between.

    uWSGI closes a connection with what it has not read of a request; nginx, or the client, then loses the answer.
    """
    lost, late = evidence.statuses[NO_ANSWER], sum(load.unanswered + load.dropped for load in evidence.loads)
    share, app = evidence.share(lost), evidence.app_statuses
    died = any(inside.worker_ends for inside in evidence.insides) or any(usage.oom_kills for usage in evidence.usages)
    if share < evidence.tolerated or late > HARDLY * lost or app is None or died:
        return None
    sent = sum(load.total_sent for load in evidence.loads)
    if sum(count for status, count in app.items() if status[:1] == "2") < (1 - HARDLY) * sent:
        return None
    between = f"{evidence.server.via} or {evidence.program}" if evidence.server.via else evidence.program
    cut = f"answered by the app, and cut off on the way{_on(share)} by {between}{_odd_one_out(evidence, NO_ANSWER)}"
    return Cause(Kind.ANSWER, f"{cut}: does the app leave uploads unread?")


def answered_by_the_app(evidence: Evidence) -> Cause | None:
    """The app itself answered with something other than 2xx."""
    status, count = _commonest(evidence)
    share = evidence.share(count)
    if share < evidence.tolerated or _is_from_before_the_app(evidence, status, count):
        return None
    if status == "500" and _comes_of_kills(evidence):
        return None
    if status in OVERLOAD and evidence.app_statuses is None and _has_better_reason(evidence):
        return None
    if share < MOSTLY * _silent(evidence):
        return None
    odd = _odd_one_out(evidence, status)
    return Cause(Kind.ANSWER, f"{_said(evidence, status)}{_on(share)}{odd}", of_app=not odd)


def not_as_expected(evidence: Evidence) -> Cause | None:
    """Answers with 2xx that were none of those which lab.toml calls good."""
    odd = sum(
        sum(count for status, count in load.statuses.items() if status[:1] == "2")
        - (load.ok - sum(load.expected.values()))
        - load.wrong_server
        for load in evidence.loads
    )
    share = evidence.share(odd)
    if share < evidence.tolerated:
        return None
    by_text = 2 * sum(load.unexpected_text for load in evidence.loads) >= odd
    what = "without the text" if by_text else "with a status other than the one"
    return Cause(Kind.ANSWER, f"answers {what} that lab.toml expects{_on(share)}", of_app=True)


def app_calls_itself(evidence: Evidence) -> Cause | None:
    """The app counted more requests than k6 sent, and nobody else was there."""
    most = max(map(calls_each, evidence.windows), default=1.0)
    if most == 1:
        return None
    many = CALLS.get(most, f"{most:.3g} requests")
    return Cause(Kind.ANSWER, f"the app counted {many} for each that k6 sent: does it call itself?", explains=False)


def _commonest(evidence: Evidence) -> tuple[str, int]:
    return max(others_than_2xx(evidence.statuses).items(), key=lambda item: item[1], default=("", 0))


def _is_from_before_the_app(evidence: Evidence, status: str, count: int) -> bool:
    app = evidence.app_statuses
    if app is not None:
        # k6 counts the rarer codes by their class.
        same = sum(n for code, n in app.items() if code == status or (status.endswith("xx") and code[0] == status[0]))
        return same < HARDLY * count
    answered = sum(load.total_requests for load in evidence.loads)
    return sum(usage.requests for usage in evidence.usages) < HARDLY * answered and bool(evidence.usages)


def _comes_of_kills(evidence: Evidence) -> bool:
    """Whether the server ended workers while they served: gunicorn raises SystemExit there, and answers it with 500."""
    kills = sum(inside.worker_ends.get(why, 0) for inside in evidence.insides for why in KILLS)
    return kills >= MOSTLY * (evidence.app_statuses or Counter())["500"] and kills > 0


def _has_better_reason(evidence: Evidence) -> bool:
    """Whether something else made nobody be free: a full queue, requests that were never answered, dead workers."""
    overflows = sum(usage.listen_overflows for usage in evidence.usages)
    too_many = evidence.slots.count is not None and evidence.alone_ms is not None
    full = too_many and evidence.rate_rps * (evidence.alone_ms or 0) / 1000 >= 0.9 * (evidence.slots.count or 0)
    ended = any(inside.worker_ends for inside in evidence.insides)
    return bool(full or overflows or ended or _silent(evidence) >= evidence.tolerated)


def _silent(evidence: Evidence) -> float:
    """The share of requests that got no answer."""
    late = sum(load.unanswered + load.dropped for load in evidence.loads)
    return evidence.share(evidence.statuses[NO_ANSWER] + late)


def _setting(evidence: Evidence) -> str:
    """The setting that turned requests away: by the server's log, its answer, or arithmetic; empty where none tells."""
    logged = added([inside.refusals for inside in evidence.insides]).most_common(1)
    if logged:
        return logged[0][0]
    answered = next((load.refused_by for load in evidence.loads if load.refused_by), "")
    if answered:
        return answered
    setting, most = LINE_LIMITS.get(evidence.program, ("", 0))
    path = next((window.plan.workload for window in evidence.windows), "")
    return setting if setting and len(f"GET {path} HTTP/1.1") > most else ""


def _who(evidence: Evidence, status: str, setting: str) -> str:
    """`gunicorn (limit_request_line)`, `nginx: uWSGI closed (buffer-size)`."""
    proxy, program = evidence.server.via, evidence.program
    if setting == NGINX_HEADERS and proxy:
        return f"{proxy} ({setting})"
    if setting:
        return f"{proxy}: {program} closed ({setting})" if proxy and setting == CLOSED else f"{program} ({setting})"
    if proxy and status in OF_NGINX:
        reason = OF_NGINX[status].format(program=program)
        return f"{proxy}: {reason}" if status in OVERLOAD else f"{proxy} ({reason})"
    return f"{proxy} or {program}" if proxy else program


def _said(evidence: Evidence, status: str) -> str:
    """`HTTP 302 to /login: …`, `HTTP 500 from the app`."""
    asked = next((load for load in evidence.loads if load.host), None)
    target = asked.redirect_to if asked else ""
    if status[:1] == "3":
        where = f" to {target}" if target else ""
        if any(load.by_request for load in evidence.loads):
            return f"HTTP {status}{where}: a redirect is followed only with follow_redirects in lab.toml"
        return f"HTTP {status}{where}: a redirect is not followed, so name the path that it leads to"
    if status == "400" and asked and asked.blames_host:
        return f"HTTP 400: the app does not serve this host (Host: {asked.host})"
    from_app = " from the app" if evidence.app_statuses is not None else ""
    advice = ADVICE.get(status, "")
    if "{host}" in advice and not asked:
        advice = "does it take this request?"
    return f"HTTP {status}{from_app}{f': {advice.format(host=asked.host if asked else str())}' if advice else ''}"


def _on(share: float) -> str:
    return "" if share >= ALL else f" on {words.percent(Interval(share))} of the requests"


def _odd_one_out(evidence: Evidence, status: str) -> str:
    """`, where the other 4 answered 200`: empty where any other server gave this answer too, or was not asked."""
    others = {
        server: answers
        for (rate, server), answers in evidence.context.statuses.items()
        if rate == evidence.rate_rps and server != evidence.server.name and any(answers.values())
    }
    if not others or any(answers.get(status, 0) >= HARDLY / 10 * sum(answers.values()) for answers in others.values()):
        return ""
    usual = {max(answers, key=lambda code: answers[code]) for answers in others.values()}
    if len(usual) != 1 or NO_ANSWER in usual:
        return ""
    who = next(iter(others)) if len(others) == 1 else f"the other {len(others)} servers"
    return f", where {who} answered {usual.pop()}"
