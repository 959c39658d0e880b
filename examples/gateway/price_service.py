"""The slow service behind the gateway: prices of made-up symbols, 80 ms each, and one answer in twenty in 400 ms.

    python3 price_service.py --port 9700 [--host 127.0.0.1]

Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USUAL_S, SLOW_S, ONE_IN = 0.080, 0.400, 20
SYMBOL = re.compile(r"/prices/([A-Z]{1,6})")


class Prices(BaseHTTPRequestHandler):
    """Answers one connection, in a thread of its own."""

    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True  # header and body are two writes: the second would wait for an acknowledgement
    count = itertools.count(1)

    def do_GET(self) -> None:
        """A price, after a while; or, at once, that the service is there."""
        found = SYMBOL.fullmatch(self.path)
        if found:
            time.sleep(USUAL_S if next(self.count) % ONE_IN else SLOW_S)
            self._answer(200, {"symbol": found[1], "cents": cents(found[1])})
        else:
            self._answer(200 if self.path == "/health" else 404, {})

    def log_message(self, *_: object) -> None:
        """Say nothing: a line for each request is of no use here."""

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        with contextlib.suppress(ConnectionError):  # whoever asked may have given up
            self.end_headers()
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Holds many slow answers at once."""

    request_queue_size = 512
    daemon_threads = True


def cents(symbol: str) -> int:
    """The price of a symbol: always the same, so that every server under test is told the same."""
    return 100 + sum(ord(letter) * 37**place for place, letter in enumerate(symbol)) % 99_900


def main() -> None:
    """Serve until the end of the process."""
    parser = argparse.ArgumentParser(description="Prices, slowly.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9700)
    options = parser.parse_args()
    Server((options.host, options.port), Prices).serve_forever()


if __name__ == "__main__":
    main()
