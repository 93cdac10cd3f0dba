#!/usr/bin/env python3
"""What it costs that a job can be taken up again: the time of a chain of nodes with and without checkpoints.

    bench/checkpoint.py target/release/nodetool [--nodes 1000] [--items 100] [--rounds 5]

Each round starts two servers over folders of their own, one that keeps the progress of its jobs (--recovery resume) and
one that does not (--recovery fail), and runs the same job on each in turn.
"""

import argparse
import json
import re
import statistics
import subprocess
import tempfile
import time
import urllib.request
from datetime import datetime


class Server:
    def __init__(self, program, recovery):
        self.folder = tempfile.TemporaryDirectory()
        command = [program, "serve", "--port", "0", "--data-dir", self.folder.name, "--recovery", recovery]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        for line in self.process.stderr:
            found = re.search(r"listens on (http://\S+)", line)
            if found:
                self.url = found[1]
                break
        else:
            raise SystemExit("the server did not start")
        # Somebody has to take its log lines, or it waits.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def seconds(self, workflow):
        job = self.call("/api/jobs", {"workflow_id": workflow})
        while job["finished_at"] is None:
            time.sleep(0.02)
            job = self.call("/api/jobs/" + job["id"])
        if job["status"] != "completed":
            raise SystemExit(f"the job ended as {job['status']}: {job['error']}")
        times = [datetime.fromisoformat(job[key]) for key in ("started_at", "finished_at")]
        return (times[1] - times[0]).total_seconds()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.drain.wait()
        self.folder.cleanup()


def chain(nodes, items):
    def edge(source, target, handle, to):
        return {"source": source, "sourceHandle": handle, "target": target, "targetHandle": to}

    made = [{"id": "n", "type": "nodetool.control.RepeatCount", "data": {"count": items}}]
    edges = []
    before = "n"
    for n in range(nodes):
        made.append({"id": f"a{n}", "type": "lib.math.Add", "data": {"b": 1}})
        edges.append(edge(before, f"a{n}", "output", "a"))
        before = f"a{n}"
    made.append({"id": "o", "type": "nodetool.output.Output", "data": {"name": "out"}})
    edges.append(edge(before, "o", "output", "value"))
    return {"nodes": made, "edges": edges}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    times = {"resume": [], "fail": []}
    servers = {recovery: Server(given.program, recovery) for recovery in times}
    try:
        graph = chain(given.nodes, given.items)
        body = {"name": "chain", "access": "private", "graph": graph}
        saved = {recovery: server.call("/api/workflows", body)["id"] for recovery, server in servers.items()}
        for recovery, server in servers.items():
            server.seconds(saved[recovery])
        for _ in range(given.rounds):
            for recovery, server in servers.items():
                times[recovery].append(server.seconds(saved[recovery]))
    finally:
        for server in servers.values():
            server.stop()
    print(f"{given.nodes} nodes, {given.items} items each, {given.rounds} rounds")
    for name, of in (("median", statistics.median), ("best", min)):
        with_it, without = (of(times[key]) for key in ("resume", "fail"))
        cost = 100 * (with_it / without - 1)
        print(f"{name}: with checkpoints {with_it:.3f} s, without {without:.3f} s, cost {cost:+.1f} %")


if __name__ == "__main__":
    main()
