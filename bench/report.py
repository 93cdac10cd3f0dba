#!/usr/bin/env python3
"""Turns the results of run.sh into the tables of docs/performance.md. Usage: report.py RESULTS.jsonl"""

import json
import sys

rows = {}
for line in open(sys.argv[1], encoding="utf-8"):
    row = json.loads(line)
    rows[(row["peer"], row["id"])] = row


def number(x):
    return "" if x is None else f"{x:,.3g}" if x < 1000 else f"{x:,.0f}"


print("| case | probe p50 ms | nodetool p50 ms | ratio | probe per s | nodetool per s | ratio |")
print("| --- | --- | --- | --- | --- | --- | --- |")
for (peer, case), ours in rows.items():
    probe = rows.get(("ceiling", case))
    if peer != "nodetool" or not probe:
        continue
    if "p50_ms" not in ours and "failed" not in ours:
        continue
    if "failed" in ours or "failed" in probe:
        print(f"| {case} | failed: {ours.get('failed') or probe.get('failed')} |")
        continue
    p, o = probe["p50_ms"], ours["p50_ms"]
    ps, os = probe["per_s"], ours["per_s"]
    print(f"| {case} | {number(p)} | {number(o)} | {o / p:.2f}x | {number(ps)} | {number(os)} | {os / ps:.2f}x |")

print("\n| growth | p50 ms | µs per node or item |")
print("| --- | --- | --- |")
for (_, case), row in rows.items():
    if case.startswith("growth_") and "p50_ms" in row:
        size = int(case.rsplit("_", 1)[1])
        name = case.removeprefix("growth_").rsplit("_", 1)[0]
        print(f"| {name} of {size:,} | {number(row['p50_ms'])} | {row['p50_ms'] / size * 1000:.2f} |")

memory = rows.get(("nodetool", "memory"))
if memory:
    idle, early, late = (memory[k] / 1024 for k in ("idle_kb", "after_200_kb", "after_2000_kb"))
    print(f"\nMemory (RSS): idle {idle:.1f} MB, after 200 runs {early:.1f} MB, after 2,000 runs {late:.1f} MB "
          f"({(late / early - 1) * 100:+.1f} %).")
cold = rows.get(("nodetool", "cold_start"))
if cold and "start_s" in cold:
    print(f"Start to the first answer of /health: {cold['start_s']['median'] * 1000:.0f} ms (median of 5).")
