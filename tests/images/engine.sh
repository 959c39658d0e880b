#!/usr/bin/env bash
# A Docker engine out of Debian packages, for machines without one and without an image registry.
#
#   engine.sh start    uses the engine that answers, or unpacks and starts a private one
#   engine.sh env      prints the lines to eval so that docker, docker compose and docker buildx find it
#   engine.sh status   exit 0 when an engine answers
#   engine.sh stop     ends the private engine with its containers, networks, volumes and mounts
#
# Nothing is installed: packages are unpacked into a cache, and every path, socket and pid file is
# our own, so an engine that belongs to the machine is never touched.
set -euo pipefail

COMPOSE_AT_LEAST=2.20
ENGINE_SUITE="${WSGILAB_ENGINE_SUITE:-forky}" # the first Debian suite with Compose 2.40 and an engine ≥ 25 (start_interval)

# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ENGINE="$CACHE/engine"
ROOT="$ENGINE/root"     # unpacked packages
CLIENT="$ENGINE/client" # what a user's PATH gets: docker alone
DAEMON="$ENGINE/daemon" # what the daemons' PATH gets
STATE="$ENGINE/state"   # sockets, pids, logs, and how the machine was before
CONFIG="$ENGINE/config" # DOCKER_CONFIG
SOCKET="$STATE/docker.sock"

main() {
  case "${1:-}" in
    start) start ;;
    stop) stop ;;
    env) print_env ;;
    status) status ;;
    *)
      sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
}

start() {
  if machine_engine_answers; then
    say "an engine already answers: $(docker version --format '{{.Server.Version}}'), Compose $(docker compose version --short)"
  elif private_engine_answers; then
    say "the private engine already runs"
  else
    require_debian "start a private Docker engine"
    require_short_path
    stop # what a crash or a reboot left behind
    unpack_engine
    launch
    say "private engine $(private_docker version --format '{{.Server.Version}}') runs; use it with: eval \"\$(${BASH_SOURCE[0]} env)\""
  fi
}

# shellcheck disable=SC2016 # $PATH is for the shell that evals this
print_env() {
  if private_engine_answers; then
    printf 'export DOCKER_HOST=%q DOCKER_CONFIG=%q\n' "unix://$SOCKET" "$CONFIG"
    printf 'case ":$PATH:" in *:%q:*) ;; *) export PATH=%q:"$PATH" ;; esac\n' "$CLIENT" "$CLIENT"
  elif machine_engine_answers; then
    echo ': # the machine has its own engine'
  else
    fail "no Docker engine answers" "it was not started, or has ended" "${BASH_SOURCE[0]} start"
  fi
}

status() {
  if private_engine_answers; then
    say "the private engine runs"
  elif machine_engine_answers; then
    say "the machine's own engine answers"
  else
    say "no engine answers"
    return 1
  fi
}

# --- is there one? ---------------------------------------------------------------------------------

# The client alone proves nothing: ask for the server's version.
machine_engine_answers() {
  local compose
  timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || return 1
  compose="$(timeout 10 docker compose version --short 2>/dev/null)" || return 1
  printf '%s\n' "$COMPOSE_AT_LEAST" "${compose#v}" | sort --check=quiet --version-sort
}

private_docker() { DOCKER_HOST="unix://$SOCKET" DOCKER_CONFIG="$CONFIG" timeout 60 "$CLIENT/docker" "$@"; }

