"""The middleware: what it counts, and that the app and the server notice nothing of it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "services" / "serve"))

import metrics
from metrics import Middleware
from table import BUCKET_EDGES_S, LEVELS, NAMES, Table, least_inside, level_of
from tally import Tables, Tally

from wsgilab.model.app_file import MOST_REQUESTS


class Server:
    """Calls a WSGI app as a server does, and keeps what it answered."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def start_response(self, status: str, headers: list[tuple[str, str]], *_exc_info: Any) -> Callable[[bytes], None]:
        self.status, self.headers = status, headers
        return self.written.append

    def call(self, **environ: Any) -> Any:
        setup_testing_defaults(environ)
        return self.app(environ, self.start_response)

    def get(self, **environ: Any) -> bytes:
        body = self.call(**environ)
        try:
            return b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()


class Body:
    """An iterable that is its own iterator, as werkzeug's are, and counts how often it is closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self.chunks)

    def close(self) -> None:
        self.closed += 1


def answering(body: Any, status: str = "200 OK") -> Callable[..., Any]:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response(status, [("Content-Type", "text/plain")])
        return body

    return app


def counted(directory: Path) -> Tally:
    return Tables(directory, is_alive=lambda _pid: True).read()


def test_a_request_counts_once_its_body_is_closed(tmp_path: Path) -> None:
    body = Body(b"a", b"b")
    wrapped = Server(Middleware(answering(body), tmp_path, "gunicorn"))

    response = wrapped.call()
    assert list(response) == [b"a", b"b"]
    assert counted(tmp_path).in_flight == 1
    assert counted(tmp_path).requests_by_code == {}
    response.close()

    tally = counted(tmp_path)
    assert tally.in_flight == 0
    assert tally.requests_by_code == {200: 1}
    assert [(worker.pid, worker.requests) for worker in tally.living] == [(os.getpid(), 1)]
    assert 0 < tally.living[0].start_cpu_s <= time.process_time(), "what it had used when the request came"
    assert tally.cumulative_buckets[-1] == 1
    assert len(tally.cumulative_buckets) == len(BUCKET_EDGES_S) + 1
    assert tally.duration_sum_s > 0
    assert body.closed == 1


def test_the_server_is_named_in_a_header_and_the_apps_own_list_is_left_alone(tmp_path: Path) -> None:
    headers = [("Content-Type", "text/plain")]

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", headers)
        return [b""]

    wrapped = Server(Middleware(app, tmp_path, "uwsgi"))
    wrapped.get()
    wrapped.get()

    assert wrapped.headers == [("Content-Type", "text/plain"), ("X-Lab-Server", "uwsgi")]
    assert headers == [("Content-Type", "text/plain")]


def test_the_run_that_started_the_server_is_named_too_where_one_did(tmp_path: Path) -> None:
    wrapped = Server(Middleware(lambda _environ, answer: [answer("200 OK", []), []][1], tmp_path, "uwsgi", "4f2a"))
    wrapped.get()
    assert wrapped.headers == [("X-Lab-Server", "uwsgi"), ("X-Lab-Run", "4f2a")]


@pytest.mark.parametrize(
    ("status", "code"), [("204 No Content", 204), ("404 Not Found", 404), ("599 Odd", 599), ("OK", 500)]
)
def test_requests_are_counted_by_status_code(tmp_path: Path, status: str, code: int) -> None:
    Server(Middleware(answering([], status), tmp_path, "x")).get()
    assert counted(tmp_path).requests_by_code == {code: 1}


def test_a_client_that_goes_away_still_ends_its_request_and_closes_the_body_once(tmp_path: Path) -> None:
    body = Body(b"a", b"b", b"c")
    response = Server(Middleware(answering(body), tmp_path, "x")).call()
    iterator = iter(response)
    assert next(iterator) == b"a"

    response.close()
    del iterator  # the unfinished generator is thrown away, which must not close the body again
    response.close()

    assert body.closed == 1
    assert counted(tmp_path).requests_by_code == {200: 1}
    assert counted(tmp_path).in_flight == 0


def test_a_server_that_forgets_to_close_the_body_still_ends_the_request(tmp_path: Path) -> None:
    response = Server(Middleware(answering(Body(b"a")), tmp_path, "x")).call()
    assert list(response) == [b"a"]
    del response
    assert counted(tmp_path).requests_by_code == {200: 1}
    assert counted(tmp_path).in_flight == 0


def test_an_exception_of_the_app_counts_as_500_and_goes_on_to_the_server(tmp_path: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError, match="no database"):
        Server(Middleware(app, tmp_path, "x")).get()

    assert counted(tmp_path).requests_by_code == {500: 1}
    assert counted(tmp_path).in_flight == 0


def test_an_exception_in_mid_body_counts_as_500_once(tmp_path: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        raise SystemExit

    with pytest.raises(SystemExit):
        Server(Middleware(app, tmp_path, "x")).get()

    assert counted(tmp_path).requests_by_code == {500: 1}
    assert counted(tmp_path).in_flight == 0


def test_an_exception_while_closing_counts_as_500_and_goes_on(tmp_path: Path) -> None:
    class Stuck(Body):
        def close(self) -> None:
            raise OSError("stuck")

    with pytest.raises(OSError, match="stuck"):
        Server(Middleware(answering(Stuck(b"a")), tmp_path, "x")).get()

    assert counted(tmp_path).requests_by_code == {500: 1}
    assert counted(tmp_path).in_flight == 0


def test_an_error_page_replaces_the_status_that_was_announced_first(tmp_path: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise ValueError
        except ValueError:
            start_response("503 Busy", [], sys.exc_info())
        return [b"busy"]

    wrapped = Server(Middleware(app, tmp_path, "x"))
    assert wrapped.get() == b"busy"
    assert wrapped.status == "503 Busy"
    assert counted(tmp_path).requests_by_code == {503: 1}


def test_the_write_callable_of_old_apps_still_writes(tmp_path: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])(b"old")
        return []

    wrapped = Server(Middleware(app, tmp_path, "x"))
    wrapped.get()
    assert wrapped.written == [b"old"]


def test_a_list_keeps_its_length_so_that_servers_can_set_content_length(tmp_path: Path) -> None:
    response = Server(Middleware(answering([b"one"]), tmp_path, "x")).call()
    assert len(response) == 1
    assert list(response) == [b"one"]
    response.close()
    assert counted(tmp_path).requests_by_code == {200: 1}


def test_a_generator_that_answers_late_is_counted_under_its_own_status(tmp_path: Path) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("201 Created", [])
        yield b"late"

    assert Server(Middleware(app, tmp_path, "x")).get() == b"late"
    assert counted(tmp_path).requests_by_code == {201: 1}


def test_a_servers_own_file_object_reaches_it_unwrapped_so_that_sendfile_works(tmp_path: Path) -> None:
    file = io.BytesIO(b"content")
    wrapper = FileWrapper(file)
    response = Server(Middleware(answering(wrapper), tmp_path, "x")).call(**{"wsgi.file_wrapper": FileWrapper})

    assert response is wrapper
    assert counted(tmp_path).in_flight == 1
    response.close()

    assert file.closed
    assert counted(tmp_path).requests_by_code == {200: 1}
    assert counted(tmp_path).in_flight == 0


def test_a_file_that_cannot_be_watched_is_counted_as_it_is_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b"content")
    with path.open("rb") as file:
        # uWSGI's file_wrapper is a function that gives back the file as it was.
        environ = {"wsgi.file_wrapper": lambda given, _size: given}
        assert Server(Middleware(answering(file), tmp_path, "x")).call(**environ) is file
    assert counted(tmp_path).requests_by_code == {200: 1}


def test_the_middleware_keeps_to_pep_3333(tmp_path: Path) -> None:
    app = validator(Middleware(validator(answering([b"x"])), tmp_path, "x"))
    assert Server(app).get(QUERY_STRING="") == b"x"


@pytest.mark.parametrize("name", ["X-Lab-Server", "x-lab-server", "X-LAB-RUN"])
@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_the_labs_own_headers_stand_in_the_place_of_an_apps(
    tmp_path: Path, name: str, kind: Callable[..., Any]
) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", kind([(name, "the app's"), ("X-Other", "kept")]))
        return [b""]

    wrapped = Server(Middleware(app, tmp_path, "dev", "r1"))
    wrapped.get()
    assert list(wrapped.headers) == [("X-Other", "kept"), ("X-Lab-Server", "dev"), ("X-Lab-Run", "r1")]


class Lengthless(Body):
    """A body whose length raises, each time with the class it was made for."""

    raises: type[Exception] = TypeError

    def __len__(self) -> int:
        raise self.raises


class Ill(Lengthless):
    raises = ZeroDivisionError


class OddList(list[Any]):
    pass


def with_headers(headers: Any, status: Any = "200 OK") -> Callable[..., Any]:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response(status, headers)
        return [b"body"]

    return app


def without_an_answer(_environ: dict[str, Any], _start_response: Callable[..., Any]) -> list[bytes]:
    return [b"body"]


ODDITIES: dict[str, Callable[[], Callable[..., Any]]] = {
    "a length that cannot be told": lambda: answering(Lengthless(b"a", b"b")),
    "a length that fails": lambda: answering(Ill(b"a")),
    "a length of one": lambda: answering([b"one"]),
    "headers as a tuple": lambda: with_headers((("A", "b"),)),
    "headers as a generator": lambda: with_headers(pair for pair in [("A", "b")]),
    "headers in a list of another kind": lambda: with_headers(OddList([("A", "b")])),
    "no headers": lambda: with_headers(None),
    "a header of three": lambda: with_headers([("A", "b", "c")]),
    "a header that is no pair": lambda: with_headers([7]),
    "a header without a name": lambda: with_headers([("", "b")]),
    "a name in bytes": lambda: with_headers([(b"A", "b")]),
    "a value that is no text": lambda: with_headers([("A", 7)]),
    "a status in bytes": lambda: with_headers([], b"200 OK"),
    "a status that is a number": lambda: with_headers([], 200),
    "no status": lambda: with_headers([], None),
    "a body of text": lambda: answering("text"),
    "no body": lambda: answering(None),
    "a body that is a number": lambda: answering(7),
    "no start_response": lambda: without_an_answer,
}


class Handler(SimpleHandler):
    """wsgiref's server, which notes what it fails with."""

    failure: tuple[type[BaseException] | None, str] | None = None

    def log_exception(self, exc_info: Any) -> None:
        self.failure = exc_info[0], str(exc_info[1])


