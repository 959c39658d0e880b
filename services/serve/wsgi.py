"""The WSGI entry point of every server container: LAB_APP, wrapped in the middleware.

    application   what Gunicorn, uWSGI, waitress, granian and others serve (`wsgi:application`)
    flask_app     the same for `flask --app wsgi:flask_app run`, which insists on a Flask object

Environment: LAB_APP (`module:attribute` or `module:factory("literals")`, default `app:app`), LAB_APP_DIR (put first on
the import path), LAB_SERVER (the name in X-Lab-Server), LAB_RUN_ID (the run in X-Lab-Run, where one started the
server), LAB_RUN_DIR (its folder `metrics` takes the counts), LAB_WITNESS (set by `./lab doctor` alone: see witness.py).

An app that cannot be served ends as a traceback, then its frames in the app's own files, then one line that starts
with `LAB_APP=`, then an exit code that makes the server stop: on any other code of a worker, Gunicorn and uWSGI start
the next worker, for ever.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import app_loader
import metrics

if os.environ.get("LAB_WITNESS"):
    import witness

if TYPE_CHECKING:
    from flask import Flask

# Gunicorn's WORKER_BOOT_ERROR and uWSGI's UWSGI_FAILED_APP_CODE (which wants need-app).
EXIT_NOT_SERVABLE = 22 if "uwsgi" in sys.modules else 3
FRAMES = "In the app's own files:"
OURS = ("metrics", "table", "app_loader", "witness", "routes")
_HERE = str(Path(__file__).resolve().parent)


def _load_out_of_our_way(spec: str, app_dir: str) -> metrics.WsgiApp:
    """Load the app as if this folder did not exist: it may have modules of its own called `wsgi` or `metrics`.

    Anything wrong with it ends the process.
    """
    ours = {name: sys.modules.pop(name) for name in (__name__, *OURS) if name in sys.modules}
    sys.path[:] = [entry for entry in sys.path if str(Path(entry).resolve()) != _HERE]
    if app_dir:  # relative paths of an app are meant from there, as when somebody starts it by hand
        app_dir = os.path.abspath(app_dir)
        with contextlib.suppress(OSError):  # the loader says what is wrong with it
            os.chdir(app_dir)
    try:
        return app_loader.load(spec, app_dir)
    except app_loader.NotServable as error:
        if error.__cause__:
            _show(error.__cause__, app_dir)
        sys.stderr.write(f"LAB_APP={spec} cannot be served: {error}\n")
        sys.stderr.flush()
        sys.exit(EXIT_NOT_SERVABLE)
    finally:
        # The server looks this module up again by its name. The others stay away: the app may import its own later.
        sys.modules.update({name: module for name, module in ours.items() if name == __name__})


def _show(error: BaseException, app_dir: str) -> None:
    """The whole traceback, for the log; then the frames in files of the app alone, for the person who has to fix it."""
    traceback.print_exception(error)
    own = f"{os.path.realpath(app_dir or os.getcwd())}{os.sep}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, own)]
    *where, _ = traceback.format_exception_only(error)  # a syntax error's place is no frame
    sys.stderr.write("".join([FRAMES, "\n", *traceback.format_list(frames), *where]))


def _is_own(file: str, folder: str) -> bool:
    # Names such as <frozen importlib> are no paths.
    return os.path.isabs(file) and os.path.realpath(file).startswith(folder) and "site-packages" not in file


def _metrics_dir() -> Path:
    run_dir = os.environ.get("LAB_RUN_DIR")
    if not run_dir:
        sys.stderr.write("LAB_RUN_DIR is not set: start the server through services/serve/entrypoint.sh\n")
        sys.exit(EXIT_NOT_SERVABLE)
    directory = Path(run_dir) / "metrics"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _application() -> metrics.WsgiApp:
    importing = witness.Importing() if os.environ.get("LAB_WITNESS") else None
    app = _load_out_of_our_way(os.environ.get("LAB_APP") or "app:app", os.environ.get("LAB_APP_DIR") or "")
    measured = metrics.Middleware(
        app, _metrics_dir(), os.environ.get("LAB_SERVER", ""), os.environ.get("LAB_RUN_ID", "")
    )
    return witness.Witness(measured, app, importing.done()) if importing else measured


application: Any = _application()


def __getattr__(name: str) -> Flask:
    # Made on demand, so that an app of another framework is measured without Flask in its memory.
    if name != "flask_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from flask import Flask

    flask_app = Flask("lab")
    flask_app.wsgi_app = application  # type: ignore[method-assign]
    globals()["flask_app"] = flask_app
    return flask_app
