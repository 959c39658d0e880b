#!/usr/bin/env bash
# Writes each official image's digest next to its tag in .env: python:3.13.16-slim-trixie@sha256:…
#
#   locks/digests.sh [FILE]    .env, or a file like it
#
# A tag can be moved to other content, a digest cannot. For maintainers, after a version in .env has changed: it wants
# Docker with buildx, and the registries of these images in reach. Nothing is changed unless every digest was found.
set -euo pipefail

FILE="${1:-$(dirname "${BASH_SOURCE[0]}")/../.env}"

main() {
  local changed line
  changed="$(mktemp "$FILE.XXXXXX")"
  # shellcheck disable=SC2064 # the name as it is now
  trap "rm -f '$changed'" EXIT
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line =~ ^([A-Z0-9_]+_IMAGE)=([^@#[:space:]]+) ]]; then
      line="${BASH_REMATCH[1]}=$(pinned "${BASH_REMATCH[2]}")"
    fi
    printf '%s\n' "$line"
  done <"$FILE" >"$changed"
  cat "$changed" >"$FILE"
}

# The digest of the index, which names an image for each kind of processor: one line of .env is for all of them.
pinned() { # IMAGE:TAG
  local digest
  # By printf: `{{.Manifest.Digest}}` alone prints all there is to know.
  digest="$(docker buildx imagetools inspect --format '{{printf "%s" .Manifest.Digest}}' "$1")" || digest=
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] ||
    fail "The digest of $1 was not found; $FILE is as it was." "its registry is out of reach, or has no such tag" \
      "docker buildx imagetools inspect $1"
  printf '%s: %s\n' "$1" "$digest" >&2
  printf '%s@%s' "$1" "$digest"
}

fail() { # WHAT CAUSE NEXT
  printf '%s\n  Likely cause: %s\n  Next: %s\n' "$@" >&2
  exit 3
}

main
