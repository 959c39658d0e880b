"""A guest book with an SQLite database: an app to measure for whoever has none at hand."""

import os
import sqlite3
import tempfile
from pathlib import Path

from flask import Flask, g, jsonify, request

DATABASE = Path(os.environ.get("GUESTBOOK") or Path(tempfile.gettempdir()) / f"guestbook-{os.getuid()}.sqlite")

app = Flask(__name__)


def database():
    """This request's own connection."""
    if "database" not in g:
        g.database = sqlite3.connect(DATABASE, timeout=5)
        g.database.row_factory = sqlite3.Row
    return g.database


@app.teardown_appcontext
def close(_error):
    if "database" in g:
        g.pop("database").close()


@app.get("/entries")
def entries():
    """The newest entries."""
    rows = database().execute("SELECT name, words FROM entries ORDER BY id DESC LIMIT 50")
    return jsonify(entries=[dict(row) for row in rows])


@app.post("/entries")
def write():
    """One more entry."""
    with database() as connection:
        said = request.get_json()
        connection.execute("INSERT INTO entries (name, words) VALUES (?, ?)", (said["name"], said["words"]))
    return jsonify(written=True), 201


@app.get("/health")
def health():
    return jsonify(status="ok")


def prepare():
    """Have the table, with a few entries to begin with; several workers may do this at the same time."""
    with sqlite3.connect(DATABASE, timeout=5) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, name TEXT, words TEXT)")
        few = ((number, f"guest {number}", "What a nice lab. " * 3) for number in range(1, 201))
        connection.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?, ?)", few)


prepare()
