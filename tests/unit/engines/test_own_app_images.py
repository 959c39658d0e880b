"""When the image of an app is built anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsgilab.engines.own_app import baked_in


@pytest.mark.parametrize("name", ["services/Dockerfile", "services/serve/entrypoint.sh", "services/uwsgi/uwsgi.ini"])
def test_an_image_is_another_one_when_anything_in_it_is(tmp_path: Path, name: str) -> None:
    for other in ("services/Dockerfile", "services/serve/entrypoint.sh", "services/uwsgi/uwsgi.ini"):
        (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / other).write_text("as it was\n")
    before = baked_in(tmp_path)
    (tmp_path / "services/serve/__pycache__").mkdir()
    (tmp_path / "services/serve/__pycache__/wsgi.pyc").touch()
    assert baked_in(tmp_path) == before
    (tmp_path / name).write_text("as it is\n")
    assert baked_in(tmp_path) != before
