#!/usr/bin/env python3
"""Writes the growth workloads: one shape, ten times larger each time. Usage: growth.py FOLDER"""

import json
import pathlib
import sys

SIZES = (10, 100, 1000, 10000)


def node(id_, type_, **data):
    return {"id": id_, "type": type_, "data": data}


def edge(source, target, handle, out="output"):
    return {"source": source, "sourceHandle": out, "target": target, "targetHandle": handle}


def chain(n):
    nodes = [node("in", "nodetool.input.IntegerInput", name="n", value=0)]
    edges, before = [], "in"
    for i in range(n):
        nodes.append(node(f"a{i}", "lib.math.Add", b=1))
        edges.append(edge(before, f"a{i}", "a"))
        before = f"a{i}"
    return nodes, edges + [edge(before, "out", "value")], {"n": 5}, 5 + n


def fanin(n):
    nodes = [node("in", "nodetool.input.StringInput", name="text")]
    edges = []
    for i in range(n):
        nodes.append(node(f"f{i}", "nodetool.text.Concat", b="x"))
        edges += [edge("in", f"f{i}", "a"), edge(f"f{i}", "join", "strings")]
    nodes.append(node("join", "nodetool.text.Join", separator=","))
    return nodes, edges + [edge("join", "out", "value")], {"text": "x"}, ",".join(["xx"] * n)


def stream(n):
    nodes = [
        node("gen", "nodetool.list.GenerateSequence", start=0, stop=n, step=1),
        node("add", "lib.math.Add", b=1),
        node("col", "nodetool.control.Collect"),
    ]
    edges = [edge("gen", "add", "a"), edge("add", "col", "input_item"), edge("col", "out", "value")]
    return nodes, edges, {}, list(range(1, n + 1))


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
for make in (chain, fanin, stream):
    for size in SIZES:
        nodes, edges, params, result = make(size)
        nodes.append(node("out", "nodetool.output.Output", name="result"))
        document = {
            "name": f"{make.__name__}_{size}",
            "graph": {"nodes": nodes, "edges": edges},
            "params": params,
            "expect": {"outputs": {"result": result}, "nodes": None, "items": size},
        }
        (folder / f"{make.__name__}_{size:05d}.json").write_text(json.dumps(document))
