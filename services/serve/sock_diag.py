"""Accept queues and connections from the kernel's sock_diag(7), which is where `ss` has them from.

/proc/net/tcp writes a line for every connection of the machine, several milliseconds on a busy one, and nothing under
/proc tells the queue of a unix socket. Here the kernel picks out what is asked for.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, linux/unix_diag.h, net/tcp_states.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_ESTABLISHED, _LISTENING = 1 << 1, 1 << 10
_UDIAG_SHOW_RQLEN, _UNIX_DIAG_RQLEN = 0x10, 4
_HEADER = struct.Struct("=IHHII")
_TIMEOUT_S = 0.2


@dataclass(frozen=True)
class Listener:
    """One listening socket."""

    waiting: int
    """Connections that nobody has accepted yet."""
    port: tuple[int, int] | None = None
    """Address family and port; None for a unix socket."""


def listeners() -> dict[int, Listener]:
    """All listening sockets of this process's network namespace, by inode.

    Raises OSError where the kernel or a sandbox does not offer it.
    """
    with _netlink() as netlink:
        found: dict[int, Listener] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            for answer in _dump(netlink, _inet_request(family, _LISTENING)):
                # struct inet_diag_msg: family, state, timer, retransmits, port, … 56 bytes; then these four
                (port,) = struct.unpack_from("!H", answer, 4)
                waiting, _, _, inode = struct.unpack_from("=IIII", answer, 56)
                found[inode] = Listener(waiting, (family, port))
        # struct unix_diag_req: family, protocol, pad, states, inode, what to show, cookie
        for answer in _dump(
            netlink, struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, _LISTENING, 0, _UDIAG_SHOW_RQLEN, 0, 0)
        ):
            # struct unix_diag_msg: family, type, state, pad, inode, cookie; then attributes
            (inode,) = struct.unpack_from("=I", answer, 4)
            found[inode] = Listener(_unix_queue(answer[16:]))
    return found


def connections(family: int, port: int) -> int:
    """Established connections whose own end is this port, those that wait to be accepted among them. Raises OSError."""
    with _netlink() as netlink:
        return sum(1 for _ in _dump(netlink, _inet_request(family, _ESTABLISHED, port)))


def _netlink() -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG)
    netlink.settimeout(_TIMEOUT_S)
    return netlink


def _inet_request(family: int, states: int, port: int = 0) -> bytes:
    # struct inet_diag_req_v2: family, protocol, extensions, pad, states, own port (0: any), the rest of both addresses
    head = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, states)
    return head + struct.pack("!H46x", port)


def _dump(netlink: socket.socket, request: bytes) -> Iterator[bytes]:
    """The messages that answer a request, without their headers."""
    header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST | _NLM_F_DUMP, 0, 0)
    netlink.send(header + request)
    while True:
        data = netlink.recv(65536)
        while data:
            length, kind, _, _, _ = _HEADER.unpack_from(data)
            payload, data = data[_HEADER.size : length], data[(length + 3) & ~3 :]
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR:
                (code,) = struct.unpack_from("=i", payload)
                raise OSError(-code, os.strerror(-code))
            yield payload


def _unix_queue(attributes: bytes) -> int:
    while len(attributes) >= 8:
        size, kind = struct.unpack_from("=HH", attributes)
        if kind == _UNIX_DIAG_RQLEN:
            return int(struct.unpack_from("=I", attributes, 4)[0])
        attributes = attributes[max(4, (size + 3) & ~3) :]
    raise OSError("unix_diag answered without the queue's length")
