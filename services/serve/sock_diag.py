"""Accept queues from the kernel's sock_diag(7), which is where `ss -l` has them from.

Only listening sockets are walked. /proc/net/tcp walks every connection of the machine, several milliseconds on one
with much memory, and nothing under /proc tells the queue of a unix socket.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h, linux/unix_diag.h, net/tcp_states.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_LISTENING = 1 << 10
_UDIAG_SHOW_RQLEN, _UNIX_DIAG_RQLEN = 0x10, 4
_HEADER = struct.Struct("=IHHII")
_TIMEOUT_S = 0.2


def accept_queues() -> dict[int, int]:
    """Connections waiting, by inode of the listening socket, of this process's network namespace.

    Raises OSError where the kernel or a sandbox does not offer it.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(_TIMEOUT_S)
        queues: dict[int, int] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            # struct inet_diag_req_v2: family, protocol, extensions, pad, states, an address that may stay empty
            for answer in _dump(netlink, struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, 0, 0, _LISTENING)):
                # struct inet_diag_msg: 56 bytes of addresses and timers, then these four
                length, _, _, inode = struct.unpack_from("=IIII", answer, 56)
                queues[inode] = length
        # struct unix_diag_req: family, protocol, pad, states, inode, what to show, cookie
        for answer in _dump(
            netlink, struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, _LISTENING, 0, _UDIAG_SHOW_RQLEN, 0, 0)
        ):
            # struct unix_diag_msg: family, type, state, pad, inode, cookie; then attributes
            (inode,) = struct.unpack_from("=I", answer, 4)
            queues[inode] = _unix_queue(answer[16:])
    return queues


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
