#!/bin/bash
# Runs the benchmark (bench/run.py; same flags) in a network namespace of its own, so that no other
# process can own a port or take part of the loopback's work.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [[ "${FLEXBENCH_NAMESPACE:-}" == "" ]]; then
  unshare_flags=()
  if unshare -n true 2>/dev/null; then
    unshare_flags=(-n)
  elif unshare -rn true 2>/dev/null; then
    unshare_flags=(-rn)
  fi
  if [[ ${#unshare_flags[@]} -gt 0 ]]; then
    FLEXBENCH_NAMESPACE=own exec unshare "${unshare_flags[@]}" "$here/run.sh" "$@"
  fi
  echo "run.sh: cannot make a network namespace (needs root or user namespaces);" \
    "the run shares the host's loopback" >&2
  export FLEXBENCH_NAMESPACE=shared
elif [[ "$FLEXBENCH_NAMESPACE" == own ]]; then
  ip link set lo up
fi
exec python3 "$here/run.py" "$@"
