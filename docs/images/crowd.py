"""Who else asks a server while its picture is taken: visitors who come back, or more than its listen queue holds."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator

from readings import NotTaken

LOOPBACK = "127.0.0.1"
PATIENCE_S = 30.0
TAKEN_S = 0.2
"""A connection that takes longer than this on loopback was not taken: the kernel will try again after a second."""
MOST_CONNECTIONS = 1_000


@contextlib.contextmanager
def visitors(port: int, path: str, count: int, pause_s: float) -> Iterator[None]:
    """So many visitors for as long as the block lasts: each asks, reads for a while, and asks again.

    The block begins when as many answers have come as there are visitors. Raises NotTaken where one got none.
    """
    gone, answered, lost = threading.Event(), threading.Semaphore(0), list[str]()

    def visit(number: int) -> None:
        gone.wait(pause_s * number / count)  # they do not all come at once
        while not gone.is_set():
            try:
                ask(port, path)
            except OSError as error:
                lost.append(f"a visitor of {path} got no answer: {error}")
                gone.set()
                answered.release(count)  # whoever waits for answers waits no longer
            answered.release()
            gone.wait(pause_s)

    threads = [threading.Thread(target=visit, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            if not answered.acquire(timeout=PATIENCE_S):
                lost.append(f"the {count} visitors of {path} were not answered within {PATIENCE_S:g} s")
                break
        if not lost:
            yield
    finally:
        gone.set()
        for thread in threads:
            thread.join()
    if lost:
        raise NotTaken(lost[0])


@contextlib.contextmanager
def full_queue(port: int, slow_path: str) -> Iterator[int]:
    """A server with one slot that works on `slow_path`, and as many connections behind that as the kernel takes.

    Gives their number. They are closed with the block. Raises NotTaken where there is no end to them.
    """
    with contextlib.ExitStack() as opened:
        first = opened.enter_context(socket.create_connection((LOOPBACK, port), timeout=PATIENCE_S))
        first.sendall(f"GET {slow_path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
        for taken in range(MOST_CONNECTIONS):
            try:
                waiting = opened.enter_context(socket.create_connection((LOOPBACK, port), timeout=TAKEN_S))
            except TimeoutError:
                yield taken
                return
            waiting.sendall(f"GET / HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
        raise NotTaken(f"the queue of port {port} took {MOST_CONNECTIONS} connections and is not full")


def ask(port: int, path: str) -> None:
    """One request on a connection of its own. Raises OSError where it is not answered with 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(repr(error)) from error
    finally:
        connection.close()
    if response.status != 200:
        raise ConnectionError(f"HTTP {response.status}")
