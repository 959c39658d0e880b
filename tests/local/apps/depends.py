"""A Flask app whose routes each depend on the server in another way."""

from __future__ import annotations

import ctypes
import itertools
import secrets
import threading
import time
from datetime import UTC, datetime

from flask import Flask, Response, request

app = Flask("depends")
numbers = itertools.count(1)
threading.Thread(target=threading.Event().wait, name="poller", daemon=True).start()


@app.get("/alike")
def alike():
    return f"{datetime.now(UTC)} <input name=csrf value={secrets.token_hex(8)}>"


@app.get("/fails")
def fails():
    software = request.environ.get("SERVER_SOFTWARE", "")
    return ("no", 500) if software.startswith("Werkzeug") else ("fine", 200)


@app.get("/body")
def body():
    return f"threads: {request.environ['wsgi.multithread']}"


@app.get("/header")
def header():
    return Response("ok", headers={"X-Threads": str(request.environ["wsgi.multithread"])})


@app.get("/client")
def client():
    return f"you are {request.remote_addr}"


@app.get("/link")
def link():
    return f"see {request.url_root}next"


@app.get("/stream")
def stream():
    def pieces():
        for number in range(3):
            yield f"piece {number}\n"
            time.sleep(0.2)

    return Response(pieces(), mimetype="text/plain")


@app.get("/blocks")
def blocks():
    ctypes.CDLL(None).usleep(200_000)  # as a driver in C waits: without the GIL, and unseen by gevent
    return "done"


@app.get("/counts")
def counts():
    return f"number {next(numbers)}"


@app.post("/refuses")
def refuses():
    return "too large", 413