private_engine_answers() {
  [[ -S $SOCKET && -x $CLIENT/docker ]] && private_docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# The kernel holds the address of a socket to 107 characters; the longest here adds 30.
require_short_path() {
  ((${#STATE} <= 75)) ||
    fail "the engine's sockets would have too long a path: $STATE" "the cache folder lies deep" \
      "XDG_CACHE_HOME=/var/tmp ${BASH_SOURCE[0]} start"
}

# --- unpack ----------------------------------------------------------------------------------------

# runc and iptables come from the machine's own suite: the newer ones want a newer C library.
engine_packages() {
  local package
  for package in docker.io docker-cli containerd docker-buildx docker-compose tini-static; do
    echo "$package/$ENGINE_SUITE"
  done
  for package in runc iptables libip4tc2 libip6tc2 libxtables12 libmnl0 libnftnl11 libnetfilter-conntrack3 libnfnetlink0; do
    echo "$package/$(own_suite)"
  done
}

unpack_engine() {
  local wanted packages
  mapfile -t packages < <(engine_packages)
  wanted="$(printf '%s\n' "${packages[@]}" "$(declare -f link_programs wrap_iptables)")"
  [[ $(cat "$ENGINE/unpacked" 2>/dev/null) != "$wanted" ]] || return 0
  say "downloading a Docker engine from the Debian mirror (about 90 MB, once)"
  rm -rf "$ENGINE/unpacked" "$ROOT" "$CLIENT" "$DAEMON" "$CONFIG"
  mkdir -p "$CLIENT" "$DAEMON" "$CONFIG/cli-plugins"
  refresh_apt "$ENGINE_SUITE" "$(own_suite)"
  unpack_packages "$ROOT" "${packages[@]}"
  link_programs
  wrap_iptables
  "$DAEMON/dockerd" --version >/dev/null 2>&1 ||
    fail "the unpacked dockerd does not run" "$ENGINE_SUITE may need a newer C library than $(own_suite) has" \
      "WSGILAB_ENGINE_SUITE=trixie ${BASH_SOURCE[0]} start"
  echo "$wanted" >"$ENGINE/unpacked"
}

link_programs() {
  local name
  ln -s "$ROOT/usr/bin/docker" "$CLIENT/docker"
  ln -s "$ROOT"/usr/libexec/docker/cli-plugins/docker-* "$CONFIG/cli-plugins/"
  for name in containerd containerd-shim-runc-v2 runc dockerd docker-proxy; do
    ln -s "$(find "$ROOT/usr" -name "$name" ! -type d -perm -u+x -print -quit)" "$DAEMON/$name"
  done
  ln -s "$ROOT/usr/bin/tini-static" "$DAEMON/docker-init" # what `init: true` puts into a container
}

# A wrapper, not LD_LIBRARY_PATH for dockerd as a whole: only iptables needs these libraries.
wrap_iptables() {
  local libraries name
  libraries="$(dirname "$(find "$ROOT" -name 'libxtables.so.12' -print -quit)")"
  for name in iptables iptables-save iptables-restore; do
    cat >"$DAEMON/$name" <<WRAPPER
#!/bin/sh
export LD_LIBRARY_PATH='$libraries' XTABLES_LIBDIR='$libraries/xtables'
exec '$ROOT/usr/sbin/xtables-nft-multi' $name "\$@"
WRAPPER
    chmod +x "$DAEMON/$name"
  done
}

# --- launch ----------------------------------------------------------------------------------------

launch() {
  mkdir -p "$STATE" "$ENGINE/data"
  remember_machine
  write_configuration
  spawn containerd containerd --config "$STATE/containerd.toml"
  poll_until 30 test -S "$STATE/containerd.sock" || launch_failed containerd
  spawn dockerd dockerd --config-file "$STATE/dockerd.json"
  poll_until 60 private_docker version --format '{{.Server.Version}}' || launch_failed dockerd
}

launch_failed() { # NAME
  local log="$ENGINE/$1.log" last
  last="$(grep -E 'level=(error|fatal)|failed' "$log" | tail -n 1 || true)"
  stop
  fail "$1 did not become ready" "${last:-no error in its log}" "less $log"
}

write_configuration() {
  # Plugins for Kubernetes and for extensions would write to /opt and /run.
  cat >"$STATE/containerd.toml" <<CONFIG
version = 2
root = "$ENGINE/data/containerd"
state = "$STATE/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
  "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = "$STATE/containerd.sock"
CONFIG
  # ip6tables off: the lab publishes on 127.0.0.1 only. No-drop: a test engine must not become a firewall.
  # The containerd image store: the default of engines that are new, and stricter than the older one.
  cat >"$STATE/dockerd.json" <<CONFIG
{
  "hosts": ["unix://$SOCKET"],
  "group": "root",
  "containerd": "$STATE/containerd.sock",
  "data-root": "$ENGINE/data/docker",
  "exec-root": "$STATE/docker",
  "pidfile": "$STATE/dockerd.own.pid",
  "userland-proxy-path": "$DAEMON/docker-proxy",
  "init-path": "$DAEMON/docker-init",
  "features": {"containerd-snapshotter": true},
  "ip6tables": false,
  "ip-forward-no-drop": true
}
CONFIG
}

# A session of its own, so that Ctrl-C in the caller's terminal does not end the engine before `stop` does;
# no inherited descriptors, so that a pipe around `start` sees its end and no lock of the caller's outlives it.
# shellcheck disable=SC2016 # the inner shell's own words
spawn() { # NAME COMMAND…
  local name="$1"
  shift
  setsid --fork bash -c '
    for fd in /proc/$$/fd/*; do ((${fd##*/} <= 2)) || eval "exec ${fd##*/}>&-"; done
    echo $$ >"$0"
    exec "$@"' "$STATE/$name.pid" \
    env PATH="$DAEMON:$PATH" "$@" </dev/null >"$ENGINE/$name.log" 2>&1
}

# --- stop ------------------------------------------------------------------------------------------

stop() {
  [[ -d $STATE ]] || return 0
  remove_containers
  terminate dockerd
  end_orphans
  terminate containerd
  unmount_all
  restore_machine
  rm -rf "$STATE"
  say "the private engine is stopped"
}

remove_containers() {
  local containers
  private_engine_answers || return 0
  mapfile -t containers < <(private_docker ps --all --quiet)
  [[ ${#containers[@]} -eq 0 ]] || private_docker rm --force --volumes "${containers[@]}" >/dev/null || true
  private_docker network prune --force >/dev/null || true
  private_docker volume prune --all --force >/dev/null || true
}

# The recorded number counts only while it still belongs to that program.
terminate() { # NAME
  local pid
  pid="$(cat "$STATE/$1.pid" 2>/dev/null)" || return 0
  [[ $(readlink "/proc/$pid/exe" 2>/dev/null) == "$ROOT"/* ]] || return 0
  kill -TERM "$pid" 2>/dev/null || return 0
  poll_until 30 gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
  poll_until 10 gone "$pid" || say "process $pid ($1) would not end"
}

gone() { ! kill -0 "$1" 2>/dev/null; }

# After a crash of dockerd its containers live on under shims, which name our socket on their command line.
end_orphans() {
  local cmdline pid
  grep --files-with-matches --text --fixed-strings "$STATE/containerd.sock" /proc/[0-9]*/cmdline 2>/dev/null | while read -r cmdline; do
    pid="${cmdline//[!0-9]/}"
    [[ $(readlink "/proc/$pid/exe") == "$ROOT"/*/containerd-shim-runc-v2 ]] || continue
    # shellcheck disable=SC2046 # one word per child
    kill -KILL $(cat "/proc/$pid"/task/*/children) "$pid" 2>/dev/null || true
  done || true
}

unmount_all() {
  local mountpoint
  awk -v below="$ENGINE/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac |
    while read -r mountpoint; do umount -l "$mountpoint" || say "could not unmount $mountpoint"; done
}

# --- the machine before and after ------------------------------------------------------------------

bridges() {
  local interface
  for interface in /sys/class/net/*; do
    if [[ -d $interface/bridge ]]; then basename "$interface"; fi
  done | sort
}

remember_machine() {
  cat /proc/sys/net/ipv4/ip_forward >"$STATE/ip_forward"
  bridges >"$STATE/bridges"
  if ! "$DAEMON/iptables-save" 2>/dev/null | grep DOCKER >/dev/null; then touch "$STATE/no-docker-rules"; fi
}

restore_machine() {
  local ours
  if [[ -f $STATE/bridges ]]; then
    ours="$(bridges | comm -13 "$STATE/bridges" - | sed -nE '/^(docker0|br-[0-9a-f]{12})$/p' | paste -sd'|')"
    remove_rules "DOCKER${ours:+|$ours}"
    remove_bridges "${ours//|/ }"
  fi
  if [[ -s $STATE/ip_forward ]]; then cat "$STATE/ip_forward" >/proc/sys/net/ipv4/ip_forward; fi
  # The empty groups that our containers sat in; rmdir refuses one that is still in use.
  find /sys/fs/cgroup -maxdepth 2 -type d -name docker -exec rmdir {} + 2>/dev/null || true
}

# Where another engine's rules were there first, ours cannot be told from them: leave all.
remove_rules() { # PATTERN
  local table rules
  [[ -f $STATE/no-docker-rules ]] || return 0
  for table in raw nat filter; do
    rules="$("$DAEMON/iptables-save" -t "$table" 2>/dev/null)" || continue
    grep -qE "$1" <<<"$rules" || continue
    grep -vE "$1" <<<"$rules" | "$DAEMON/iptables-restore" --table="$table" || say "could not clean iptables table $table"
  done
}

remove_bridges() { # NAMES
  local bridge
  for bridge in $1; do
    ip link delete "$bridge" || say "could not delete the network bridge $bridge"
  done
}

main "$@"
