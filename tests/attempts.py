"""A typical wrong attempt at each exercise of the workshop, by its folder's name: what it is, and what was run."""

from __future__ import annotations

from dataclasses import dataclass

QUICK = "--rounds 1 --duration 1.5"


@dataclass(frozen=True)
class Attempt:
    """Something that people do, and that does not pass."""

    about: str
    command: str


WRONG = {
    "01-first-verdict": Attempt("one server alone", f"./lab run --servers gunicorn --rate 50 {QUICK}"),
    "02-one-thread-one-queue": Attempt(
        "both rates beyond the limit", f"./lab run --servers dev-single --rate 100,250 {QUICK}"
    ),
    "03-the-dev-server": Attempt("no crash", f"./lab run --servers dev,gunicorn --rate 100 {QUICK}"),
    "04-workers": Attempt(
        "only a load that waits",
        "./lab run --servers gunicorn --variant one=gunicorn,GUNICORN_WORKERS=1 "
        f"--variant eight=gunicorn,GUNICORN_WORKERS=8 --rate 100 {QUICK}",
    ),
    "05-threads-and-greenlets": Attempt(
        "an app that looks sleep up at each request, so --preload does no harm",
        "./lab run --servers gunicorn-gevent --variant preloaded=gunicorn-gevent,GUNICORN_CMD_ARGS=--preload "
        f"--rate 80 {QUICK}",
    ),
    "06-uwsgi": Attempt(
        "a queue that is longer, not shorter",
        f"./lab run --servers uwsgi-single,uwsgi --variant long=uwsgi-single,UWSGI_LISTEN=1024 --rate 100 {QUICK}",
    ),
    "07-why-nginx": Attempt("no slow visitors", f"./lab run --servers gunicorn,gunicorn-nginx --rate 100 {QUICK}"),
    "08-open-and-closed": Attempt(
        "a server that does not stand still", "python3 workshop/08-open-and-closed/two_loads.py --seconds 3"
    ),
    "09-noise": Attempt("one round", f"./lab run --servers gunicorn --variant twin=gunicorn --rate 100 {QUICK}"),
    "10-limits": Attempt(
        "no quota, and memory enough", f"./lab run --engine compose --servers gunicorn --workload cpu --rate 60 {QUICK}"
    ),
    "11-reload": Attempt("no reload", f"./lab run --servers gunicorn,uwsgi --rate 50 {QUICK}"),
    "12-tune-it": Attempt(
        "fewer workers",
        f"./lab run --servers gunicorn --variant mine=gunicorn,GUNICORN_WORKERS=3 --rate 250 {QUICK}",
    ),
    "13-in-the-browser": Attempt(
        "no overload",
        f"python3 workshop/13-in-the-browser/browse.py ./lab run --servers dev-single,gunicorn --rate 5 {QUICK}",
    ),
    "14-break-it": Attempt("an overloaded server", f"./lab run --servers dev-single --rate 100 {QUICK}"),
    "15-your-own-app": Attempt("the lab's own app", f"./lab run --servers gunicorn --rate 30 {QUICK}"),
}
