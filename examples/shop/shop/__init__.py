"""A small web shop: a catalogue that everybody may read; a basket and orders for customers who have logged in.

Settings come from variables that begin with SHOP_: SHOP_SECRET_KEY signs the sessions, SHOP_DATABASE_URL names a
database other than the SQLite file in the instance folder (postgresql+psycopg://user:password@host/shop).
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask_wtf import CSRFProtect

from shop import auth, basket, catalogue, commands, database


def create_app() -> Flask:
    """The app, with its settings read and its database at hand."""
    app = Flask(__name__)
    app.config.from_mapping(
        DATABASE_URL=f"sqlite:///{Path(app.instance_path) / 'shop.db'}",
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.config.from_prefixed_env("SHOP")
    CSRFProtect(app)
    database.init_app(app)
    commands.init_app(app)
    for part in (auth, basket, catalogue):
        app.register_blueprint(part.blueprint)
    app.add_template_filter(lambda cents: f"€ {cents / 100:.2f}", "money")
    return app
