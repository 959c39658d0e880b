"""Which app is found in a folder, as projects are laid out."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import ROOT

from wsgilab.lab.app_finder import find


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"app.py": "from flask import Flask\napp = Flask(__name__)"}, "app:app"),
        ({"app.py": "def create_app(): ..."}, "app:create_app"),
        (
            {"app.py": "app = 1", "wsgi.py": "from shop import create_app\napplication = create_app()"},
            "wsgi:application",
        ),
        ({"shop/__init__.py": "def create_app(name: str = 'x'): ..."}, "shop:create_app"),
        ({"src/shop/__init__.py": "app: object = make()"}, "shop:app"),
        ({"manage.py": "", "site/__init__.py": "", "site/wsgi.py": "application = 1"}, "site.wsgi:application"),
        ({"hello.py": "def app(environ, start_response): ..."}, "hello:app"),
        ({"tests/__init__.py": "app = 1", "setup.py": "app = 1"}, None),
        ({"app.py": "app = (", "main.py": "from shop import server as app"}, "main:app"),
        ({"app.py": "if True:\n    app = 1\n"}, None),
        ({}, None),
    ],
)
def test_the_likeliest_app_is_found(tmp_path: Path, files: dict[str, str], found: str | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert find(tmp_path) == found


@pytest.mark.parametrize(
    ("folder", "found"), [("shop", "shop:create_app"), ("gateway", "gateway:create_app"), ("report", "app:app")]
)
def test_the_apps_of_the_examples_are_found(folder: str, found: str) -> None:
    assert find(ROOT / "examples" / folder) == found
