#!/usr/bin/env bash
# What the server adds to a model: to the first token and to each further one, beside the provider itself; many streams
# at once, with the memory they take; and the list of models while one provider is dead.
# Needs: NODETOOL (release build), CHAT_LOAD (bench/chat_load.rs, release build). Figures: docs/performance.md.
set -euo pipefail
: "${NODETOOL:?the release build of nodetool}" "${CHAT_LOAD:?the release build of bench/chat_load.rs}"
TURNS="${TURNS:-200}" TOKENS="${TOKENS:-1000}" STREAMS="${STREAMS:-500}"
PORT="${PORT:-7931}" STUB="${STUB:-7932}"
data="$(mktemp -d)"
ulimit -n 8192
"$CHAT_LOAD" stub "$STUB" > "$data/stub.log" &
stub=$!
"$NODETOOL" serve --port "$PORT" --data-dir "$data/data" --log warn --discover-models=false \
    --provider-url "stub=http://127.0.0.1:$STUB/v1" --provider-url "dead=http://127.0.0.1:$STUB/dead" \
    2> "$data/server.log" &
server=$!
trap 'kill "$server" "$stub" 2>/dev/null; wait "$server" "$stub" 2>/dev/null || true; rm -rf "$data"' EXIT
for _ in $(seq 100); do curl -fs "http://127.0.0.1:$PORT/health" > /dev/null && break; sleep 0.1; done
rss() { awk '/VmRSS/ { printf "%.0f MiB", $2 / 1024 }' "/proc/$server/status"; }

echo "== $TURNS streams of $TOKENS tokens, in turns past and through the server"
"$CHAT_LOAD" turns "http://127.0.0.1:$STUB/v1" "http://127.0.0.1:$PORT/v1" "$TURNS" "$TOKENS"

echo "== $STREAMS streams of $TOKENS tokens at once, a token each 10 ms"
echo "memory before: $(rss)"
"$CHAT_LOAD" crowd "http://127.0.0.1:$PORT/v1" "$STREAMS" "$TOKENS" &
load=$!
for at in 3 6 9; do sleep 3; kill -0 "$load" 2>/dev/null && echo "memory after $at s: $(rss)"; done
wait "$load"
echo "memory after: $(rss)"
echo "the same past the server:"
"$CHAT_LOAD" crowd "http://127.0.0.1:$STUB/v1" "$STREAMS" "$TOKENS"

echo "== the list of models with one dead provider"
curl -fs -o "$data/models" -w '%{time_total} s\n' "http://127.0.0.1:$PORT/v1/models"
grep -o '"[^"]*stub-model"' "$data/models" | head -1
