"""The runner of WSGI Lab: drives load through the servers, and turns it into a verdict."""

__version__ = "0.1.0"
