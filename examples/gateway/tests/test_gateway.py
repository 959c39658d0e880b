"""The gateway in front of the real service, and of one that is not there."""

from __future__ import annotations

import os
import threading
import unittest
from unittest.mock import patch

from flask.testing import FlaskClient

from gateway import create_app
from price_service import Prices, Server, cents


class Quotes(unittest.TestCase):
    """A service in this process, on a port of its own."""

    def setUp(self) -> None:
        self.service = Server(("127.0.0.1", 0), Prices)
        thread = threading.Thread(target=self.service.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.service.server_close)
        self.addCleanup(self.service.shutdown)

    def client(self, **settings: str) -> FlaskClient:
        url = f"http://127.0.0.1:{self.service.server_address[1]}"
        with patch.dict(os.environ, {"UPSTREAM_URL": url, **settings}):
            return create_app().test_client()

    def test_a_quote_is_what_the_service_says(self) -> None:
        answer = self.client().get("/quotes/ACME")
        self.assertEqual(answer.json, {"symbol": "ACME", "cents": cents("ACME")})

    def test_two_are_compared(self) -> None:
        answer = self.client().get("/compare/ACME/HOOLI")
        self.assertEqual(answer.json["difference"], cents("ACME") - cents("HOOLI"))

    def test_what_the_service_does_not_know_is_not_found(self) -> None:
        self.assertEqual(self.client().get("/quotes/acme!").status_code, 404)

    def test_no_service_is_a_502_and_a_slow_one_a_504(self) -> None:
        self.assertEqual(self.client(UPSTREAM_TIMEOUT_S="0.01").get("/quotes/ACME").status_code, 504)
        self.assertEqual(self.client(UPSTREAM_URL="http://127.0.0.1:1").get("/quotes/ACME").status_code, 502)
        self.assertEqual(self.client(UPSTREAM_URL="http://127.0.0.1:1").get("/health").status_code, 200)


if __name__ == "__main__":
    unittest.main()
