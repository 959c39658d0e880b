"""The service level objective, and its grammar.

    p99<250ms        p95<100ms and failed<0.5%        p99.9 < 1.5s        p99<250ms; checkout: p95<100ms

A percentile counts every scheduled request, failed ones as slower than the timeout; so `p99<250ms` also says that no
more than 1 % may fail. What stands after `NAME:` is asked of the requests of that name, besides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from wsgilab.errors import UsageError
from wsgilab.model.metrics import TABLE

FIGURE_OF = {metric.bound_as: metric.key for metric in TABLE if metric.bound_as}
"""Where a verdict keeps the figure that a term speaks of."""

EXAMPLE = "./lab run --slo 'p99<250ms and failed<1%'"
SCALES = {"ms": 1.0, "s": 1000.0, "%": 0.01}
NUMBER = r"[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?"  # with an exponent, because that is how a large bound is printed
TERM = re.compile(rf"(?P<metric>[a-z][a-z0-9.]*)\s*<\s*(?P<value>{NUMBER})\s*(?P<unit>[a-z%]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Slo:
    """A service level objective: every term must hold."""

    terms: tuple[tuple[str, float], ...] = field(default=(("p99", 250.0),))
    """(metric, bound): `p50`..`p99.9` in ms, `failed` as a ratio."""
    by_request: Mapping[str, Slo] = field(default_factory=dict, hash=False)
    """What the requests of a name must keep as well."""

    def __str__(self) -> str:
        own = " and ".join(
            f"{metric}<{bound * 100:g}%" if metric == "failed" else f"{metric}<{bound:g}ms"
            for metric, bound in self.terms
        )
        return "; ".join([own, *(f"{name}: {slo}" for name, slo in self.by_request.items())])


def parse(text: str) -> Slo:
    """The objective that `text` states. Raises UsageError naming the part that cannot be read."""
    parts: dict[str, Slo] = {}
    for part in text.split(";"):
        name, _, terms = part.rpartition(":")
        found = Slo(_terms(terms))
        if (name := name.strip()) in parts:
            of = f"requests named {name!r}" if name else "all requests"
            raise _unreadable(f"The SLO {text!r} has two parts for {of}.", "join their terms by `and`")
        parts[name] = found
    return Slo(parts.pop("", Slo()).terms, parts)


def bound_text(metric: str, bound: float) -> str:
    """A bound with its unit: `250 ms`, `1 %`."""
    return f"{bound * 100:g} %" if metric == "failed" else f"{bound:g} ms"


def _terms(text: str) -> tuple[tuple[str, float], ...]:
    if not text.strip():
        raise _unreadable("The SLO is empty.", "an objective has at least one term")
    terms = tuple(_term(part.strip()) for part in re.split(r"\band\b", text, flags=re.IGNORECASE))
    metrics = [metric for metric, _ in terms]
    for metric in metrics:
        if metrics.count(metric) > 1:
            raise _unreadable(f"The SLO {text!r} bounds {metric} twice.", "each metric can have one bound")
    return terms


def _term(text: str) -> tuple[str, float]:
    match = TERM.fullmatch(text)
    if not match:
        raise _unreadable(f"Cannot read {text!r} in the SLO.", "a term is METRIC<VALUE with a unit, joined by `and`")
    metric, unit = match["metric"].lower(), match["unit"].lower()
    if metric not in FIGURE_OF:
        known = ", ".join(FIGURE_OF)
        raise _unreadable(f"Unknown metric {metric!r} in the SLO.", f"it can bound {known}")
    wanted = ("%",) if metric == "failed" else ("ms", "s")
    if unit not in wanted:
        said = f"not {unit!r}" if unit else "and none was given"
        raise _unreadable(f"Wrong unit in {text!r}.", f"{metric} is bounded in {' or '.join(wanted)}, {said}")
    bound = float(match["value"]) * SCALES[unit]
    if bound <= 0 or not math.isfinite(bound) or (metric == "failed" and bound > 1):
        raise _unreadable(
            f"The bound in {text!r} cannot be met or missed.", "it is zero, endless, or more than all requests"
        )
    return metric, bound


def _unreadable(what: str, cause: str) -> UsageError:
    return UsageError(what, cause, EXAMPLE)
