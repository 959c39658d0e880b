"""Interest that loans cost, as a report that is computed while it is sent.

GET /report.csv?loans=200     a line for each loan
GET /loans/7                  one loan, month by month, as JSON
"""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response, abort, jsonify, request

from loans import MOST_LOANS, Loan, portfolio

app = Flask(__name__)
HEADER = "number,amount,rate_percent,months,monthly,interest\n"
LINES_AT_ONCE = 20
"""Sent together: a line alone would be a packet, and the whole report would be memory."""


@app.get("/report.csv")
def report() -> Response:
    """The report, in pieces: the first lines are on their way while the last ones are computed."""
    count = request.args.get("loans", 200, int)
    if not 1 <= count <= MOST_LOANS:
        abort(400, f"The number of loans is between 1 and {MOST_LOANS}.")
    return Response(_pieces(count), mimetype="text/csv")


@app.get("/loans/<int:number>")
def loan(number: int) -> Response:
    """What is still owed after each month."""
    if not 1 <= number <= MOST_LOANS:
        abort(404)
    found = Loan.numbered(number)
    return jsonify(number=number, monthly=str(found.monthly), owed=[str(rest) for _, rest in found.schedule()])


@app.get("/health")
def health() -> str:
    """Whether the app is there."""
    return "fine"


def _pieces(count: int) -> Iterator[str]:
    piece = HEADER
    for number, found in enumerate(portfolio(count), 1):
        fields = (number, found.amount, found.rate_percent, found.months, found.monthly, found.interest)
        piece += ",".join(map(str, fields)) + "\n"
        if number % LINES_AT_ONCE == 0:
            yield piece
            piece = ""
    if piece:
        yield piece
