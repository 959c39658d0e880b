"""The Flask app under test. Every server runs this same file; routes are named by what they cost."""

from __future__ import annotations

import time

from flask import Flask, Response, abort, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

MAX_MS = 5_000
"""No request may ask for more than this: a typo must not pin a worker for minutes."""
MAX_UPLOAD_BYTES = 8 * 1024 * 1024
LAST_DAY = 100_000
ORDERS_A_DAY = 100

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD_BYTES
app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3_600  # a browser keeps the style sheet, the script and the picture


def burn_cpu(ms: float) -> None:
    """Use `ms` milliseconds of this thread's CPU time, however long that takes by the wall clock."""
    end = time.thread_time() + ms / 1000
    while time.thread_time() < end:
        sum(range(500))


def wait(ms: float) -> None:
    """Wait `ms` milliseconds, as for a database or another service."""
    time.sleep(ms / 1000)


def milliseconds(name: str, default: float) -> float:
    """The query parameter `name` as milliseconds; answers 400 with a sentence where it is not one."""
    text = request.args.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        abort(400, f"'{name}' must be a number of milliseconds, not '{text[:40]}'.")
    if not 0 <= value <= MAX_MS:
        abort(400, f"'{name}' must be between 0 and {MAX_MS} milliseconds, not {text[:40]}.")
    return value


@app.get("/")
def hello() -> str:
    """As little as a Flask app can do: what is left is the server's own cost."""
    return "Hello, world!\n"


@app.get("/io")
def io() -> Response:
    """Waits: a worker is held, the CPU is not."""
    ms = milliseconds("ms", 20)
    wait(ms)
    return jsonify(waited_ms=ms)


@app.get("/cpu")
def cpu() -> Response:
    """Computes: the CPU is held, and so is the interpreter lock."""
    ms = milliseconds("ms", 5)
    burn_cpu(ms)
    return jsonify(cpu_ms=ms)


@app.get("/mix")
def mix() -> Response:
    """What most requests look like: some work, mostly waiting (2 ms of CPU and 20 ms of waiting by default)."""
    cpu_ms, io_ms = milliseconds("cpu", 2), milliseconds("io", 20)
    burn_cpu(cpu_ms)
    wait(io_ms)
    return jsonify(cpu_ms=cpu_ms, waited_ms=io_ms)


@app.get("/json")
def json_orders() -> Response:
    """A typical API answer of about 6 KB."""
    return jsonify(orders=orders(100))


@app.get("/page")
def page() -> str:
    """A typical server-rendered page; what it waits and computes besides is up to `io` and `cpu`, nothing by default.

    Its buttons ask for the next day in four ways, for browsers: static/page.js.
    """
    day = asked_for()
    return render_template("page.html", day=day, orders=orders(ORDERS_A_DAY, first=(day - 1) * ORDERS_A_DAY))


@app.get("/page/orders")
def page_orders() -> str:
    """The part of the page that a script asks for: one day of orders."""
    day = asked_for()
    return render_template("orders.html", day=day, orders=orders(ORDERS_A_DAY, first=(day - 1) * ORDERS_A_DAY))


@app.post("/upload")
def upload() -> Response:
    """Reads the whole request body in pieces and says how long it was."""
    size = 0
    while piece := request.stream.read(64 * 1024):
        size += len(piece)
    return jsonify(bytes=size)


@app.get("/health")
def health() -> Response:
    """For health checks."""
    return jsonify(status="ok")


@app.errorhandler(400)
@app.errorhandler(413)
def refused(error: HTTPException) -> Response:
    """A refused request is answered with one sentence of plain text: it repeats what was asked, which may be HTML."""
    return Response(f"{error.description}\n", error.code, mimetype="text/plain")


def asked_for() -> int:
    """The day that a page shows, once it has cost what it shall."""
    text = request.args.get("day", "1")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and 1 <= int(text) <= LAST_DAY):
        abort(400, f"'day' must be a whole number from 1 to {LAST_DAY}, not '{text[:40]}'.")
    cpu_ms, io_ms = milliseconds("cpu", 0), milliseconds("io", 0)
    burn_cpu(cpu_ms)
    wait(io_ms)
    return int(text)


def orders(count: int, first: int = 0) -> list[dict[str, object]]:
    """So many of an endless list of orders, always the same."""
    numbers = range(first, first + count)
    return [{"id": n, "customer": f"customer-{n % 17}", "total": f"{n * 7.25:.2f}"} for n in numbers]
