#!/bin/sh
# Writes the lock files anew from pyproject.toml, with hashes, for every platform. Needs uv: pipx install uv
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links "$@"
}
# dev.txt holds everything; the others are parts of it, at the same versions.
compile --group server --group local --group dev --group cluster --group browser pyproject.toml -o locks/dev.txt
compile -c locks/dev.txt --group server -o locks/server.txt
compile -c locks/dev.txt pyproject.toml -o locks/runner.txt
compile -c locks/dev.txt --group server --group local pyproject.toml -o locks/local.txt
compile -c locks/dev.txt --group server --group local --group browser pyproject.toml -o locks/browser.txt
compile -c locks/dev.txt --group browser pyproject.toml -o locks/runner-browser.txt
