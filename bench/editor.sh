#!/usr/bin/env bash
# Measures what an editor does beside the ceiling probe, in one sitting: runs over sockets, lists, the node catalogue,
# large files, watchers, idle sockets. Called by `make bench` after run.sh, with the same variables; loopback only.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
workloads="$NODETOOL_SHARED/bench/workloads"
out="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$out"' EXIT
results="$out/results.jsonl"
rounds="${ROUNDS:-3}"
max_s="${MAX_S:-5}"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

ceiling_port=$(free_port)
"$CEILING" "$ceiling_port" --sqlite "$out/ceiling.sqlite3" --data "$out" &
ceiling_pid=$!
ours_port=$(free_port)
"$NODETOOL" serve --port "$ours_port" --data-dir "$out/data" --upload-limit 2147483648 2> "$out/serve.log" &
ours_pid=$!
for port in "$ceiling_port" "$ours_port"; do
    until curl -sf "http://127.0.0.1:$port/health" > /dev/null; do sleep 0.1; done
done

one() { # PEER URL PID ID ARGUMENTS
    local peer=$1 url=$2 pid=$3 id=$4
    shift 4
    "$NTBENCH" --peer "$peer" --url "$url" --pid "$pid" --out "$results" --quiet-wait-s 0 --max-s "$max_s" \
        --rounds "$rounds" --id "$id" "$@" > /dev/null
}
ours() { one nodetool "http://127.0.0.1:$ours_port" "$ours_pid" "$@"; }
both() {
    one ceiling "http://127.0.0.1:$ceiling_port" "$ceiling_pid" "$@"
    ours "$@"
}

for mode in text binary; do
    both "ws_run_$mode" --case ws_run --ws-mode "$mode" --workload "$workloads/trivial3.json" --n 3000 --warmup 20
done
both ws_run_16_in_flight --case ws_run --ws-mode binary --conc 16 --workload "$workloads/trivial3.json" --n 40000 --warmup 64

seed() { "$NTBENCH" --peer seed --url "$1" --case seed_workflows --workload "$workloads/chain_10.json" --n 1000 > /dev/null; }
seed "http://127.0.0.1:$ceiling_port"
seed "http://127.0.0.1:$ours_port"
both list_1000_with_graphs --case get --path '/api/workflows/?limit=1000' --n 200 --warmup 3
ours list_1000_without_graphs --case get --path '/api/workflows/?limit=1000&columns=id,name,description,updated_at' --n 200 --warmup 3
ours node_metadata --case get --path /api/nodes/metadata --n 200 --warmup 3

peak() { awk '/^VmHWM:/ { print $2 }' "/proc/$ours_pid/status"; }
before=$(peak)
max_s=60 rounds=1 both file_1_gib --case storage --mb 1024 --n 1
echo "{\"peer\":\"nodetool\",\"id\":\"file_memory\",\"grown_kb\":$(($(peak) - before))}" >> "$results"

python3 "$here/report.py" "$results"
python3 - "$results" <<'PY'
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    row = json.loads(line)
    if row["id"] == "file_1_gib":
        print(f"1 GiB, {row['peer']}: up {row['put_mb_s']:.0f} MB/s, down {row['get_mb_s']:.0f} MB/s")
    elif row["id"] == "file_memory":
        print(f"most memory beyond that before the file: {row['grown_kb'] / 1024:.1f} MB")
    elif row["peer"] == "nodetool" and row["id"] in ("list_1000_without_graphs", "node_metadata"):
        print(f"{row['id']}: p50 {row['p50_ms']:.3g} ms")
PY
echo "sockets: $(python3 "$here/watchers.py" "$NODETOOL")"
