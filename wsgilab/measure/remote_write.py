"""Samples in Prometheus's own push format, which its receiver takes from k6 already.

https://prometheus.io/docs/specs/prw/remote_write_spec/ (1.0): a protobuf message of four fields, compressed with
Snappy. Both are written out here, a few lines each, instead of two libraries for one request a second.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wsgilab.machine import http

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""The value that ends a series: a NaN which Prometheus knows by its bits."""
LONGEST_LITERAL = 65_536
WRITE_TIMEOUT_S = 2.0
MOST_OF_A_REASON = 300


@dataclass(frozen=True)
class Series:
    """One value of one series."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def write(prometheus_url: str, series: Sequence[Series], at_s: float) -> None:
    """Push these values as of `at_s` (epoch seconds). Raises NoAnswer where they are not taken, with the reason."""
    url = f"{prometheus_url.rstrip('/')}/api/v1/write"
    message = snappy(encode(series, round(at_s * 1000)))
    answer = http.ask(url, data=message, headers=HEADERS, timeout_s=WRITE_TIMEOUT_S)
    if not answer.ok:
        raise http.NoAnswer(f"HTTP {answer.status}, {answer.text[:MOST_OF_A_REASON].strip()}")


def encode(series: Sequence[Series], at_ms: int) -> bytes:
    """A WriteRequest: its field 1 is a TimeSeries, of labels (1: name 1, value 2) and samples (2: value 1, time 2)."""
    message = b""
    for one in series:
        pairs = sorted({**one.labels, "__name__": one.name}.items())  # the receiver wants them sorted
        labels = b"".join(_bytes(1, _bytes(1, key.encode()) + _bytes(2, text.encode())) for key, text in pairs)
        sample = b"\x09" + struct.pack("<d", one.value) + b"\x10" + _varint(at_ms)
        message += _bytes(1, labels + _bytes(2, sample))
    return message


def snappy(data: bytes) -> bytes:
    """Snappy's block format, of literals alone: valid, and no larger than a few bytes more than `data`.

    https://github.com/google/snappy/blob/main/format_description.txt
    """
    pieces = [data[start : start + LONGEST_LITERAL] for start in range(0, len(data), LONGEST_LITERAL)]
    # 61 in the upper six bits: the length less one follows in two bytes.
    return _varint(len(data)) + b"".join(b"\xf4" + struct.pack("<H", len(piece) - 1) + piece for piece in pieces)


def _bytes(number: int, content: bytes) -> bytes:
    """A protobuf field that holds bytes, a text or another message."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
