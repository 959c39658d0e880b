#!/bin/sh
# Starts one server: entrypoint.sh COMMAND...
# Clears the last run's counts, starts the exporter next to the server, then becomes the server.
set -eu

here=$(dirname -- "$0")

if [ "$#" -eq 0 ] || [ -z "${LAB_RUN_DIR:-}" ]; then
    printf '%s\n' "entrypoint.sh: LAB_RUN_DIR or the command is missing." \
        "  Likely cause: it was started by hand." \
        "  Next: LAB_RUN_DIR=/tmp/lab LAB_SERVER=NAME $0 COMMAND..." >&2
    exit 2
fi

# Counts of an earlier run would be added to this one's.
if ! { rm -rf -- "$LAB_RUN_DIR/metrics" && mkdir -p -- "$LAB_RUN_DIR/metrics" &&
    [ -w "$LAB_RUN_DIR/metrics" ]; } 2>/dev/null; then
    printf '%s\n' "$LAB_RUN_DIR/metrics cannot be made anew by user $(id -u)." \
        "  Likely cause: LAB_RUN_DIR belongs to another user, is read-only, or is full." \
        "  Next: ls -ld $LAB_RUN_DIR; df $LAB_RUN_DIR" >&2
    exit 3
fi
rm -f -- "$LAB_RUN_DIR/uwsgi-stats.sock" "$LAB_RUN_DIR/gunicorn-notes"

# Twice forked, so that init adopts the exporter: a server that finds a child it did not start may be confused by
# it (and the exporter would be counted among the server's processes). It ends when process $$, the server, ends.
(python3 "$here/exporter.py" --pid "$$" </dev/null &)

exec "$@"
