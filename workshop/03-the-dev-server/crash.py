"""An app with a bug that ends its whole process at every fiftieth request, as a crash inside a C library would."""

import os
import time
from itertools import count

numbers = count(1)


def app(environ, start_response):
    if environ["PATH_INFO"] == "/" and next(numbers) % 50 == 0:
        os._exit(1)
    time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
