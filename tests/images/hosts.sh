#!/usr/bin/env bash
# More machines, for tests of `--hosts`: a Docker engine each, in a network namespace of its own on this machine.
#
#   hosts.sh start NAME…   starts them; the first one has the address 10.77.0.11, the next 10.77.0.12, this machine 10.77.0.1
#   hosts.sh cut NAME      cuts its link
#   hosts.sh mend NAME     gives it its link back
#   hosts.sh stop          ends all of them with everything on them
#
# The engine of NAME listens on a socket that `hosts.sh socket NAME` prints. None of them sees this clone: a folder that is
# mounted from it would be empty there, as on another machine. Wants root, and the programs that engine.sh unpacks.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=common.sh
. "$HERE/common.sh"

CLONE="$(cd "$HERE/../.." && pwd)"
DAEMON="$CACHE/engine/daemon"
HOSTS="$CACHE/hosts"
NETWORK=10.77.0
BRIDGE=wsgilab0

main() {
  case "${1:-}" in
    start) start "${@:2}" ;;
    cut) ip link set "$(link_of "$2")" down ;;
    mend) ip link set "$(link_of "$2")" up ;;
    socket) socket_of "$2" ;;
    stop) stop ;;
    *)
      sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
}

socket_of() { echo "$HOSTS/$1/docker.sock"; } # NAME

# An interface has at most 15 characters.
link_of() { echo "wl-$1"; } # NAME

namespace_of() { echo "wsgilab-$1"; } # NAME

start() { # NAME…
  local name number=10
  require_debian "start more machines"
  [[ -x $DAEMON/dockerd ]] || fail "there is no engine to start" "engine.sh has unpacked none" "$HERE/engine.sh start"
  stop
  mkdir -p "$HOSTS"
  ip link add "$BRIDGE" type bridge
  ip addr add "$NETWORK.1/24" dev "$BRIDGE"
  ip link set "$BRIDGE" up
  for name in "$@"; do
    number=$((number + 1))
    connect "$name" "$NETWORK.$number"
    launch "$name"
  done
  for name in "$@"; do
    poll_until 60 docker --host "unix://$(socket_of "$name")" version ||
      fail "the engine of $name does not answer" "its log has the reason" "less $HOSTS/$name/dockerd.log"
  done
}

connect() { # NAME ADDRESS
  local namespace
  namespace="$(namespace_of "$1")"
  ip netns add "$namespace"
  ip link add "$(link_of "$1")" type veth peer name eth0 netns "$namespace"
  ip link set "$(link_of "$1")" master "$BRIDGE" up
  ip -n "$namespace" addr add "$2/24" dev eth0
  ip -n "$namespace" link set eth0 up
  ip -n "$namespace" link set lo up
  ip -n "$namespace" route add default via "$NETWORK.1"
}

# Both daemons of a machine need the same mounts. No descriptor of ours: a lock of the caller's would outlive it.
# shellcheck disable=SC2016 # the inner shell's own words
launch() { # NAME
  local folder="$HOSTS/$1"
  mkdir -p "$folder"
  write_configuration "$1" "$folder"
  PATH="$DAEMON:$PATH" setsid --fork nsenter --net="/run/netns/$(namespace_of "$1")" unshare --mount bash -c '
    for fd in /proc/$$/fd/*; do ((${fd##*/} <= 2)) || eval "exec ${fd##*/}>&-"; done
    mount -t tmpfs none "$1"
    cd "$0"
    containerd --config containerd.toml >containerd.log 2>&1 &
    until [[ -S containerd.sock ]]; do sleep 0.05; done
    exec dockerd --config-file dockerd.json >dockerd.log 2>&1' "$folder" "$CLONE" </dev/null >/dev/null 2>&1
}

write_configuration() { # NAME FOLDER
  cat >"$2/containerd.toml" <<CONFIG
version = 2
root = "$2/containerd-data"
state = "$2/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
  "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "$2/containerd.sock"
CONFIG
  cat >"$2/dockerd.json" <<CONFIG
{
  "hosts": ["unix://$2/docker.sock"],
  "group": "root",
  "containerd": "$2/containerd.sock",
  "data-root": "$2/data",
  "exec-root": "$2/exec",
  "pidfile": "$2/dockerd.pid",
  "userland-proxy-path": "$DAEMON/docker-proxy",
  "init-path": "$DAEMON/docker-init",
  "features": {"containerd-snapshotter": true},
  "cgroup-parent": "$(namespace_of "$1")",
  "ip6tables": false,
  "ip-forward-no-drop": true
}
CONFIG
}

stop() {
  local folder name mountpoint
  for folder in "$HOSTS"/*/; do
    [[ -d $folder ]] || continue
    name="$(basename "$folder")"
    end_all_in "$(namespace_of "$name")"
    ip netns del "$(namespace_of "$name")" 2>/dev/null || true
    ip link del "$(link_of "$name")" 2>/dev/null || true
    find /sys/fs/cgroup -maxdepth 2 -type d -name "$(namespace_of "$name")" -exec rmdir {} + 2>/dev/null || true
  done
  ip link del "$BRIDGE" 2>/dev/null || true
  awk -v below="$HOSTS/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac |
    while read -r mountpoint; do umount -l "$mountpoint" || say "could not unmount $mountpoint"; done
  rm -rf "$HOSTS"
}

# Containers have namespaces of their own: their shims are in this one, and an engine that ends leaves them behind.
end_all_in() { # NAMESPACE
  local socket
  socket="$(socket_of "${1#wsgilab-}")"
  if [[ -S $socket ]]; then
    timeout 30 docker --host "unix://$socket" ps --all --quiet |
      timeout 30 xargs --no-run-if-empty docker --host "unix://$socket" rm --force >/dev/null 2>&1 || true
  fi
  ip netns pids "$1" 2>/dev/null | xargs --no-run-if-empty kill 2>/dev/null || true
  poll_until 15 nobody_in "$1" || ip netns pids "$1" | xargs --no-run-if-empty kill -KILL 2>/dev/null || true
}

nobody_in() { [[ -z $(ip netns pids "$1" 2>/dev/null) ]]; } # NAMESPACE

main "$@"
