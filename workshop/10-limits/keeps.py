"""An app that keeps 2 MB of every request, as a cache does that nobody empties."""

import os

kept = []


def app(environ, start_response):
    if environ["PATH_INFO"] == "/":
        kept.append(bytearray(os.urandom(2000) * 1000))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
