"""An app that waits 50 ms in the `sleep` that it found when it was imported: gevent's, if gevent was there first."""

from time import sleep


def app(environ, start_response):
    if environ["PATH_INFO"] == "/":
        sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
