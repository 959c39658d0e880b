"""Healthy means: the app answers, and not with a server error. Ends with 0 or 1, and says why on standard output.

healthcheck.py http://127.0.0.1:8000          over TCP
healthcheck.py http:/run/sockets/x.sock       HTTP over a unix socket
healthcheck.py uwsgi:/run/sockets/x.sock      the uwsgi protocol over a unix socket
"""

from __future__ import annotations

import os
import socket
import struct
import sys

TIMEOUT_S = 5.0


def main() -> int:
    """Ask once, and say what came back. The exit code."""
    target, path = sys.argv[1], os.environ.get("LAB_HEALTH_PATH", "/health")
    try:
        status = ask(target, path)
    except (OSError, ValueError) as error:
        print(f"{target}{path}: {error}")
        return 1
    print(f"{target}{path}: HTTP {status}")
    return 0 if status < 500 else 1


def ask(target: str, path: str) -> int:
    """The HTTP status that `target` answers to a GET of `path`. Raises OSError or ValueError where there is none."""
    protocol, _, address = target.partition(":")
    with connect(address) as connection:
        connection.sendall(uwsgi_request(path) if protocol == "uwsgi" else http_request(path))
        status_line = connection.makefile("rb").readline(200).split()
    if len(status_line) < 2:
        raise ValueError("no answer")
    return int(status_line[1])


def connect(address: str) -> socket.socket:
    """A connection to `//host:port` or to a unix socket's path."""
    if address.startswith("//"):
        host, _, port = address[2:].partition(":")
        return socket.create_connection((host, int(port)), TIMEOUT_S)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    connection.connect(address)
    return connection


def http_request(path: str) -> bytes:
    """A GET in HTTP, on a connection that ends with the answer."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def uwsgi_request(path: str) -> bytes:
    """A GET in the uwsgi protocol: a header with the length, then names and values, each behind its own length.

    Format: https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html
    """
    variables = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "REQUEST_URI": path,
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
    }
    body = b"".join(struct.pack("<H", len(text)) + text.encode() for pair in variables.items() for text in pair)
    return struct.pack("<BHB", 0, len(body), 0) + body


if __name__ == "__main__":
    sys.exit(main())
