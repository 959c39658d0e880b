"""Finds the app that LAB_APP names: `module:app`, `module:create_app`, `module:create_app("test", debug=False)`.

`ast` and `inspect` are imported where they are needed: a megabyte in the measured server, for apps that do without.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import ast
    from inspect import Signature

    from metrics import WsgiApp

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_IS_COROUTINE = 0x80  # inspect.CO_COROUTINE


class NotServable(Exception):
    """There is no WSGI app at that name. Its text says why; what it came from (`__cause__`) is the app's own error."""


class Spec(NamedTuple):
    """What LAB_APP says."""

    module: str
    path: str
    """The attribute, which may be dotted."""
    call: bool = False
    """Whether it is to be called for the app, which parentheses ask for."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}


def parse(text: str) -> Spec:
    """A Spec out of `module:attribute` or `module:factory(literals)`. Raises NotServable."""
    module, colon, expression = text.partition(":")
    if not module or not expression:
        missing = "" if colon else " (the colon is missing)"
        raise NotServable(f"it must read module:attribute, such as app:app{missing}")
    if "/" in module or module.endswith(".py"):
        name = module.removeprefix("./").removesuffix(".py").replace("/", ".")
        raise NotServable(f"a module is named as it is imported, not as a file: {name}:{expression}")
    if _NAME.fullmatch(expression):
        return Spec(module, expression)
    import ast

    try:
        call = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        call = None
    path = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
    if not isinstance(call, ast.Call) or not _NAME.fullmatch(path):
        raise NotServable(f"behind the colon there must be an attribute or a call of one, not {expression}")
    try:
        args = tuple(ast.literal_eval(arg) for arg in call.args)
        kwargs = {_keyword(word): ast.literal_eval(word.value) for word in call.keywords}
    except ValueError:
        raise NotServable("a factory's arguments must be literals: texts, numbers, True, None, lists of them") from None
    return Spec(module, path, True, args, kwargs)


def load(text: str, app_dir: str) -> WsgiApp:
    """Import what LAB_APP says, and call it where it is a factory. Raises NotServable, whatever is wrong with it."""
    spec = parse(text)
    if app_dir:
        sys.path[:0] = [app_dir, *_sources(app_dir)]
    target = _imported(spec, app_dir)
    for name in spec.path.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            raise NotServable(f"module {spec.module} has no attribute {spec.path}") from None
    what = f"{spec.path} in module {spec.module}"
    if not callable(target):
        raise NotServable(f"{what} is not callable: it is of type {type(target).__name__}")
    if spec.call or _is_factory(target, what):
        target, what = _made(spec, target), f"what {spec.path} in module {spec.module} returns"
        if not callable(target):
            raise NotServable(f"{what} is not callable: it is of type {type(target).__name__}")
    if _is_asgi(target):
        raise NotServable(
            f"{what} is an ASGI app, and these are WSGI servers. Serve it through an adapter, such as "
            "a2wsgi.ASGIMiddleware(app), or measure it with an ASGI server's own tools"
        )
    return target


def _keyword(word: ast.keyword) -> str:
    if word.arg is None:
        raise ValueError("** with something that is not a literal")
    return word.arg


def _imported(spec: Spec, app_dir: str) -> object:
    try:
        return importlib.import_module(spec.module)
    except ModuleNotFoundError as error:
        top = spec.module.partition(".")[0]
        if type(error) is not ModuleNotFoundError:  # importlib.metadata.PackageNotFoundError: it has no such module
            reason = "its own project is not installed: require its folder too"
            raise NotServable(f"importing {spec.module} failed: {error} ({reason})") from error
        if error.name != top:
            raise NotServable(f"importing {spec.module} failed: {error}") from error
        where = app_dir or os.getcwd()
        raise NotServable(f"there is no module {spec.module} in {where} or among the packages{_hint(where)}") from None
    except (Exception, SystemExit) as error:
        raise NotServable(f"importing {spec.module} raised {type(error).__name__}: {error}") from error


def _sources(folder: str) -> list[str]:
    """`src` in a folder, where many projects keep their package."""
    path = os.path.join(folder, "src")
    return [path] if os.path.isdir(path) else []


def _hint(folder: str) -> str:
    """Why a folder may not have a module that somebody expects in it."""
    is_package = os.path.exists(os.path.join(folder, "__init__.py"))
    return ". The folder is itself a package: name the one above it" if is_package else ""


def _made(spec: Spec, factory: Callable[..., Any]) -> Any:
    try:
        return factory(*spec.args, **spec.kwargs)
    except (Exception, SystemExit) as error:
        reason = f"calling {spec.path} in module {spec.module} raised {type(error).__name__}: {error}"
        raise NotServable(reason) from error


def _is_factory(target: Callable[..., Any], what: str) -> bool:
    """Whether a function without parentheses behind it makes the app, as with `flask --app`: it needs no arguments.

    A WSGI app needs two. One that takes whatever comes (`*args`) is taken for an app: decorators make such.
    """
    if not isinstance(target, FunctionType) or _is_asgi(target):
        return False
    if target.__code__.co_argcount == 2 and not target.__defaults__ and not hasattr(target, "__wrapped__"):
        return False
    import inspect

    signature = inspect.signature(target)
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature.parameters.values()):
        return False
    if _fits(signature):
        return True
    if not _fits(signature, {}, print):
        named = ", ".join(signature.parameters)  # without annotations, which may be as long as they like
        raise NotServable(
            f"{what} takes ({named}): a WSGI app takes (environ, start_response), and the arguments of a factory are "
            "given with it, as in factory:create_app('test')"
        )
    return False


def _fits(signature: Signature, *args: Any) -> bool:
    try:
        signature.bind(*args)
    except TypeError:
        return False
    return True


def _is_asgi(target: Any) -> bool:
    """Whether it is a coroutine function, or an object that is called as one: what it returns must be awaited."""
    code = getattr(target, "__code__", None) or getattr(getattr(type(target), "__call__", None), "__code__", None)  # noqa: B004
    return bool(code and code.co_flags & _IS_COROUTINE)
