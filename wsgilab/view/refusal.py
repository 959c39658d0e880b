"""What an address shows instead of what was asked for."""

from __future__ import annotations

from http import HTTPStatus


class NotShown(Exception):
    """Why nothing can be shown, and the command that helps where one does: the page shows both."""

    def __init__(self, status: HTTPStatus, what: str, next_command: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.what = what
        self.next_command = next_command
