#!/usr/bin/env bash
# What a token costs: runs of one workflow by a server without tokens and by one with, in turns, in one sitting.
# Needs NTBENCH, NODETOOL and NODETOOL_SHARED, as bench/run.sh does.
set -euo pipefail
out="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$out"' EXIT
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
token="a-token-for-the-measurement"
open_port=$(free_port) closed_port=$(free_port)
"$NODETOOL" serve --port "$open_port" --data-dir "$out/open" --log warn 2> /dev/null & open_pid=$!
AUTH_PROVIDER=static SERVER_AUTH_TOKEN="$token" "$NODETOOL" serve --mode private --port "$closed_port" \
    --data-dir "$out/closed" --log warn 2> /dev/null & closed_pid=$!
for port in "$open_port" "$closed_port"; do
    until "$NODETOOL" ping --api-url "http://127.0.0.1:$port" > /dev/null 2>&1; do sleep 0.1; done
done
workload="$NODETOOL_SHARED/bench/workloads/trivial3.json"
for round in 1 2 3 4; do
    for conc in 1 16; do
        "$NTBENCH" --peer nodetool --url "http://127.0.0.1:$open_port" --pid "$open_pid" --out "$out/r" --quiet-wait-s 2 \
            --max-s 5 --rounds 1 --id "open_$conc" --case http_run --workload "$workload" --n 8000 --conc $conc --warmup 64 > /dev/null
        "$NTBENCH" --peer nodetool --url "http://127.0.0.1:$closed_port" --pid "$closed_pid" --out "$out/r" --quiet-wait-s 2 \
            --max-s 5 --rounds 1 --id "token_$conc" --case http_run --workload "$workload" --n 8000 --conc $conc --warmup 64 \
            --token "$token" > /dev/null
    done
done
python3 - "$out/r" <<'PY'
import collections, json, statistics, sys
rates = collections.defaultdict(list)
for line in open(sys.argv[1]):
    row = json.loads(line)
    rates[row["id"]].append(row["per_s"])
for conc in (1, 16):
    pair = [statistics.median(rates[f"{kind}_{conc}"]) for kind in ("open", "token")]
    print(f"{conc:2} in flight: {pair[0]:.0f}/s without tokens, {pair[1]:.0f}/s with, ratio {pair[1] / pair[0]:.3f}")
PY
