"""What an address shows instead of what was asked for."""

from __future__ import annotations

from http import HTTPStatus


class NotShown(Exception):
    """Why nothing can be shown, and what the reader can do about it: the page shows both."""

    def __init__(self, status: HTTPStatus, what: str, next_step: str) -> None:
        super().__init__(what)
        self.status = status
        self.what = what
        self.next_step = next_step
