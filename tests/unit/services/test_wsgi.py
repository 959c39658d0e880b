"""Loading LAB_APP: any app is served, and an app that cannot be says why in one last line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SERVE = Path(__file__).resolve().parents[3] / "services" / "serve"
HELLO = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'mine']\n"
ASYNC_FUNCTION = "async def app(scope, receive, send): ..."
ASYNC_OBJECT = "class Api:\n    async def __call__(self, scope, receive, send): ...\napp = Api()\n"
PHRASES = {
    "arg": "required positional argument: 'x'",
    "factory": "a WSGI app takes (environ, start_response), and the arguments of a factory are given with it, as in "
    "factory:create_app('test')",
    "literals": "a factory's arguments must be literals: texts, numbers, True, None, lists of them",
    "attribute": "behind the colon there must be an attribute or a call of one",
    "asgi": "these are WSGI servers. Serve it through an adapter, such as a2wsgi.ASGIMiddleware(app), or measure it "
    "with an ASGI server's own tools",
}


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
        ("./shop.py:app", "app = print", "a module is named as it is imported, not as a file: shop:app"),
        ("web/shop:app", "app = print", "a module is named as it is imported, not as a file: web.shop:app"),
        (
            "shop:app",
            "from importlib.metadata import version\nversion('shop')",
            "importing shop failed: No package metadata was found for shop (its own project is not installed: require "
            "its folder too)",
        ),
        ("shop", "app = print", "it must read module:attribute, such as app:app (the colon is missing)"),
        (":app", "app = print", "it must read module:attribute, such as app:app"),
        ("shop:app()", "app = print", "what app in module shop returns is not callable: it is of type NoneType"),
        ("shop:make()", "def make(x): ...", "calling make in module shop raised TypeError: make() missing 1 {arg}"),
        ("shop:make", "def make(): 1 / 0", "calling make in module shop raised ZeroDivisionError: division by zero"),
        ("shop:make", "def make(x): ...", "make in module shop takes (x): {factory}"),
        (
            "shop:make",
            "def make(x: 'of any kind', *, y: int = 1) -> int: ...",
            "make in module shop takes (x, y): {factory}",
        ),
        ("shop:make(dir())", "make = print", "{literals}"),
        ("shop:make(**x)", "make = print", "{literals}"),
        ("shop:make(", "make = print", "{attribute}, not make("),
        ("shop:make()()", "make = print", "{attribute}, not make()()"),
        ("shop:app", ASYNC_FUNCTION, "app in module shop is an ASGI app, and {asgi}"),
        ("shop:app", ASYNC_OBJECT, "app in module shop is an ASGI app, and {asgi}"),
        (
            "shop:make",
            f"{ASYNC_OBJECT}def make(): return app",
            "what make in module shop returns is an ASGI app, and {asgi}",
        ),
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
    assert last_line == f"LAB_APP={app} cannot be served: {reason.format(dir=tmp_path, **PHRASES)}"


def test_above_that_line_stands_where_in_the_app_it_was_and_above_that_the_whole_traceback(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import stock\n")
    (tmp_path / "stock.py").write_text("import nosuchlibrary\n")
    whole, own = load(tmp_path, "shop:app").stderr.split("In the app's own files:\n")
    assert "importlib" in whole
    assert own.splitlines() == [
        f'  File "{tmp_path}/shop.py", line 1, in <module>',
        "    import stock",
        f'  File "{tmp_path}/stock.py", line 1, in <module>',
        "    import nosuchlibrary",
        "LAB_APP=shop:app cannot be served: importing shop failed: No module named 'nosuchlibrary'",
    ]


def test_a_folder_that_is_itself_the_package_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("app = print")
    last_line = load(tmp_path, "shop:app").stderr.splitlines()[-1]
    assert last_line.endswith("or among the packages. The folder is itself a package: name the one above it")


def test_a_project_may_keep_its_package_below_src(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/shop.py").write_text("import price\napp = price.tag")
    (tmp_path / "src/price.py").write_text("tag = print")
    assert load(tmp_path, "shop:app", "print(wsgi.application.app is print)").stdout == "True\n"


def test_relative_paths_of_the_app_lead_into_its_folder(tmp_path: Path) -> None:
    (tmp_path / "price.txt").write_text("7")
    (tmp_path / "shop.py").write_text("price = open('price.txt').read()\ndef app(environ, start): ...")
    done = load(tmp_path, "shop:app", "import shop; print(shop.price, open('price.txt').read())")
    assert done.stdout == "7 7\n", done.stderr


def test_a_syntax_error_is_shown_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("app = (\n")
    _, own = load(tmp_path, "shop:app").stderr.split("In the app's own files:\n")
    assert own.splitlines()[:3] == [f'  File "{tmp_path}/shop.py", line 1', "    app = (", "          ^"]


@pytest.mark.parametrize(
    ("app", "made_with"),
    [
        ("factory:create_app", "('default',)"),
        ("factory:create_app()", "('default',)"),
        ('factory:create_app("test")', "('test',)"),
        ("factory:create_app(name=['a', 1])", "(['a', 1],)"),
        ("factory:made.create_app('x')", "('x',)"),
    ],
)
def test_factories_are_called_as_flask_and_gunicorn_call_them(tmp_path: Path, app: str, made_with: str) -> None:
    (tmp_path / "factory.py").write_text(
        "def create_app(name='default'):\n"
        "    def app(environ, start_response):\n        return [repr((name,)).encode()]\n"
        "    return app\n"
        "class made:\n    create_app = staticmethod(create_app)\n"
    )
    done = load(tmp_path, app, "print(wsgi.application.app({}, None)[0].decode())")
    assert done.stdout == f"{made_with}\n", done.stderr


@pytest.mark.parametrize(
    "source",
    [
        "def app(environ, start_response): return [b'']",
        "def app(*args): return [b'']",
        "def app(environ, start_response, more=None): return [b'']",
        "class app:\n    def __init__(self, environ, start_response): ...\n    def __iter__(self): yield b''",
        "import functools\n@functools.lru_cache\ndef app(): ...",
    ],
)
def test_what_is_no_factory_is_served_as_it_is(tmp_path: Path, source: str) -> None:
    (tmp_path / "shop.py").write_text(source)
    done = load(tmp_path, "shop:app", "import shop; print(wsgi.application.app is shop.app)")
    assert done.stdout == "True\n", done.stderr


def test_without_lab_app_it_is_app_in_module_app(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HELLO.replace("application", "app"))
    done = load(tmp_path, None, "print(wsgi.application.app.__module__, *wsgi.application.headers)")
    assert done.stdout == "app ('X-Lab-Server', 'dev')\n"


def test_the_attribute_may_be_dotted(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("class web:\n    app = print\n")
    assert load(tmp_path, "shop:web.app", "print(wsgi.application.app is print)").stdout == "True\n"


@pytest.mark.parametrize("name", ["wsgi", "metrics", "table", "collector", "app_loader"])
def test_an_app_may_have_modules_named_as_the_labs_own(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text(HELLO)
    then = "import sys; print(wsgi.application.app.__module__, sys.modules['wsgi'] is wsgi, type(wsgi.application))"
    done = load(tmp_path, f"{name}:application", then)
    assert done.stdout == f"{name} True <class 'metrics.Middleware'>\n", done.stderr


@pytest.mark.parametrize("name", ["metrics", "table", "app_loader"])
def test_an_app_may_import_its_module_of_such_a_name_as_late_as_in_a_request(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("OWNER = 'mine'\n")
    (tmp_path / "shop.py").write_text(
        f"def app(environ, start_response):\n    import {name}\n    return [{name}.OWNER.encode()]\n"
    )
    done = load(tmp_path, "shop:app", "print(wsgi.application.app({}, None)[0].decode())")
    assert done.stdout == "mine\n", done.stderr


def test_flask_gets_a_flask_object_that_serves_the_measured_app(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(HELLO)
    then = "answer = wsgi.flask_app.test_client().get('/any'); print(answer.data, answer.headers['X-Lab-Server'])"
    done = load(tmp_path, "shop:application", then)
    assert done.stdout == "b'mine' dev\n", done.stderr


def test_what_an_app_does_not_use_is_not_in_its_memory(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(HELLO)
    then = "import sys; print(sorted({'flask', 'prometheus_client', 'ast'} & sys.modules.keys()))"
    assert load(tmp_path, "shop:application", then).stdout == "[]\n"
