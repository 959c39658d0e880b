"""The lesson's claims, each held against what was measured: result, and the evidence in one sentence with numbers.

A claim holds or does not hold only where the windows of this run show it; otherwise it is inconclusive and says what
would tell. "High" and "low" latency mean: misses and keeps the SLO.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from wsgilab.analysis.claim_evidence import Evidence, one_slot_rps
from wsgilab.analysis.claim_servers import DEV, DEV_SINGLE, GUNICORN, UWSGI, UWSGI_SINGLE, lacking, pairs
from wsgilab.model import words
from wsgilab.model.metrics import METRICS
from wsgilab.model.outcomes import Difference, Finding, Rating
from wsgilab.model.verdict import Claim, Comparison, LoadRow, ServerRow

MOSTLY = 0.5
"""Share of a response time from which on a part of it counts as its cause."""
CPU_USED_UP = 0.8
"""CPU cores busy on answers alone, from which on one core leaves nothing for more parallelism."""
BETWEEN, UNTOLD = "neither the lowest nor the highest", "not told apart from all others"

SLOW = {
    Rating.GOOD: Finding.DOES_NOT_HOLD,
    Rating.BAD: Finding.HOLDS,
    Rating.INCONCLUSIVE: Finding.INCONCLUSIVE,
}
"""What a rating says about a claim that the server is slow."""

Answer = tuple[Finding, str]
"""What was found, and the evidence."""


def judge(rows: Sequence[ServerRow], comparisons: Sequence[Comparison], workload: str) -> tuple[Claim, ...]:
    """Every claim of the lesson with what this run says about it."""
    evidence = Evidence({row.server: row for row in rows}, comparisons, workload)
    findings = {
        ("built-in-single-threaded", "Flask's built-in server is single-threaded."): one_thread,
        ("built-in-blocks", "Flask's built-in server blocks under concurrent load."): built_in_blocks,
        ("gunicorn-parallel", "Gunicorn with several workers handles requests in parallel."): gunicorn_parallel,
        ("gunicorn-moderate", "Gunicorn's use of CPU and memory is moderate."): gunicorn_moderate,
        ("uwsgi-single-slow", "uWSGI with one process and one thread has high latency under load."): uwsgi_single_slow,
        (
            "uwsgi-several-fast",
            "uWSGI with several processes and threads has low latency and uses more resources.",
        ): uwsgi_several_fast,
        ("waiting-is-the-bottleneck", "A slow response spends its time waiting before the app."): waiting,
        ("wsgi-beats-built-in", "A WSGI server beats the built-in one."): wsgi_beats_built_in,
        ("tuning-pays", "Workers and threads should be tuned."): tuning_pays,
    }
    return tuple(
        Claim(key, text, *finding(evidence), needs=lacking(key, evidence.rows))
        for (key, text), finding in findings.items()
    )


def one_thread(evidence: Evidence) -> Answer:
    """Does flask run serve more than one thread could?"""
    load = _most_served(evidence.beyond_one_slot(DEV))
    if load is None:
        return _needs(evidence, DEV)
    limit = one_slot_rps(evidence.rows[DEV])
    sentence = f"flask run served {_served(load)}; one thread could serve about {limit:.0f} rps"
    result = _parallel(load, limit)
    if result == Finding.INCONCLUSIVE:
        return Finding.INCONCLUSIVE, f"{sentence}, but the CPU was used up, and more threads would not add any"
    if result == Finding.DOES_NOT_HOLD:
        return Finding.HOLDS, sentence
    single = _most_served(evidence.loads(DEV_SINGLE))
    only = f" ({DEV_SINGLE}, started with --without-threads: {_served(single)})" if single else ""
    return Finding.DOES_NOT_HOLD, f"{sentence}: it starts a thread per request, since Flask 1.0{only}"


def built_in_blocks(evidence: Evidence) -> Answer:
    """Does a request wait for the others?"""
    loads = evidence.beyond_one_slot(DEV)
    if not loads:
        return _needs(evidence, DEV)
    load = ([load for load in loads if load.rating == Rating.GOOD] or loads)[-1]
    single = [load for load in evidence.loads(DEV_SINGLE) if load.rating == Rating.BAD]
    only = f"; with one thread ({DEV_SINGLE}) it does: {_latency(single[0])}" if single else ""
    result = SLOW[load.rating]
    return result, f"flask run as it starts today: {_latency(load)}{only}"


def gunicorn_parallel(evidence: Evidence) -> Answer:
    """Do several workers serve more than one could, and by how much?"""
    load = _most_served(evidence.beyond_one_slot(GUNICORN))
    if load is None:
        return _needs(evidence, GUNICORN)
    row = evidence.rows[GUNICORN]
    limit = one_slot_rps(row)
    served = load["goodput_rps"]
    times = served.value / limit if served else 0.0
    one = f"{limit:.0f} rps that one worker could serve at {words.duration(row.service_ms)} per request"
    return _parallel(load, limit), f"{row.concurrency} workers served {_served(load)}: {times:.1f} times the {one}"


def gunicorn_moderate(evidence: Evidence) -> Answer:
    """Is it neither the cheapest nor the dearest, in CPU and memory, at the lowest rate of the run?"""
    loads = evidence.loads(GUNICORN)
    if not loads or len(evidence.rows) < 3:
        return Finding.INCONCLUSIVE, "needs gunicorn and two other servers measured in the same run"
    rate = loads[0].rate_rps
    ranks = [_rank(evidence, rate, metric) for metric in ("cpu_ms_per_request", "memory_mb")]
    cpu, memory = (f"{_full(loads[0], metric)}" for metric in ("cpu_ms_per_request", "memory_mb"))
    sentence = (
        f"of {len(evidence.rows)} servers at {words.rps(rate)}: CPU per request {cpu}, {ranks[0]}; "
        f"memory {memory}, {ranks[1]}"
    )
    if UNTOLD in ranks:
        return Finding.INCONCLUSIVE, sentence
    return (Finding.HOLDS if ranks == [BETWEEN, BETWEEN] else Finding.DOES_NOT_HOLD), sentence


def uwsgi_single_slow(evidence: Evidence) -> Answer:
    """Does it miss the SLO where the same server with more slots keeps it?"""
    for single, several in evidence.shared(UWSGI_SINGLE, UWSGI):
        if single.rating == Rating.BAD and several.rating == Rating.GOOD:
            against = _full(several, "p99_ms")
            return Finding.HOLDS, f"{_latency(single)}, with several processes and threads {against}"
    loads = evidence.beyond_one_slot(UWSGI_SINGLE)
    if not loads:
        return _needs(evidence, UWSGI_SINGLE)
    result = SLOW[loads[-1].rating]
    return result, _latency(loads[-1])


def uwsgi_several_fast(evidence: Evidence) -> Answer:
    """Does it keep the SLO beyond what one slot could serve, and need more memory than with one slot?"""
    loads = evidence.beyond_one_slot(UWSGI)
    shared = evidence.shared(UWSGI, UWSGI_SINGLE)
    if not loads or not shared:
        return _needs(evidence, UWSGI if not loads else UWSGI_SINGLE)
    several, single = shared[0]
    less = evidence.less(UWSGI, UWSGI_SINGLE, several.rate_rps, "memory_mb")
    memory, cpu = (
        f"{_full(several, metric)} against {_full(single, metric)}" for metric in ("memory_mb", "cpu_ms_per_request")
    )
    sentence = f"{_latency(loads[-1])}; memory {memory} with one of each, CPU per request {cpu}"
    if loads[-1].rating == Rating.BAD or less == UWSGI:
        return Finding.DOES_NOT_HOLD, sentence
    shown = loads[-1].rating == Rating.GOOD and less == UWSGI_SINGLE
    return (Finding.HOLDS if shown else Finding.INCONCLUSIVE), sentence


def waiting(evidence: Evidence) -> Answer:
    """Where the SLO is missed, which share of the median response time was spent outside the app?"""
    slow = {name: [load for load in evidence.loads(name) if _is_slow(load)] for name in evidence.rows}
    first = [(name, loads[0], _queue_share(loads[0])) for name, loads in slow.items() if loads]
    shares = [(f"{name} {_share(share)} ({words.rps(load.rate_rps)})", share) for name, load, share in first if share]
    if not shares:
        return Finding.INCONCLUSIVE, "no server was slow at these rates: try a higher --rate"
    sentence = (
        f"share of the median response time spent before the app: {words.listed([phrase for phrase, _ in shares])}"
    )
    waits = [share >= MOSTLY for _, share in shares]
    if any(waits) and not all(waits):
        return Finding.INCONCLUSIVE, sentence
    return (Finding.HOLDS if all(waits) else Finding.DOES_NOT_HOLD), sentence


def wsgi_beats_built_in(evidence: Evidence) -> Answer:
    """Rate by rate: which of them keep the SLO, and which is lower at p99? Under another workload it may differ."""
    duels: dict[float, list[tuple[LoadRow, str, LoadRow]]] = defaultdict(list)
    for name in (GUNICORN, UWSGI):
        for dev, load in evidence.shared(DEV, name):
            if {dev.rating, load.rating} <= {Rating.GOOD, Rating.BAD}:
                duels[dev.rate_rps].append((dev, name, load))
    if not duels:
        return Finding.INCONCLUSIVE, f"needs {DEV} and {GUNICORN} or {UWSGI} at the same rate, each clearly good or bad"
    sentence = f"under {evidence.workload} {'; '.join(_duel(evidence, duels[rate]) for rate in sorted(duels))}"
    outcomes = {(dev.rating, load.rating) for met in duels.values() for dev, _, load in met}
    if (Rating.GOOD, Rating.BAD) in outcomes:
        return Finding.DOES_NOT_HOLD, sentence
    return (Finding.HOLDS if (Rating.BAD, Rating.GOOD) in outcomes else Finding.INCONCLUSIVE), sentence


def tuning_pays(evidence: Evidence) -> Answer:
    """Does the same server with more slots keep an SLO that it misses with fewer?"""
    gains = []
    for fewer, more in pairs(evidence.rows):
        shared = evidence.shared(fewer, more)
        gained = [(few, many) for few, many in shared if (few.rating, many.rating) == (Rating.BAD, Rating.GOOD)]
        for few, many in gained[:1]:
            gains.append(f"of {words.rps(few.rate_rps)} {fewer} served {_rps(few)} and {more} {_rps(many)}")
    if not gains:
        return Finding.INCONCLUSIVE, "no server in this run was bad with few slots and good with more"
    return Finding.HOLDS, f"{words.listed(gains)}; which setting suits the app best was not searched in this run"


def _needs(evidence: Evidence, server: str) -> Answer:
    row = evidence.rows.get(server)
    if row is None or not evidence.loads(server):
        return Finding.INCONCLUSIVE, f"{server} was not measured in this run"
    if row.service_ms is None:
        return Finding.INCONCLUSIVE, f"the time {server} spends in the app could not be measured"
    limit = one_slot_rps(row)
    enough = f"no more than one slot can serve (about {limit:.0f} rps)"
    return Finding.INCONCLUSIVE, f"{server} was offered {enough}: raise --rate"


def _most_served(loads: Sequence[LoadRow]) -> LoadRow | None:
    return max(loads, key=lambda load: load["goodput_rps"].value if load["goodput_rps"] else 0.0, default=None)


def _parallel(load: LoadRow, limit: float) -> Finding:
    """Was more served than one slot can? Inconclusive where the CPU, shared by all slots, was used up first."""
    served, cpu = load["goodput_rps"], load["cpu_ms_per_request"]
    if served is None:
        return Finding.INCONCLUSIVE
    if (served.value if served.low is None else served.low) > limit:
        return Finding.HOLDS
    busy = cpu.value * served.value / 1000 if cpu else 0.0
    return Finding.INCONCLUSIVE if busy >= CPU_USED_UP else Finding.DOES_NOT_HOLD


def _rank(evidence: Evidence, rate_rps: float, metric: str) -> str:
    """Where gunicorn stands among the servers of this rate, by the paired comparisons."""
    others = [name for name, row in evidence.rows.items() if name != GUNICORN and row.at(rate_rps)]
    less = [evidence.less(GUNICORN, other, rate_rps, metric) for other in others]
    cheaper, dearer = sum(name not in (None, GUNICORN) for name in less), less.count(GUNICORN)
    if cheaper and dearer:
        return BETWEEN
    if None in less or not less:
        return UNTOLD
    return "the highest" if cheaper else "the lowest"


def _is_slow(load: LoadRow) -> bool:
    """Missed the SLO by time. Where most answers are errors, the median is cut off by them, whatever they took."""
    return load.rating == Rating.BAD and load.refused_ratio < MOSTLY


def _queue_share(load: LoadRow) -> float | None:
    """1 - time in the app ÷ median response time; a lower bound where the median was cut off."""
    median, service = load["p50_ms"], load["service_ms"]
    return max(0.0, 1 - service.value / median.value) if median and service else None


def _duel(evidence: Evidence, met: Sequence[tuple[LoadRow, str, LoadRow]]) -> str:
    dev = met[0][0]
    others = []
    for _, name, load in met:
        less = evidence.less(DEV, name, dev.rate_rps, "p99_ms")
        others.append(f"{name} {load.rating} (p99: {f'{less} lower' if less else Difference.NOT_SHOWN})")
    return f"at {words.rps(dev.rate_rps)} {DEV} is {dev.rating}, {words.listed(others)}"


def _share(ratio: float) -> str:
    return f"{ratio * 100:.0f} %" if ratio < 0.99 else "over 99 %"


def _latency(load: LoadRow) -> str:
    return f"p99 {_full(load, 'p99_ms')} at {words.rps(load.rate_rps)}"


def _served(load: LoadRow) -> str:
    return f"{_rps(load)} of {load.rate_rps:g}"


def _rps(load: LoadRow) -> str:
    return METRICS["goodput_rps"].text(load["goodput_rps"])


def _full(load: LoadRow, metric: str) -> str:
    return METRICS[metric].full(load[metric])
