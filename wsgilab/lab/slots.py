"""Servers set to the same number of slots (`--slots 8`), so that servers are compared and not their defaults.

How a server gets there follows from its label `lab.slots` in compose.yaml, which names the settings whose product the
slots are: `${UWSGI_PROCESSES:-4} x ${UWSGI_THREADS:-2}`. Where that is another number now, a variant is measured in the
server's place: `uwsgi-16`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wsgilab.errors import UsageError
from wsgilab.lab import variants
from wsgilab.lab.servers import VARIABLE, Lab, read_services
from wsgilab.lab.variants import Variant
from wsgilab.model import words
from wsgilab.model.server import Server


@dataclass(frozen=True)
class Wanted:
    """What `--slots` asks for."""

    counts: tuple[int, ...]
    defaults: bool = False
    """Whether each server is measured as it is set, too."""


def equalise(lab: Lab, names: Sequence[str], wanted: Wanted) -> tuple[Lab, list[Server]]:
    """(the lab with the variants that this takes, the servers to measure) for these names.

    A server that cannot have so many slots is left out; one that has more and no setting stays; one with other slots
    that its settings make is a variant. The lab's remarks say so of each. Variants that were asked for stay as they
    are. Raises UsageError where nothing is left.
    """
    chosen: dict[str, None] = {}
    remarks: dict[str, None] = {}
    raw = read_services(lab.root)
    for server in lab.select(list(names)):
        counts = () if server.variant_of else wanted.counts
        as_it_is = wanted.defaults or not counts
        if as_it_is:
            chosen[server.name] = None
        for count in counts:
            settings = settings_for(raw[server.name]["labels"]["lab.slots"], count, lab.variables)
            found = server
            if settings and server.slots != count:
                lab = _with_variant(lab, Variant(f"{server.name}-{count}", server.name, settings), dressed=not as_it_is)
                found = lab.servers[f"{server.name}-{count}"]
            if settings or found.slots is None or found.slots >= count:
                chosen[found.name] = None
            if found.slots != count:
                remarks[_why_not(found, count, settable=bool(settings))] = None
    if not chosen:
        what = f"None of these servers can have {words.listed([str(count) for count in wanted.counts], 'or')} slots."
        raise UsageError(what, " ".join(remarks), "./lab run --slots 8 --servers gunicorn,uwsgi")
    return replace(lab, remarks=tuple(remarks)), lab.select(list(chosen))


def settings_for(label: str, count: int, variables: Mapping[str, str]) -> dict[str, str]:
    """The values with which a label `lab.slots` (its variables not filled in) makes so many slots, or nearly.

    Of several factors each but the last becomes the divisor nearest to what it is, as a ratio: of `4 x 2` eight are
    4 x 2, six are 3 x 2, seven are 7 x 1. Empty where there is nothing to set.
    """
    factors = [factor.strip() for factor in label.split(" x ")]
    own = [found for factor in factors if (found := VARIABLE.fullmatch(factor))]
    fixed = math.prod(int(factor) for factor in factors if factor.isdecimal())
    left, settings = max(1, round(count / fixed)), {}
    for number, factor in enumerate(own, 1):
        share = left if number == len(own) else _nearest_divisor(left, _usual(factor, variables))
        settings[factor["name"]] = str(share)
        left //= share
    return settings


def _usual(factor: re.Match[str], variables: Mapping[str, str]) -> int:
    return int(variables.get(factor["name"]) or factor["default"] or 1)


def _nearest_divisor(count: int, usual: int) -> int:
    """The divisor nearest to `usual`, the larger of two: processes share nothing that threads would wait for."""
    divisors = [number for number in range(1, count + 1) if count % number == 0]
    return min(divisors, key=lambda number: (abs(math.log(number / usual)), -number))


def _with_variant(lab: Lab, variant: Variant, *, dressed: bool) -> Lab:
    """The lab with that variant; `dressed` as the server that it stands in for."""
    lab = variants.add(lab, [variant])
    if not dressed:
        return lab
    base = lab.servers[variant.base]
    found = replace(lab.servers[variant.name], colour=base.colour, marker=base.marker)
    return replace(lab, servers={**lab.servers, variant.name: found})


def _why_not(server: Server, count: int, *, settable: bool) -> str:
    """Why a server has other slots than asked for."""
    if server.slots is None:
        return f"{server.name} has no limit to its slots, and no setting for one."
    has = f"{server.name} has {words.counted(server.slots, 'slot')}, not {count}"
    if settable:
        return f"{has}: its settings come no nearer."
    left_out = ": it is left out" if server.slots < count else ""
    return f"{has}, and no setting that changes them{left_out}."
