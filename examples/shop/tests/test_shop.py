"""From the catalogue to an order."""

from __future__ import annotations

import os
import re
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from shop import create_app


class Shopping(unittest.TestCase):
    """A shop with a database of its own: in a file, or the one that SHOP_TEST_DATABASE_URL names."""

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        url = os.environ.get("SHOP_TEST_DATABASE_URL") or f"sqlite:///{Path(folder) / 'shop.db'}"
        cls.enterClassContext(patch.dict(os.environ, SHOP_SECRET_KEY="for a test", SHOP_DATABASE_URL=url))
        cls.app = create_app()
        cls.addClassCleanup(cls.app.extensions["engine"].dispose)
        cls.run_command("seed")

    @classmethod
    def run_command(cls, name: str) -> None:
        done = cls.app.test_cli_runner().invoke(args=[name])
        assert done.exception is None, done.output

    def setUp(self) -> None:
        self.run_command("reset")
        self.client = self.app.test_client()

    def token(self, page: str) -> str:
        """The CSRF token in a page."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get(page).text)
        assert found
        return found[1]

    def post(self, path: str, page: str, **form: object) -> int:
        """The status of the answer to a form on a page."""
        return self.client.post(path, data={**form, "csrf_token": self.token(page)}).status_code

    def log_in(self, password: str = "of customer 1") -> int:
        return self.post("/login", "/login", email="customer1@shop.example", password=password)

    def test_everybody_sees_the_catalogue(self) -> None:
        self.assertIn("60 items", self.client.get("/?page=5").text)
        self.assertIn("Red", self.client.get("/items/1").text)
        self.assertEqual(self.client.get("/items/61").status_code, 404)
        self.assertIn("0 items", self.client.get("/?q=%25").text)

    def test_only_customers_have_a_basket(self) -> None:
        self.assertEqual(self.client.get("/basket").headers["Location"], "/login")
        self.assertEqual(self.log_in("a guess"), 403)
        self.assertEqual(self.log_in(), 303)
        self.assertEqual(self.client.get("/basket").status_code, 200)

    def test_a_form_without_the_token_is_refused(self) -> None:
        self.log_in()
        self.assertEqual(self.client.post("/basket", data={"item": 1}).status_code, 400)

    def test_what_is_bought_is_an_order_and_the_basket_is_empty(self) -> None:
        self.log_in()
        for _ in range(2):
            self.assertEqual(self.post("/basket", "/items/7", item=7, quantity=2), 303)
        self.assertEqual(self.post("/basket", "/items/7", item=7, quantity=100), 400)
        self.assertIn("4 ×", self.client.get("/basket").text)
        self.assertEqual(self.post("/checkout", "/basket"), 303)
        self.assertNotIn("4 ×", self.client.get("/basket").text)
        place = re.search(r"/orders/\d+", self.client.get("/orders").text)
        assert place
        self.assertIn("4 ×", self.client.get(place[0]).text)
        self.post("/logout", "/basket")
        self.post("/login", "/login", email="customer2@shop.example", password="of customer 2")
        self.assertEqual(self.client.get(place[0]).status_code, 404, "it is the order of somebody else")


if __name__ == "__main__":
    unittest.main()
