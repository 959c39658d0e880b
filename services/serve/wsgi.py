"""The WSGI entry point of every server container: LAB_APP, wrapped in the middleware.

    application   what Gunicorn, uWSGI, waitress, granian and others serve (`wsgi:application`)
    flask_app     the same for `flask --app wsgi:flask_app run`, which insists on a Flask object

Environment: LAB_APP (`module:attribute`, default `app:app`), LAB_APP_DIR (put first on the import path),
LAB_SERVER (the name in X-Lab-Server), LAB_RUN_ID (the run in X-Lab-Run, where one started the server), LAB_RUN_DIR (its
folder `metrics` takes the counts).

An app that cannot be served ends as a traceback, then one line that starts with `LAB_APP=`, then an exit code that
makes the server stop: on any other code of a worker, Gunicorn and uWSGI start the next worker, for ever.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import metrics

if TYPE_CHECKING:
    from flask import Flask

# Gunicorn's WORKER_BOOT_ERROR and uWSGI's UWSGI_FAILED_APP_CODE (which wants need-app).
EXIT_NOT_SERVABLE = 22 if "uwsgi" in sys.modules else 3
_HERE = str(Path(__file__).resolve().parent)


def _load(spec: str, app_dir: str) -> metrics.WsgiApp:
    """Import `module:attribute` (the attribute may be dotted). Anything wrong with it ends the process."""
    module_name, colon, path = spec.partition(":")
    if not module_name or not path:
        _give_up(spec, f"it must read module:attribute, such as app:app{'' if colon else ' (the colon is missing)'}")
    if app_dir:
        sys.path.insert(0, app_dir)
    try:
        target: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.partition(".")[0]:
            _give_up(spec, f"importing {module_name} failed: {error}", error)
        _give_up(spec, f"there is no module {module_name} in {app_dir or os.getcwd()} or among the packages", error)
    except (Exception, SystemExit) as error:
        _give_up(spec, f"importing {module_name} raised {type(error).__name__}: {error}", error)
    for name in path.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            _give_up(spec, f"module {module_name} has no attribute {path}")
    if not callable(target):
        _give_up(spec, f"{path} in module {module_name} is not callable: it is of type {type(target).__name__}")
    return target  # type: ignore[no-any-return]


def _give_up(spec: str, reason: str, error: BaseException | None = None) -> NoReturn:
    if error is not None:
        traceback.print_exception(error)
    sys.stderr.write(f"LAB_APP={spec} cannot be served: {reason}\n")
    sys.stderr.flush()
    sys.exit(EXIT_NOT_SERVABLE)


def _load_out_of_our_way(spec: str, app_dir: str) -> metrics.WsgiApp:
    """Load the app as if this folder did not exist: it may have modules of its own called `wsgi` or `metrics`."""
    ours = {name: sys.modules.pop(name) for name in (__name__, "metrics") if name in sys.modules}
    sys.path[:] = [entry for entry in sys.path if str(Path(entry).resolve()) != _HERE]
    try:
        return _load(spec, app_dir)
    finally:
        # The server looks this module up again by its name.
        sys.modules.update({name: module for name, module in ours.items() if name == __name__})
        sys.modules.setdefault("metrics", ours["metrics"])


def _metrics_dir() -> Path:
    run_dir = os.environ.get("LAB_RUN_DIR")
    if not run_dir:
        sys.stderr.write("LAB_RUN_DIR is not set: start the server through services/serve/entrypoint.sh\n")
        sys.exit(EXIT_NOT_SERVABLE)
    directory = Path(run_dir) / "metrics"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


application = metrics.Middleware(
    _load_out_of_our_way(os.environ.get("LAB_APP") or "app:app", os.environ.get("LAB_APP_DIR") or ""),
    _metrics_dir(),
    os.environ.get("LAB_SERVER", ""),
    os.environ.get("LAB_RUN_ID", ""),
)


def __getattr__(name: str) -> Flask:
    # Made on demand, so that an app of another framework is measured without Flask in its memory.
    if name != "flask_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from flask import Flask

    flask_app = Flask("lab")
    flask_app.wsgi_app = application  # type: ignore[method-assign]
    globals()["flask_app"] = flask_app
    return flask_app
