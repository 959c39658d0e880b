"""lab.toml is read whole or refused with the file, the line, the cause, and the next command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import ROOT

from wsgilab.errors import UsageError
from wsgilab.lab.app_file import NAME, read
from wsgilab.lab.toml_lines import line_of
from wsgilab.lab.traffic import traffic_for_k6
from wsgilab.model.app_file import schema

GOOD = """\
[app]
app = "shop:create_app()"
env = {SHOP_MODE = "lab"}

[traffic]
rates = [20, 60]
slo = "p99<250ms and failed<1%"

[[login]]
path = "/login"
method = "POST"
form = {user = "ann", csrf = "{csrf}"}
save = {csrf = 'name="csrf" value="([^"]+)"'}

[[requests]]
name = "catalogue"
weight = 5
path = "/items/{id}?page={page}"
data = "items.csv"

[[requests]]
name = "order"
method = "POST"
path = "/orders"
json = {item = "{id}", express = true}
data = [{id = 1}, {id = 2}]
expect = {status = [201, 202], text = "ordered"}

[[vitals.clicks]]
name = "add"
page = "/items/7"
click = "#add"
content = "#basket li"

[[vitals.clicks]]
name = "next"
page = "/items"
click = "#next"
content = "#items"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "items.csv").write_text("id,page\n1,2\n7,1\n")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / NAME
    path.write_text(text)
    return path


def test_all_that_can_be_said_is_read(folder: Path) -> None:
    found = read(written(folder, GOOD))
    assert found.app.app == "shop:create_app()"
    assert found.traffic.rates == [20, 60]
    assert [request.name for request in found.requests] == ["catalogue", "order"]
    assert found.requests[1].expect.status == [201, 202]


def test_k6_gets_rows_and_bodies_in_place_of_files(folder: Path) -> None:
    upload = '[[requests]]\nname = "upload"\nmethod = "PUT"\npath = "/photo"\nbody_file = "photo.jpg"\n'
    traffic = traffic_for_k6(read(path := written(folder, GOOD + upload)), path)
    catalogue, order, photo = traffic["requests"]
    assert catalogue["rows"] == [{"id": "1", "page": "2"}, {"id": "7", "page": "1"}]
    assert order["rows"] == [{"id": 1}, {"id": 2}]
    assert (order["json"], order["status"], order["text"]) == ({"item": "{id}", "express": True}, [201, 202], "ordered")
    assert photo["body_base64"] == "/9g="
    assert traffic["login"][0]["save"] == {"csrf": 'name="csrf" value="([^"]+)"'}


