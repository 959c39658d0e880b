"""A service that says what is in stock, and keeps a book: stock.py HOST PORT FOLDER"""

from __future__ import annotations

import socketserver
import sys
from pathlib import Path


class Stock(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"a teapot")


if __name__ == "__main__":
    host, port, folder = sys.argv[1:]
    Path(folder, "book").write_text("one teapot\n")
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer((host, int(port)), Stock) as server:
        server.serve_forever()
