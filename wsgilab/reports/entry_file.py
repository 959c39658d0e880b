"""What a server in production imports for an app: the app itself by its name, or a small file that makes it."""

from __future__ import annotations

import ast
import re

NAME, ENTRY = "serve_app.py", "serve_app:application"
APP = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<path>[A-Za-z_][\w.]*)(?P<call>\(.*\))?", re.ASCII)
"""What may stand in a command line and in a configuration without being more than the name of an app."""
FACTORIES = ("create_app", "make_app")
"""Called without being asked to, as Flask does."""


def entry_of(app: str) -> tuple[str, dict[str, str]] | None:
    """(what to give to a server as `module:attribute`, the file that it needs for that, by its name).

    `app`: as LAB_APP has it: `shop:app`, `shop.web:create_app`, `shop.web:create_app("test")`. None for anything else.
    The file is there because not every server calls a factory with arguments, or knows dots after the colon; and
    because quotes mean something to a shell and to systemd.
    """
    found = APP.fullmatch(app)
    if not found:
        return None
    module, path, call = found["module"], found["path"], found["call"]
    first, dots, _ = path.partition(".")
    is_factory = bool(call) or path.rpartition(".")[2] in FACTORIES
    if not is_factory and not dots:
        return app, {}
    made = _call(path, call or "()") if is_factory else path
    if made is None:
        return None
    about = '"""The app, as the server imports it."""'
    return ENTRY, {NAME: f"{about}\n\nfrom {module} import {first}\n\napplication = {made}\n"}


def _call(path: str, brackets: str) -> str | None:
    """The call of a factory, where all of its arguments are literals."""
    try:
        call = ast.parse(f"{path}{brackets}", mode="eval").body
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != path:
            return None
        for value in (*call.args, *(word.value for word in call.keywords)):
            ast.literal_eval(value)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return ast.unparse(call)
