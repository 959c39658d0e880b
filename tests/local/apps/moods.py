"""A WSGI app with one fault, which MOOD names: troubles that people report of apps and settings, not of servers."""

from __future__ import annotations

import os
import time
import urllib.request
from itertools import count
from time import sleep  # before or after gevent has patched it

MOOD = os.environ.get("MOOD", "")
numbers = count(1)
kept = []


def app(environ, start_response):
    mood = MOOD if environ["PATH_INFO"] == "/" else ""  # whoever asks for its health gets an answer
    status, headers, body = "200 OK", [("Content-Type", "text/plain"), ("X-Lab-Server", "somebody else")], b"ok"
    number = next(numbers) if mood else 0
    if mood == "blocks":
        sleep(0.05)
    elif mood == "twentieth" and number % 20 == 0:
        sleep(1.0)
    elif mood == "slow":
        sleep(3.0)
    elif mood == "exits" and number % 30 == 0:
        os._exit(1)
    elif mood == "leaves" and number % 30 == 0:
        os._exit(0)
    elif mood == "burns":
        burn(0.05)
    elif mood == "keeps":
        kept.append(bytearray(os.urandom(2000) * 1000))
    elif mood == "redirects":
        status, headers = "302 Found", [("Location", "/login")]
    elif mood == "fails":
        status = "500 Internal Server Error"
    elif mood == "host":
        status, body = "400 Bad Request", b"Host '%s' is not trusted." % environ.get("HTTP_HOST", "").encode()
    elif mood == "calls itself" or (mood == "sometimes calls itself" and number % 4 == 0):
        with urllib.request.urlopen(f"http://{environ['HTTP_HOST']}/inner", timeout=20) as answer:
            body = answer.read()
    start_response(status, headers)
    return [body]


def burn(seconds: float) -> None:
    """Use so much CPU time, whatever the clock says."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass
