"""What the gateway answers."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, jsonify
from werkzeug.wrappers import Response

from gateway.upstream import TooSlow, Unavailable

blueprint = Blueprint("quotes", __name__)


@blueprint.get("/quotes/<symbol>")
def quote(symbol: str) -> Response:
    """The price of one symbol: one question to the service."""
    return jsonify(_price(symbol))


@blueprint.get("/compare/<one>/<other>")
def compare(one: str, other: str) -> Response:
    """Two prices, asked for one after the other, and what they differ by."""
    first, second = _price(one), _price(other)
    return jsonify({"quotes": [first, second], "difference": first["cents"] - second["cents"]})


@blueprint.get("/health")
def health() -> str:
    """Whether the gateway itself is there. It does not ask the service: a slow one is no reason to restart this."""
    return "fine"


@blueprint.errorhandler(TooSlow)
def too_slow(_error: TooSlow) -> tuple[Response, int]:
    """504: the service took longer than we wait."""
    return jsonify(error="the price service did not answer in time"), 504


@blueprint.errorhandler(Unavailable)
def unavailable(_error: Unavailable) -> tuple[Response, int]:
    """502: there is no service, or it answers with an error."""
    return jsonify(error="the price service cannot be reached"), 502


def _price(symbol: str) -> dict[str, object]:
    return current_app.extensions["upstream"].price(symbol) or abort(404)
