"""Waits for a server: until it can be read, until it has answered everything, until it has done with starting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wsgilab.engines import Engine
from wsgilab.machine.waiting import Stop, poll_until
from wsgilab.measure.readings import Reading, take_reading
from wsgilab.model.server import Server

EXPORTER_PATIENCE_S = 5.0
"""An exporter shares its server's CPU; one late answer is no death."""
SETTLE_EVERY_S = 0.2
SETTLE_TIMEOUT_S = 3.0
"""An app may use CPU for ever, in threads of its own. It is measured all the same."""
IDLE_SHARE = 0.15
"""A share of one CPU. A server that uses less has started: importing an app takes all that it can get."""
LEAST_ALONE_S, MOST_ALONE_S = 1.0, 5.0

Sampler = Callable[[], Reading | None]


def sampler(server: Server, engine: Engine) -> Sampler:
    """Takes a reading of the server each time it is called; None where an exporter does not answer."""
    at = engine.endpoint(server)
    return lambda: take_reading(at.exporter_url, at.proxy_exporter_url, at.run_id, at.ahead_s)


def patiently(sample: Sampler, server: Server, engine: Engine, stop: Stop) -> Reading | None:
    """A reading, asked for until there is one; None when server or proxy is dead, or an exporter stays silent."""
    readings: list[Reading | None] = []

    def answered() -> bool:
        readings.append(sample())
        return bool(readings[-1] or engine.death(server) or engine.proxy_death(server))

    poll_until(answered, stop, EXPORTER_PATIENCE_S, every_s=0.1)
    return readings[-1]


def drain(sample: Sampler, stop: Stop, timeout_s: float) -> tuple[Reading | None, bool]:
    """Wait until nothing is in flight or queued and no request was counted since the reading before.

    Gives the last reading (None where the exporter is gone) and whether it got that far within `timeout_s`.
    """
    readings = [sample()]

    def quiet() -> bool:
        readings.append(sample())
        return readings[-1] is None or _is_quiet(*readings[-2:])

    ended = poll_until(quiet, stop, timeout_s, every_s=0.1)
    return readings[-1], ended and readings[-1] is not None


def asked_alone_rps(sample: Sampler, stop: Stop, expected_rps: float) -> float | None:
    """Requests per second that a server counts while the lab asks for none; None where its exporter does not answer.

    It is watched for as long as somebody at the expected rate would take for five.
    """
    before = sample()
    stop.wait(min(MOST_ALONE_S, max(LEAST_ALONE_S, 5 / expected_rps)))
    after = sample()
    if before is None or after is None or after.at <= before.at:
        return None
    return (after.requests - before.requests) / (after.at - before.at)


def settle(servers: Sequence[Server], engine: Engine, stop: Stop) -> None:
    """Wait until these servers, which have just started, use no CPU any more.

    A server is healthy with its first worker. Where the others still import the app, they would take the CPU from the
    next window, whichever server has it.
    """
    samplers = [sampler(server, engine) for server in servers]
    readings = [[sample() for sample in samplers]]

    def settled() -> bool:
        readings.append([sample() for sample in samplers])
        then, now = readings[-2:]
        pairs = [(before, after) for before, after in zip(then, now, strict=True) if before and after]
        used_s = sum(after.cpu_s - before.cpu_s for before, after in pairs)
        passed_s = max((after.at - before.at for before, after in pairs), default=0.0)
        return len(pairs) == len(servers) and used_s <= IDLE_SHARE * passed_s

    stop.wait(SETTLE_EVERY_S)
    poll_until(settled, stop, SETTLE_TIMEOUT_S, every_s=SETTLE_EVERY_S)


def _is_quiet(previous: Reading | None, latest: Reading | None) -> bool:
    if previous is None or latest is None:
        return False
    return latest.in_flight <= 0 and latest.listen_queue <= 0 and previous.requests == latest.requests
