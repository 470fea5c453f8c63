#!/bin/sh
# Makes datadir-schemaN.tar.gz with the program $1 (default ../bin/tripod), as README.md says.
set -eu
cd "$(dirname "$0")"
tripod=$(realpath "${1:-../bin/tripod}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dir=$work/region
mkdir -m 700 "$dir"
umask 077
cat > "$dir/tripod.json" <<MARKER
{"schema": 1, "region": "us-east-1", "accountId": "111122223333", "port": 19990, "portBase": 19000, "createdAt": "2026-01-01T00:00:00Z",
 "cluster": "demo", "kubernetesVersion": "1.36", "clusterId": "0123456789ABCDEF0123456789ABCDEF", "nodes": 3, "founded": false}
MARKER
t() { "$tripod" --data-dir "$dir" "$@"; }
t up --detach >/dev/null
t kubectl create namespace old
until t kubectl -n old get serviceaccount default >/dev/null 2>&1; do :; done
t kubectl -n old create configmap greeting --from-literal='value=from the past'
t kubectl -n old create secret generic secret --from-literal='value=still readable'
t kubectl -n old create deployment web --image=nginx --replicas=2
t kubectl -n old rollout status deployment/web --timeout=60s
t kubectl -n kube-system rollout status deployment/coredns --timeout=60s
t down >/dev/null
schema=$(sed -n 's/.*"schema": *\([0-9]*\).*/\1/p' "$dir/tripod.json")
tar -C "$dir" --exclude='./zones/*/logs/*' --exclude=./logs --exclude=./lock --exclude='*.tmp' -cf - . | gzip -9 > "datadir-schema$schema.tar.gz"
ls -l "datadir-schema$schema.tar.gz"
