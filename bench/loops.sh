#!/usr/bin/env bash
# Loops in numbers: what one that is watched gets done and the memory it takes, what the run of one node costs beside a
# workflow of one node, how soon a webhook shows, and what a thousand loops cost that wait.
# Needs: NODETOOL (release build), LOOP_LOAD (bench/loop_load.rs, release build). Figures: docs/performance.md.
set -euo pipefail
: "${NODETOOL:?the release build of nodetool}" "${LOOP_LOAD:?the release build of bench/loop_load.rs}"
ITERATIONS="${ITERATIONS:-100000}" TURNS="${TURNS:-2000}" LOOPS="${LOOPS:-1000}" SECONDS_IDLE="${SECONDS_IDLE:-10}"
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
data="$(mktemp -d)"
ulimit -n 8192
server=""
trap '[ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true; rm -rf "$data"' EXIT

# Each figure has a server of its own, so that none has the memory of another.
serve() {
    [ -z "$server" ] || { kill "$server"; wait "$server" || true; }
    port=$(free_port)
    rm -rf "$data/data"
    "$NODETOOL" serve --port "$port" --data-dir "$data/data" --log warn --discover-models=false \
        --max-concurrent-jobs "$((LOOPS + 10))" "$@" 2> "$data/server.log" &
    server=$!
    url="http://127.0.0.1:$port"
    for _ in $(seq 100); do curl -fs "$url/health" > /dev/null && return; sleep 0.1; done
    cat "$data/server.log" >&2
    exit 1
}

echo "== a counter of $ITERATIONS iterations through three steps, with one watcher (wanted: 100,000 node executions/s)"
serve
"$LOOP_LOAD" counts "$url" "$server" "$ITERATIONS"

echo "== one node, in $TURNS turns (wanted: p50 at most twice that of the run)"
serve
"$LOOP_LOAD" single "$url" "$TURNS"

echo "== $TURNS calls of a webhook, one after the other (wanted: p50 at most 2 ms)"
serve
"$LOOP_LOAD" webhook "$url" "$TURNS"

echo "== $LOOPS loops that wait, for $SECONDS_IDLE s (wanted: less than 5 % of a core)"
serve
"$LOOP_LOAD" idle "$url" "$server" "$LOOPS" "$SECONDS_IDLE"
