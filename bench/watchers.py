#!/usr/bin/env python3
"""Sockets in numbers: deliveries of one job's messages to 1 and to 100 watchers, and the memory of idle sockets.

    python3 bench/watchers.py PROGRAM

Starts the program on a free port over a folder of its own and prints one JSON object. Standard library only; the
clients read raw bytes and count frames afterwards, so that the counting does not slow the reading.
"""

import base64
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

EVENTS = 10_000
GRAPH = {
    "nodes": [
        {"id": "w", "type": "nodetool.triggers.Wait", "data": {"timeout_seconds": 2.0, "input": "x"}},
        {"id": "r", "type": "nodetool.control.RepeatValue", "data": {"count": EVENTS}},
        {"id": "o", "type": "nodetool.output.Output", "data": {"name": "out"}},
    ],
    "edges": [
        {"id": "1", "source": "w", "sourceHandle": "data", "target": "r", "targetHandle": "value"},
        {"id": "2", "source": "r", "sourceHandle": "output", "target": "o", "targetHandle": "value"},
    ],
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connect(port, path="/ws"):
    s = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    s.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += s.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return s


def send(s, command, data):
    text = json.dumps({"command": command, "data": data}).encode()
    mask = b"\0\0\0\0"
    head = b"\x81"
    head += bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack(">H", len(text))
    s.sendall(head + mask + text)


def frames(data):
    at = 0
    while at + 2 <= len(data):
        size, skip = data[at + 1] & 127, 2
        if size == 126:
            size, skip = struct.unpack_from(">H", data, at + 2)[0], 4
        elif size == 127:
            size, skip = struct.unpack_from(">Q", data, at + 2)[0], 10
        if at + skip + size > len(data):
            return
        yield data[at + skip : at + skip + size]
        at += skip + size


def memory(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def deliver(port, pid, watchers):
    """Everybody is there before the messages are; from the first byte after the wait to the last closing message."""
    socks = [connect(port, "/predict") for _ in range(watchers)]
    job = f"bench-{watchers}-{os.urandom(4).hex()}"
    send(socks[0], "run_job", {"job_id": job, "graph": GRAPH, "concurrent": True})
    time.sleep(0.5)
    for s in socks[1:]:
        send(s, "reconnect_job", {"job_id": job, "last_seq": 0})
    sel = selectors.DefaultSelector()
    got = {s: [] for s in socks}
    for s in socks:
        s.setblocking(False)
        sel.register(s, selectors.EVENT_READ)
    before, peak, first, last, open_ = memory(pid), 0, None, None, set(socks)
    until = time.monotonic() + 120
    while open_ and time.monotonic() < until:
        for key, _ in sel.select(1):
            s = key.fileobj
            piece = s.recv(1 << 20)
            got[s].append(piece)
            now = time.monotonic()
            if first is None and b'"output_update"' in piece:
                first = now
            if b'"completed","job_id"' in piece and b'"job_update"' in piece:
                last = now
                open_.discard(s)
                sel.unregister(s)
        peak = max(peak, memory(pid))
    counts, whole = [], 0
    for pieces in got.values():
        numbers = []
        for frame in frames(b"".join(pieces)):
            message = json.loads(frame)
            if "job_seq" in message:
                numbers.append(message["job_seq"])
        counts.append(len(numbers))
        whole += numbers == list(range(1, len(numbers) + 1))
    for s in socks:
        s.close()
    seconds = last - first
    return {
        "watchers": watchers,
        "deliveries": sum(counts),
        "fewest": min(counts),
        "without_a_gap": whole,
        "seconds": round(seconds, 3),
        "deliveries_per_s": round(sum(counts) / seconds),
        "memory_before_kb": before,
        "memory_peak_kb": peak,
        "left_open": len(open_),
    }


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        server = subprocess.Popen(
            [program, "serve", "--port", str(port), "--data-dir", folder, "--log", "error"],
        )
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
                    break
                except OSError:
                    time.sleep(0.05)
            out = {"idle_kb": memory(server.pid)}
            idle = [connect(port) for _ in range(2000)]
            time.sleep(2)
            out["idle_2000_sockets_kb"] = memory(server.pid)
            for s in idle:
                s.close()
            time.sleep(1)
            out["deliveries"] = [deliver(port, server.pid, n) for n in (1, 100)]
            print(json.dumps(out))
        finally:
            server.terminate()
            server.wait()


main()
