# Sourced by engine.sh and build.sh: messages, waiting, and Debian packages without installing them.
# shellcheck shell=bash

# Without symbolic links, as the kernel names the paths of programs and mounts.
CACHE="$(readlink -m "${XDG_CACHE_HOME:-$HOME/.cache}/wsgilab")"
APT_DIR="$CACHE/apt"

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Every failure says what happened, why that is likely, and what to type next.
fail() { # WHAT CAUSE NEXT
  printf '%s: %s\n  Likely cause: %s\n  Next: %s\n' "${0##*/}" "$1" "$2" "$3" >&2
  exit 3
}

poll_until() { # SECONDS COMMAND…
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

own_suite() { (. /etc/os-release && echo "${VERSION_CODENAME:-}"); }

# shellcheck disable=SC2016 # the $(…) are apt's own placeholders
# Asks apt itself rather than parsing its files: that covers both source formats and every include.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v suite="$(own_suite)" '$2 == suite && $3 == "main" { print $1; exit }'
}

debian_keyring() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  if [[ -r $keyring ]]; then echo "$keyring"; fi
}

require_debian() { # WHAT-FOR
  [[ $(uname -s) == Linux && $EUID -eq 0 ]] ||
    fail "cannot $1" "this needs root on Linux" "use a machine where 'docker version' shows a server, or run as root"
  { command -v apt-get && command -v dpkg-deb; } >/dev/null ||
    fail "cannot $1" "this machine has no apt" "install Docker Engine and the Compose plugin ≥ $COMPOSE_AT_LEAST"
  [[ $(. /etc/os-release && echo "$ID") == debian && -n $(debian_mirror) ]] ||
    fail "cannot $1" "apt's sources name no Debian mirror with the suite '$(own_suite)'" \
      "install Docker Engine and the Compose plugin ≥ $COMPOSE_AT_LEAST"
}

# apt with sources, lists and cache of our own: the machine's package state is neither read nor changed.
private_apt() { # COMMAND ARGUMENT…
  "$@" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$APT_DIR/sources" \
    -o Dir::State::Lists="$APT_DIR/lists" -o Dir::Cache="$APT_DIR/cache" \
    -o APT::Sandbox::User=root -o Acquire::Retries=3 -o Acquire::Languages=none
}

refresh_apt() { # SUITE…
  local mirror keyring suite
  mirror="$(debian_mirror)" keyring="$(debian_keyring)"
  rm -rf "$APT_DIR/sources"
  mkdir -p "$APT_DIR"/{sources,lists/partial,cache/archives/partial}
  for suite in "$@"; do
    echo "deb ${keyring:+[signed-by=$keyring]} $mirror $suite main"
  done >"$APT_DIR/sources/private.list"
  # Error-Mode: by itself, apt takes a mirror that it cannot reach for a mere warning.
  private_apt apt-get -qq update -o APT::Update::Error-Mode=any >"$APT_DIR/log" 2>&1 ||
    fail "apt could not read the package lists of: $*" "$(grep '^E:' "$APT_DIR/log" | head -n 1)" \
      "check 'apt-get update' on this machine; log: $APT_DIR/log"
}

unpack_packages() { # FOLDER PACKAGE/SUITE…
  local folder="$1" downloads="$CACHE/download" package
  shift
  rm -rf "$downloads"
  mkdir -p "$downloads"
  (cd "$downloads" && private_apt apt-get -qq download "$@") >"$APT_DIR/log" 2>&1 ||
    fail "apt could not download: $*" "$(tail -n 1 "$APT_DIR/log")" \
      "check the mirror in /etc/apt; log: $APT_DIR/log"
  mkdir -p "$folder"
  for package in "$downloads"/*.deb; do dpkg-deb -x "$package" "$folder"; done
  rm -rf "$downloads"
}
