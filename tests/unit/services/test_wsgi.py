"""Loading LAB_APP: any app is served, and an app that cannot be says why in one last line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SERVE = Path(__file__).resolve().parents[3] / "services" / "serve"
HELLO = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'mine']\n"


def load(tmp_path: Path, app: str | None, then: str = "") -> subprocess.CompletedProcess[str]:
    """Import wsgi.py in a process of its own, as a server does, and run `then`."""
    environment = {
        "PYTHONPATH": str(SERVE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAB_APP_DIR": str(tmp_path),
        "LAB_RUN_DIR": str(tmp_path / "run"),
        "LAB_SERVER": "dev",
    } | ({"LAB_APP": app} if app else {})
    command = [sys.executable, "-c", f"import wsgi\n{then}"]
    return subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("app", "source", "reason"),
    [
        ("shop:app", None, "there is no module shop in {dir} or among the packages"),
        ("shop:app", "import nosuchlibrary", "importing shop failed: No module named 'nosuchlibrary'"),
        ("shop:app", "raise RuntimeError('no database')", "importing shop raised RuntimeError: no database"),
        ("shop:app", "import sys; sys.exit('bye')", "importing shop raised SystemExit: bye"),
        ("shop:app", "def app(: pass", "importing shop raised SyntaxError: invalid syntax (shop.py, line 1)"),
        ("shop:app", "application = print", "module shop has no attribute app"),
        ("shop:app", "app = 3", "app in module shop is not callable: it is of type int"),
        ("shop", "app = print", "it must read module:attribute, such as app:app (the colon is missing)"),
        (":app", "app = print", "it must read module:attribute, such as app:app"),
    ],
)
def test_an_app_that_cannot_be_served_says_why_in_the_last_line(
    tmp_path: Path, app: str, source: str | None, reason: str
) -> None:
    if source is not None:
        (tmp_path / "shop.py").write_text(source)
    done = load(tmp_path, app)
    assert done.returncode == 3
    last_line = done.stderr.splitlines()[-1]
    assert last_line == f"LAB_APP={app} cannot be served: {reason.format(dir=tmp_path)}"


def test_the_traceback_of_a_failing_import_stands_above_that_line(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("raise RuntimeError('no database')")
    assert f'File "{tmp_path}/shop.py", line 1' in load(tmp_path, "shop:app").stderr


def test_without_lab_app_it_is_app_in_module_app(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HELLO.replace("application", "app"))
    done = load(tmp_path, None, "print(wsgi.application.app.__module__, *wsgi.application.headers)")
    assert done.stdout == "app ('X-Lab-Server', 'dev')\n"


def test_the_attribute_may_be_dotted(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("class web:\n    app = print\n")
    assert load(tmp_path, "shop:web.app", "print(wsgi.application.app is print)").stdout == "True\n"


@pytest.mark.parametrize("name", ["wsgi", "metrics", "collector"])
def test_an_app_may_have_modules_named_as_the_labs_own(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text(HELLO)
    then = "import sys; print(wsgi.application.app.__module__, sys.modules['wsgi'] is wsgi, type(wsgi.application))"
    done = load(tmp_path, f"{name}:application", then)
    assert done.stdout == f"{name} True <class 'metrics.Middleware'>\n", done.stderr


def test_flask_gets_a_flask_object_that_serves_the_measured_app(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(HELLO)
    then = "answer = wsgi.flask_app.test_client().get('/any'); print(answer.data, answer.headers['X-Lab-Server'])"
    done = load(tmp_path, "shop:application", then)
    assert done.stdout == "b'mine' dev\n", done.stderr


def test_flask_is_not_imported_for_an_app_that_does_not_use_it(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(HELLO)
    then = "import sys; print(sorted({'flask', 'prometheus_client'} & sys.modules.keys()))"
    assert load(tmp_path, "shop:application", then).stdout == "[]\n"