def served_by_wsgiref(app: Callable[..., Any]) -> tuple[bytes, tuple[type[BaseException] | None, str] | None]:
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    output = io.BytesIO()
    handler = Handler(io.BytesIO(), output, io.StringIO(), environ)
    handler.run(app)
    answer = re.sub(rb"Date: [^\r]*\r\n|X-Lab-Server: x\r\n", b"", output.getvalue())
    return answer, handler.failure


@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_apps_oddities_reach_the_server_as_they_are(tmp_path: Path, oddity: str) -> None:
    bare = served_by_wsgiref(ODDITIES[oddity]())
    wrapped = served_by_wsgiref(Middleware(ODDITIES[oddity](), tmp_path, "x"))
    assert wrapped == bare
    assert counted(tmp_path).in_flight == 0


class HastySlots:
    """Slots that let another thread in between the read and the write of `slots[i] += 1.0`."""

    def __init__(self, slots: memoryview) -> None:
        self.slots = slots

    def __getitem__(self, index: int) -> float:
        value: float = self.slots[index]
        time.sleep(0)
        return value

    def __setitem__(self, index: int, value: float) -> None:
        self.slots[index] = value


@pytest.mark.parametrize("promise", [{"wsgi.multithread": True}, {}], ids=["threads", "no promise"])
def test_threads_of_one_process_lose_no_request(tmp_path: Path, promise: dict[str, Any]) -> None:
    wrapped = Middleware(answering([b"x"]), tmp_path, "x")
    table = wrapped._open_table()
    table.slots = cast(memoryview, HastySlots(table.slots))

    def ask() -> None:
        for _ in range(200):
            wrapped({**promise}, lambda *_: None).close()  # type: ignore[attr-defined]

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    tally = counted(tmp_path)
    assert tally.requests_by_code == {200: 1600}
    assert tally.cumulative_buckets[-1] == 1600
    assert tally.in_flight == 0


