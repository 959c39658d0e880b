"""The arithmetic, and the stream."""

from __future__ import annotations

import csv
import unittest
from decimal import Decimal

from app import LINES_AT_ONCE, app
from loans import Loan


class Loans(unittest.TestCase):
    """Known figures."""

    def test_the_payment_of_a_month_is_the_annuity(self) -> None:
        self.assertEqual(Loan(Decimal(100_000), Decimal(6), 360).monthly, Decimal("599.55"))

    def test_nothing_is_owed_in_the_end(self) -> None:
        loan = Loan(Decimal(10_000), Decimal("3.5"), 24)
        *_, (_, owed) = loan.schedule()
        self.assertEqual(owed, 0)
        self.assertAlmostEqual(loan.interest, loan.monthly * 24 - loan.amount, delta=Decimal("0.25"))


class Reports(unittest.TestCase):
    """What is answered."""

    def test_a_report_comes_in_pieces_and_has_a_line_for_each_loan(self) -> None:
        answer = app.test_client().get("/report.csv?loans=50")
        pieces = [piece.decode() for piece in answer.iter_encoded()]
        self.assertEqual(len(pieces), 50 // LINES_AT_ONCE + 1)
        rows = list(csv.DictReader("".join(pieces).splitlines()))
        self.assertEqual([row["number"] for row in rows], [str(number) for number in range(1, 51)])
        self.assertEqual(rows[0]["interest"], str(Loan.numbered(1).interest))

    def test_what_cannot_be_is_refused(self) -> None:
        client = app.test_client()
        self.assertEqual(client.get("/report.csv?loans=0").status_code, 400)
        self.assertEqual(client.get("/loans/2001").status_code, 404)
        self.assertEqual(len(client.get("/loans/1").json["owed"]), Loan.numbered(1).months)


if __name__ == "__main__":
    unittest.main()