# ruff: noqa: E501 — a table of one case a line
WRONG = {
    "a key nobody reads": ('name = "catalogue"', 'name = "catalogue"\nwieght = 2', 17, "there is no key 'wieght'", "did you mean 'weight'?"),
    "a section nobody reads": ("[traffic]", "[trafic]", 5, "there is no key 'trafic'", "did you mean 'traffic'?"),
    "text for a number": ("weight = 5", 'weight = "5"', 17, "requests[1].weight: it must be a number, not text", ""),
    "a weight of nothing": ("weight = 5", "weight = 0", 17, "requests[1].weight: the number must be > 0", ""),
    "a path without a slash": ('path = "/orders"', 'path = "orders"', 24, "requests[2].path", "begins with a slash"),
    "a method that is none": ('method = "POST"\npath = "/orders"', 'method = "POTS"\npath = "/orders"', 23, "'POTS'", ""),
    "no path": ('path = "/orders"\n', "", 21, "requests[2]: the key 'path' is missing", "a name and a path"),
    "a rate of text": ("rates = [20, 60]", 'rates = [20, "fast"]', 6, "traffic.rates[2]", ""),
    "an objective that is none": ("p99<250ms and", "p98<250ms and", 7, "traffic.slo", ""),
    "an objective of one that is none": ('name = "order"', 'name = "order"\nslo = "p95<100"', 23, "requests[2].slo", "p95 is bounded in ms or s"),
    "an objective for others": ('name = "order"', 'name = "order"\nslo = "catalogue: p95<9ms"', 23, "the requests named 'catalogue'", "in the table of those"),
    "a name twice": ('name = "order"', 'name = "catalogue"', 22, "a second request is named 'catalogue'", "figures of its own"),
    "two bodies": ("json = {item", 'body = "x"\njson = {item', 25, "one body, and this one has json and body", ""),
    "a body by GET": ('method = "POST"\npath = "/orders"', 'path = "/orders"', 24, "a GET carries no json", 'method = "POST"'),
    "nothing fills it": ("{page}", "{pages}", 18, "nothing fills {pages}", "did you mean 'page'?"),
    "a CSV that is not there": ('"items.csv"', '"item.csv"', 19, "cannot be read: No such file", "relative to lab.toml"),
    "an expression that is none": ("([^\"]+)\"'", "([^\"]+\"'", 13, "save.csrf is not a regular expression", ""),
    "an expression without a group": ("([^\"]+)\"'", "[^\"]+\"'", 13, "save.csrf has 0 groups", "in brackets"),
    "a click twice": ('name = "next"', 'name = "add"', 36, "a second click is named 'add'", "figures of its own"),
    "a page of many": ('page = "/items/7"', 'page = "/items/{id}"', 31, "nothing fills {id} in '/items/{id}'", "[[requests]]"),
    "a rate twice": ("rates = [20, 60]", "rates = [20, 20.0]", 6, "20 stands there twice", "once a round"),
    "a variable that is none": ('SHOP_MODE = "lab"', '"SHOP MODE" = "lab"', 3, "'SHOP MODE' cannot name a variable", "no digit"),
    "a variable that ends early": ('SHOP_MODE = "lab"', 'SHOP_MODE = "l\\u0000b"', 3, "app.env: it has a NUL", "escape"),
    "a variable of the lab": ('SHOP_MODE = "lab"', 'LAB_RUN_DIR = "/tmp"', 3, "'LAB_RUN_DIR' cannot be a variable for the app", "the lab itself"),
    "a header that is none": ("weight = 5", 'headers = {"X Y" = "1"}', 17, "requests[1].headers: no request can have the header 'X Y'", "a space in a name"),
    "a header of two lines": ("weight = 5", 'headers = {X = "1\\r\\nY: 2"}', 17, "the header 'X'", "a line end in a value"),
    "no status at all": ("status = [201, 202]", "status = []", 27, "its length must be >= 1", ""),
    "a saved name in no braces": ("save = {csrf =", 'save = {"cs-rf" =', 13, "'cs-rf' cannot name a placeholder", "underscores"),
    "an expression of Python's": ("([^\"]+)\"'", "(?P<x>[^\"]+)\"'", 13, "save.csrf has '(?P<', which k6 does not know", "JavaScript"),
    "a row without a column": ('path = "/orders"\njson = {item = "{id}", express = true}\ndata = [{id = 1}, {id = 2}]', 'path = "/orders/{id}"\ndata = [{id = 1}, {x = 2}]', 25, "row 2 has no 'id'", "each row"),
    "a form that nothing fills": ('csrf = "{csrf}"}', 'csrf = "{crsf}"}', 12, "login[1].form: nothing fills {crsf}", "did you mean 'csrf'?"),
    "a value that nobody has": ('item = "{id}"', 'item = "{article}"', 25, "requests[2].json: nothing fills {article}", "no column"),
    "an answer that nothing fills": ('text = "ordered"', 'text = "{oder}"', 27, "requests[2].expect: nothing fills {oder}", "no column"),
    "a name with a line end": ('name = "catalogue"', 'name = "catalogue\\n"', 16, "requests[1].name", "40 at most"),
    "a path with a bell": ('path = "/orders"', 'path = "/orders\\u0007"', 24, "requests[2].path", "no control character"),
    "no page to click on": ('page = "/items/7"\n', "", 29, "the key 'page' is missing", "every click needs a name, a page"),
    "no TOML": ('app = "shop:create_app()"', 'app = "shop:create_app()', 2, "this is not TOML", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_its_line(folder: Path, case: str) -> None:
    old, new, line, what, cause = WRONG[case]
    assert old in GOOD
    path = written(folder, GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        traffic_for_k6(read(path), path)
    assert refused.value.what.startswith(f"{path}, line {line}: "), refused.value.what
    assert what in refused.value.what
    assert cause in refused.value.cause
    assert str(path) in refused.value.next_command


def test_a_csv_with_a_missing_column_names_its_line(folder: Path) -> None:
    (folder / "items.csv").write_text("id,page\n1,2\n7\n")
    path = written(folder, GOOD)
    with pytest.raises(UsageError, match=r"items\.csv, line 3, has not as many columns"):
        traffic_for_k6(read(path), path)


def test_no_file_names_the_command_that_writes_one(folder: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read(folder / NAME)
    assert refused.value.next_command == f"./lab init --app-dir {folder}"


def test_the_line_of_a_key_is_found_in_tables_and_arrays() -> None:
    text = 'a = 1\n[b.c]\n"d e" = 2\n[[f]]\ng = 1\n[[f]]\ng = 2\n[f.h]\ni = 3\n'
    assert [line_of(text, where) for where in (("a",), ("b", "c"), ("b", "c", "d e"), ("f", 1, "g"))] == [1, 2, 3, 7]
    assert line_of(text, ("f", 1, "h", "i")) == 9
    assert line_of(text, ("f", 0, "missing")) == 4
    assert line_of(text, ("b", "*", "d e")) == 3
    assert line_of(text, ("nowhere",)) is None


def test_the_published_schema_is_the_one_that_is_read() -> None:
    """After a change, write it anew with the line that the assertion shows."""
    anew = (
        "python -c 'import json; from wsgilab.model.app_file import schema; print(json.dumps(schema(), indent=2))' "
        "> docs/lab.toml.schema.json"
    )
    assert json.loads((ROOT / "docs/lab.toml.schema.json").read_text()) == schema(), anew


def test_a_file_that_begins_with_a_mark_of_its_encoding_is_read(folder: Path) -> None:
    (folder / NAME).write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read(folder / NAME).app.app == "shop:create_app()"


def test_what_is_nested_without_end_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        read(written(folder, f"a = {'[' * 9_000}{']' * 9_000}\n"))


CSV = {
    "a column twice": ("id,page,id\n1,2,3\n", "the header of items.csv has 'id' twice"),
    "semicolons": ("id;page\n1;2\n", "the header of items.csv has one column, 'id;page'"),
    "a quote that does not end": ('id,page\n"1,2\n3,4\n', "items.csv is not a CSV file"),
    "a row too short, after one of two lines": ('id,page\n"1\n",2\n3\n', "items.csv, line 4, has not as many columns"),
    "other letters": ("id,größe\n1,2\n", "nothing fills {page}"),
}


@pytest.mark.parametrize("case", CSV)
def test_a_csv_that_would_be_misread_is_refused(folder: Path, case: str) -> None:
    text, what = CSV[case]
    (folder / "items.csv").write_text(text)
    path = written(folder, GOOD)
    with pytest.raises(UsageError) as refused:
        traffic_for_k6(read(path), path)
    assert what in refused.value.what


def test_a_field_of_a_csv_may_have_line_ends(folder: Path) -> None:
    (folder / "items.csv").write_bytes('id,page\r\n"1\r\n2",\u2028\r\n'.encode())
    path = written(folder, GOOD)
    assert traffic_for_k6(read(path), path)["requests"][0]["rows"] == [{"id": "1\r\n2", "page": "\u2028"}]


def test_a_placeholder_that_k6_would_not_fill_is_refused(folder: Path) -> None:
    (folder / "items.csv").write_text("id,größe\n1,2\n")
    path = written(folder, GOOD.replace("page={page}", "page={größe}"))
    with pytest.raises(UsageError, match=r"nothing fills \{größe\}") as refused:
        traffic_for_k6(read(path), path)
    assert "letters from a to z" in refused.value.cause


def test_braces_that_are_meant_are_left_alone(folder: Path) -> None:
    path = written(folder, GOOD.replace("express = true", 'text = "Dear {customer},"'))
    assert traffic_for_k6(read(path), path)["requests"][1]["json"]["text"] == "Dear {customer},"
