"""One colour per server, the same in every dashboard. Told apart with red-green and blue-yellow blindness.

After Okabe & Ito (https://jfly.uni-koeln.de/color/) and Paul Tol (https://sronpersonalpages.nl/~pault/).
"""

from __future__ import annotations

SERVER_COLORS = {
    "dev-single": "#D55E00",
    "dev": "#E69F00",
    "gunicorn": "#0072B2",
    "uwsgi-single": "#CC79A7",
    "uwsgi": "#009E73",
    "gunicorn-gthread": "#56B4E9",
    "gunicorn-gevent": "#332288",
    "gunicorn-nginx": "#6699CC",
    "uwsgi-http": "#44AA99",
    "waitress": "#999933",
    "granian": "#882255",
}

# Of the strip: no server's colour, and light enough for dark letters except where nothing is said.
STATE_COLORS = {"down": "#BB5566", "idle": "#555555", "warm-up": "#BBBBBB", "measured": "#F0E442"}

# Of the parts that a response time is made of, from the client inwards.
PART_COLORS = {"connect": "#88CCEE", "nginx": "#44AA99", "queue": "#CC6677", "app": "#4477AA", "transfer": "#DDCC77"}

LIMIT_COLORS = {"slots allow": "#CC6677", "CPUs allow": "#4477AA", "offered": "#BBBBBB"}
