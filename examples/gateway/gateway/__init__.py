"""A gateway in front of a slow service: it waits for prices, and puts them together.

UPSTREAM_URL is where the service answers, UPSTREAM_TIMEOUT_S (2) how long the gateway waits for one answer of it.
"""

from __future__ import annotations

import os

from flask import Flask

from gateway import quotes
from gateway.upstream import Upstream


def create_app() -> Flask:
    """The app, which knows its upstream and has not spoken to it yet."""
    app = Flask(__name__)
    app.extensions["upstream"] = Upstream(
        os.environ.get("UPSTREAM_URL", "http://127.0.0.1:9700"), float(os.environ.get("UPSTREAM_TIMEOUT_S", "2"))
    )
    app.register_blueprint(quotes.blueprint)
    return app
