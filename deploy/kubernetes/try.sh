#!/usr/bin/env bash
# Measures once in a cluster of its own on this machine, and says after each step that it worked. Needs docker with
# Compose, kubectl, and kind or k3d; makes a cluster called wsgilab-try and removes it again (KEEP=1 leaves it).
#
#     deploy/kubernetes/try.sh                           the five servers of the lesson
#     deploy/kubernetes/try.sh --servers gunicorn        any options of ./lab kubernetes render
#
# No cluster was at hand when this was written, so it has never run in one. It must print, at the end of each step:
#
#     ok: images are built
#     ok: the cluster has the images
#     ok: the manifests are accepted
#     ok: every server is available
#     ok: the runner has ended by itself
#     ok: the verdict is of a cluster and names every server
#     ok: the results were copied, and give the same verdict here
#
# The verdict itself means nothing: servers and load share the CPUs of this machine, and windows may be void because of that.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
CLUSTER=wsgilab-try
NAMESPACE=wsgilab
IMAGES=(wsgilab-server:local wsgilab-runner:local)
START_S=600
RUN_S=1800
work="$(mktemp -d)"
ours=false
# A file of its own: which cluster is the current one in yours stays as it is.
export KUBECONFIG="$work/kubeconfig"

main() {
  trap clean_up EXIT
  require docker
  require kubectl
  command -v kind k3d >/dev/null || { say "there is neither kind nor k3d"; exit 3; }
  docker compose build --quiet image prometheus-setup
  ok "images are built"
  make_cluster
  ok "the cluster has the images"
  ./lab kubernetes render --out "$work/manifests" "$@"
  kubectl apply --server-side --kustomize "$work/manifests/overlays/try"
  ok "the manifests are accepted"
  kubectl --namespace "$NAMESPACE" wait --for=condition=Available --timeout="${START_S}s" deployment --all
  ok "every server is available"
  wait_for_runner
  ok "the runner has ended by itself"
  look_at_results
}

require() {
  command -v "$1" >/dev/null || { say "there is no $1"; exit 3; }
}

make_cluster() {
  if command -v kind >/dev/null; then
    ours=true
    kind create cluster --name "$CLUSTER" --wait 120s
    kind load docker-image --name "$CLUSTER" "${IMAGES[@]}"
  else
    ours=true
    k3d cluster create "$CLUSTER" --wait
    k3d image import --cluster "$CLUSTER" "${IMAGES[@]}"
  fi
}

# Exit code 5 is a run in which no window was valid: on a small machine that is what the lab has to say.
wait_for_runner() {
  local finished
  finished='{.status.conditions[?(@.type=="Complete")].status}{.status.conditions[?(@.type=="Failed")].status}'
  for _ in $(seq "$RUN_S"); do
    [[ $(kubectl --namespace "$NAMESPACE" get job runner --output "jsonpath=$finished") == *True* ]] && break
    sleep 1
  done
  kubectl --namespace "$NAMESPACE" logs job/runner | tee "$work/log"
  local code
  code="$(kubectl --namespace "$NAMESPACE" get pods --selector app.kubernetes.io/name=runner \
    --output 'jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}')"
  [[ $code == 0 || $code == 5 ]] || { say "the runner ended with ${code:-no code}"; exit 1; }
}

look_at_results() {
  kubectl apply --filename "$work/manifests/results.yaml"
  kubectl --namespace "$NAMESPACE" wait --for=condition=Ready --timeout=120s pod/results
  kubectl --namespace "$NAMESPACE" cp results:/results "$work/results"
  local run server
  run="$(dirname "$(echo "$work"/results/*/verdict.json)")"
  grep -q '"engine": "kubernetes"' "$run/verdict.json" || { say "the verdict is of another engine"; exit 1; }
  for server in $(kubectl --namespace "$NAMESPACE" get pods --selector app.kubernetes.io/component=servers \
    --output 'jsonpath={.items[*].spec.containers[*].name}'); do
    case $server in nginx | nginx-exporter) continue ;; esac
    grep -q "\"server\": \"$server\"" "$run/verdict.json" || { say "the verdict lacks $server"; exit 1; }
  done
  ok "the verdict is of a cluster and names every server"
  cp "$run/verdict.json" "$work/before.json"
  ./lab report "$run" >/dev/null
  cmp "$work/before.json" "$run/verdict.json"
  ok "the results were copied, and give the same verdict here"
}

clean_up() {
  [[ -z ${KEEP:-} ]] || { say "left as it is: the cluster $CLUSTER (KUBECONFIG=$KUBECONFIG) and $work"; return; }
  if $ours; then
    kind delete cluster --name "$CLUSTER" 2>/dev/null || k3d cluster delete "$CLUSTER" 2>/dev/null || true
  fi
  rm -rf "$work"
}

ok() { printf 'ok: %s\n' "$*"; }
say() { printf 'try.sh: %s\n' "$*" >&2; }

main "$@"