def test_a_server_of_one_thread_takes_no_lock(tmp_path: Path) -> None:
    wrapped = Middleware(answering([b"x"]), tmp_path, "x")
    del wrapped._open_table().lock
    wrapped({"wsgi.multithread": False}, lambda *_: None).close()  # type: ignore[attr-defined]
    assert counted(tmp_path).requests_by_code == {200: 1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_worker_counts_in_a_table_of_its_own(tmp_path: Path) -> None:
    wrapped = Server(Middleware(answering([b"x"]), tmp_path, "x"))
    wrapped.get()
    child = os.fork()
    if child == 0:
        wrapped.get()
        os._exit(0)
    os.waitpid(child, 0)

    assert len(list(tmp_path.glob("*.table"))) == 2
    assert counted(tmp_path).requests_by_code == {200: 2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("comes_back", ["with an answer", "with an exception"])
def test_a_child_that_an_app_forks_in_a_request_is_not_counted_when_it_comes_back(
    tmp_path: Path, comes_back: str
) -> None:
    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        if os.fork() == 0 and comes_back == "with an exception":
            raise SystemExit
        return [b""]

    parent, wrapped = os.getpid(), Server(Middleware(app, tmp_path, "x"))
    try:
        wrapped.get()
    finally:
        if os.getpid() != parent:
            os._exit(0)
    os.wait()
    tally = counted(tmp_path)
    assert (tally.requests_by_code, tally.in_flight) == ({200: 1}, 0)
    assert wrapped.app.table.inside == 0  # type: ignore[attr-defined]


def test_each_request_is_counted_by_how_many_were_inside_as_it_began(tmp_path: Path) -> None:
    wrapped = Server(Middleware(answering([b"x"]), tmp_path, "x"))
    responses = [wrapped.call() for _ in range(3)]
    responses.pop().close()
    responses.append(wrapped.call())
    (worker,) = counted(tmp_path).living
    assert worker.arrivals == {1: 1, 2: 1, 3: 2}
    assert (worker.requests, worker.in_flight) == (1, 3)
    for response in responses:
        response.close()
    assert counted(tmp_path).in_flight == 0


def test_levels_are_exact_below_64_and_three_percent_wide_above() -> None:
    assert [least_inside(level_of(inside)) for inside in range(64)] == list(range(64))
    assert [least_inside(level_of(inside)) for inside in (64, 65, 66, 127, 128, 1000, 2000)] == [
        64, 64, 66, 126, 128, 992, 1984,
    ]  # fmt: skip
    levels = [level_of(inside) for inside in range(1, 9000)]
    assert levels == sorted(levels)
    assert max(levels) == LEVELS - 1
    assert all(0 <= inside - least_inside(level_of(inside)) <= inside * 0.0313 for inside in range(64, 8192))


def test_a_dead_workers_counts_stay_and_its_requests_in_flight_go(tmp_path: Path) -> None:
    wrapped = Server(Middleware(answering([b"x"]), tmp_path, "x"))
    wrapped.get()
    stuck = wrapped.call()
    living, tables = {os.getpid()}, Tables(tmp_path, is_alive=lambda pid: pid in living)
    assert tables.read().in_flight == 1

    living.clear()
    for _ in range(2):
        tally = tables.read()
        assert tally.requests_by_code == {200: 1}
        assert tally.cumulative_buckets[-1] == 1
        assert tally.in_flight == 0
    assert list(tmp_path.glob("*.table")) == []
    del stuck


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("in_order", [True, False], ids=["ends in order", "is killed"])
def test_a_worker_that_ends_in_order_says_so(tmp_path: Path, in_order: bool) -> None:
    child = (
        "import os, signal; from pathlib import Path; from metrics import Middleware\n"
        "app = Middleware(lambda *_: [b''], Path('.'), 'x')\n"
        "app({}, print).close()\n"
        f"{in_order} or os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {"PYTHONPATH": str(Path(metrics.__file__).parent)}
    subprocess.run([sys.executable, "-c", child], cwd=tmp_path, env=environment, check=in_order)
    (worker,) = Tables(tmp_path, is_alive=lambda _pid: False).read().dead
    assert worker.has_left == in_order


def test_a_worker_with_a_dead_ones_number_starts_a_table_of_its_own(tmp_path: Path) -> None:
    former, present = Table(tmp_path), Table(tmp_path)
    former.enter()  # in flight as it died
    present.enter()
    present.enter()

    assert counted(tmp_path).in_flight == 2
    assert len(list(tmp_path.glob("*.table"))) == 1


@pytest.mark.parametrize("name", ["x.table", "1-x.table", "-1.table", "1-1-1.table"])
def test_what_is_no_table_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"?")
    (tmp_path / "1-1.table").mkdir()
    assert counted(tmp_path).requests_by_code == {}
    assert (tmp_path / name).exists()


def test_a_table_that_is_just_being_made_is_not_read(tmp_path: Path) -> None:
    (tmp_path / f"{os.getpid()}-1.table").write_bytes(b"")
    assert counted(tmp_path).requests_by_code == {}
    assert len(list(tmp_path.glob("*.table"))) == 1


# ── requests that the load generator gave a name ────────────────────────────────────────────────────────────────────


def burning(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Uses about 5 ms of its thread's CPU time, and says whether it can see the name."""
    until = time.thread_time() + 0.005
    while time.thread_time() < until:
        pass
    start_response("200 OK", [])
    return [b"seen" if "HTTP_X_LAB_REQUEST" in environ else b"not seen"]


def test_a_named_request_is_counted_with_its_cpu_time_and_the_app_does_not_see_the_name(tmp_path: Path) -> None:
    wrapped = Server(Middleware(burning, tmp_path, "x"))
    assert wrapped.get(HTTP_X_LAB_REQUEST="7") == b"not seen"
    wrapped.get(HTTP_X_LAB_REQUEST="7")
    wrapped.get(HTTP_X_LAB_REQUEST="99")
    wrapped.get()
    tally = counted(tmp_path)
    assert {number: found.requests for number, found in tally.named.items()} == {7: 2, 99: 1}
    seven = tally.named[7]
    assert 0.010 <= seven.cpu_seconds <= seven.seconds + 0.001, "by two clocks"
    assert tally.requests_by_code == {200: 4}
    assert [worker.requests for worker in tally.living] == [4]


@pytest.mark.parametrize("name", ["", "100", "-1", "07", "checkout", "7, 8", "٣"])
def test_what_is_no_number_of_a_name_counts_under_none(tmp_path: Path, name: str) -> None:
    assert Server(Middleware(burning, tmp_path, "x")).get(HTTP_X_LAB_REQUEST=name) == b"not seen"
    tally = counted(tmp_path)
    assert (tally.named, tally.requests_by_code) == ({}, {200: 1})


def test_a_request_that_ends_in_another_thread_has_no_cpu_time_that_could_be_told(tmp_path: Path) -> None:
    response = Server(Middleware(burning, tmp_path, "x")).call(HTTP_X_LAB_REQUEST="7")
    thread = threading.Thread(target=response.close)
    thread.start()
    thread.join()
    tally = counted(tmp_path)
    assert (tally.named, tally.requests_by_code) == ({}, {200: 1})


def test_where_greenlets_share_a_thread_only_their_time_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gevent", cast(Any, object()))
    Server(Middleware(burning, tmp_path, "x")).get(HTTP_X_LAB_REQUEST="0")
    found = counted(tmp_path).named[0]
    assert (found.requests, found.cpu_seconds) == (1, 0)
    assert found.seconds >= 0.005


def test_there_are_as_many_numbers_as_a_lab_toml_may_have_requests() -> None:
    assert NAMES == MOST_REQUESTS
