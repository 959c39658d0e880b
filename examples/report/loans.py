"""Loans that are paid back in equal monthly amounts, to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
MOST_LOANS = 2_000


@dataclass(frozen=True)
class Loan:
    """An amount at a yearly rate, for so many months."""

    amount: Decimal
    rate_percent: Decimal
    months: int

    @classmethod
    def numbered(cls, number: int) -> Loan:
        """A made-up loan, always the same for a number."""
        rate = Decimal(150 + number * 37 % 700) / 100
        return cls(Decimal(10_000 + number * 7_919 % 290_000), rate, 60 + 12 * (number % 26))

    @property
    def monthly(self) -> Decimal:
        """What is paid each month (annuity)."""
        rate = self.rate_percent / 1200
        return _cents(self.amount * rate / (1 - (1 + rate) ** -self.months))

    @property
    def interest(self) -> Decimal:
        """What the loan costs in all."""
        return sum((interest for interest, _ in self.schedule()), Decimal(0))

    def schedule(self) -> Iterator[tuple[Decimal, Decimal]]:
        """(interest of the month, what is owed after it), month by month; the last payment settles what is left."""
        owed, monthly, rate = self.amount, self.monthly, self.rate_percent / 1200
        for month in range(1, self.months + 1):
            interest = _cents(owed * rate)
            owed = Decimal(0) if month == self.months else owed + interest - monthly
            yield interest, owed


def portfolio(count: int) -> Iterator[Loan]:
    """The first so many loans."""
    return map(Loan.numbered, range(1, count + 1))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)
