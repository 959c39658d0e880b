"""A WSGI app that asks a service and writes in its own folder; it gives up once more was sold than one window asks for.

Where nobody resets it between windows, the second window finds it sold out.
"""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path

DATABASE = Path(__file__).parent / "shop.db"
MOST = int(os.environ.get("MOST", "45"))


def app(environ, start_response):
    if environ["PATH_INFO"] == "/health":
        start_response("200 OK", [])
        return [b"ok"]
    try:
        sold, item = sell(), ask_stock()
    except (OSError, sqlite3.Error) as error:
        print(f"{type(error).__name__}: {error}", file=environ["wsgi.errors"], flush=True)
        start_response("500 Internal Server Error", [])
        return [str(error).encode()]
    start_response("200 OK" if sold <= MOST else "409 Conflict", [("Content-Type", "text/plain")])
    return [f"{item}, {sold} sold".encode()]


def sell() -> int:
    database = sqlite3.connect(DATABASE, timeout=5)
    try:
        database.execute("PRAGMA synchronous = OFF")
        with database:
            database.execute("UPDATE shop SET sold = sold + 1")
            return int(database.execute("SELECT sold FROM shop").fetchone()[0])
    finally:
        database.close()


def ask_stock() -> str:
    host, _, port = os.environ["STOCK"].partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        return connection.recv(100).decode()


def seed() -> None:
    """What `setup` and `reset` run."""
    database = sqlite3.connect(DATABASE)
    with database:
        database.executescript(
            "CREATE TABLE IF NOT EXISTS shop (sold INTEGER); DELETE FROM shop; INSERT INTO shop VALUES (0)"
        )
    database.close()


if __name__ == "__main__":
    seed()
