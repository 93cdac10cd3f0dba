#!/usr/bin/env bash
# Measures the release build beside the ceiling probe in one sitting and prints markdown tables.
# Called by `make bench`, which sets NTBENCH, CEILING and NODETOOL (programs) and NODETOOL_SHARED (folder with bench/).
# Loopback only; every case is bounded by count and time. ROUNDS and MAX_S shorten or lengthen a sitting.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
workloads="$NODETOOL_SHARED/bench/workloads"
out="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$out"' EXIT
results="$out/results.jsonl"
rounds="${ROUNDS:-3}"
max_s="${MAX_S:-5}"
quiet="${QUIET_WAIT:-10}"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

ceiling_port=$(free_port)
"$CEILING" "$ceiling_port" --sqlite "$out/ceiling.sqlite3" --data "$out" &
ceiling_pid=$!
ours_port=$(free_port)
"$NODETOOL" serve --port "$ours_port" --data-dir "$out/data" 2> "$out/serve.log" &
ours_pid=$!
for port in "$ceiling_port" "$ours_port"; do
    for _ in $(seq 100); do
        python3 - "$port" <<'PY' && break
import sys, urllib.request
try:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=1).read()
except OSError:
    sys.exit(1)
PY
        sleep 0.1
    done
done

both() {
    local id=$1
    shift
    "$NTBENCH" --peer ceiling --url "http://127.0.0.1:$ceiling_port" --pid "$ceiling_pid" --out "$results" \
        --quiet-wait-s "$quiet" --max-s "$max_s" --rounds "$rounds" --id "$id" "$@" > /dev/null
    "$NTBENCH" --peer nodetool --url "http://127.0.0.1:$ours_port" --pid "$ours_pid" --out "$results" \
        --quiet-wait-s "$quiet" --max-s "$max_s" --rounds "$rounds" --id "$id" "$@" > /dev/null
}

both health --case get --path /health --n 5000
both run_c1 --case http_run --workload "$workloads/trivial3.json" --n 5000 --warmup 50
both run_c16 --case http_run --workload "$workloads/trivial3.json" --n 40000 --conc 16 --warmup 64
for k in chain_1000 fanout_1000 fanin_1000; do
    both "$k" --case http_run --workload "$workloads/$k.json" --n 200 --warmup 3
done
for k in stream_10000_collect_1 stream_10000_collect_3 stream_10000_live_1; do
    both "$k" --case http_run --workload "$workloads/$k.json" --n 50 --warmup 2
done

# Growth: the same shape at 10, 100, 1,000 and 10,000 nodes, edges or items.
python3 "$here/growth.py" "$out/growth"
for f in "$out"/growth/*.json; do
    name=$(basename "$f" .json)
    "$NTBENCH" --peer nodetool --url "http://127.0.0.1:$ours_port" --pid "$ours_pid" --out "$results" \
        --quiet-wait-s 0 --max-s "$max_s" --rounds 2 --id "growth_$name" --case http_run --workload "$f" --n 100 --warmup 2 > /dev/null
done

# Memory: a fresh server after 200 runs and after 2,000 more.
mem_port=$(free_port)
"$NODETOOL" serve --port "$mem_port" --data-dir "$out/mem" 2> /dev/null &
mem_pid=$!
sleep 1
rss() { awk '/^VmRSS:/ { print $2 }' "/proc/$mem_pid/status"; }
idle=$(rss)
mem() {
    "$NTBENCH" --peer nodetool --url "http://127.0.0.1:$mem_port" --pid "$mem_pid" --quiet-wait-s 0 --rounds 1 --max-s 120 \
        --id mem --case http_run --workload "$workloads/trivial3.json" --n "$1" --warmup 0 > /dev/null
}
mem 200
after_200=$(rss)
mem 1800
after_2000=$(rss)
echo "{\"peer\":\"nodetool\",\"id\":\"memory\",\"idle_kb\":$idle,\"after_200_kb\":$after_200,\"after_2000_kb\":$after_2000}" >> "$results"
kill "$mem_pid"

cold_port=$(free_port)
"$NTBENCH" --peer nodetool --id cold_start --case cold_start --path /health --url "http://127.0.0.1:$cold_port" --rounds 5 \
    --out "$results" -- "$NODETOOL" serve --port "$cold_port" --data-dir "$out/mem" > /dev/null 2>&1 || true

python3 "$here/report.py" "$results"
