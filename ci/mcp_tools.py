#!/usr/bin/env python3
"""Uses the server's tools as a program does that speaks the Model Context Protocol, with the official client: over HTTP,
over its older transport, and over standard input and output, in the protocol's older way and in its present one.

The client is kept beside the build artefacts; versions: ci/mcp.txt. The server is the debug build that the tests have
made.

Run: python3 ci/mcp_tools.py [target folder]
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from rigs import Missing, built_program, nodetool, python_packages

RUN_SECONDS = 240

WORKFLOW = {
    "name": "Shout", "tool_name": "shout", "description": "Says a text loudly.", "access": "private",
    "graph": {
        "nodes": [
            {"id": "in", "type": "nodetool.input.StringInput", "data": {"name": "text", "value": "hello"}},
            {"id": "up", "type": "nodetool.text.ToUppercase", "data": {}},
            {"id": "out", "type": "nodetool.output.Output", "data": {"name": "loud"}},
        ],
        "edges": [
            {"source": "in", "sourceHandle": "output", "target": "up", "targetHandle": "text"},
            {"source": "up", "sourceHandle": "output", "target": "out", "targetHandle": "value"},
        ],
    },
}

CLIENT = r'''
import asyncio, json, sys
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

address, token, workflow, program, stranger, folder = json.loads(sys.argv[1])
given = sys.argv[2]
passed = failed = 0

def check(what, good):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print("not so:", what)

def text(result):
    return "".join(part.text for part in result.content if part.type == "text")

async def use(client, way):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    for name in ["list_workflows", "get_workflow", "run_workflow", "validate_workflow", "list_nodes", "search_nodes",
                 "get_node_info", "create_workflow", "run_graph", "list_jobs", "get_job", "list_assets", "get_asset", "list_models", "workflow_shout",
                 "get_example_workflow", "generate_dot_graph", "export_workflow_digraph", "get_collection", "list_collections",
                 "query_collection", "get_documents_from_collection", "run_agent", "run_workflow_tool", "get_job_logs",
                 "start_background_job", "list_storage_files", "get_file_metadata", "download_file_from_storage",
                 "get_hf_cache_info", "inspect_hf_cached_model", "query_hf_model_files", "search_hf_hub_models",
                 "get_hf_model_info"]:
        check(f"{way}: there is {name}", name in tools)
    if "workflow_shout" not in tools:
        return
    schema = tools["workflow_shout"].input_schema
    check(f"{way}: the schema of a workflow names its inputs", "text" in schema["properties"])
    check(f"{way}: its description is told", "loudly" in (tools["workflow_shout"].description or ""))
    listed = await client.call_tool("list_workflows", {})
    check(f"{way}: workflows are listed", workflow in text(listed) and not listed.is_error)
    shouted = await client.call_tool("workflow_shout", {"text": "quiet"})
    check(f"{way}: a workflow is a tool: {text(shouted)}", "QUIET" in text(shouted) and not shouted.is_error)
    run = await client.call_tool("run_workflow", {"workflow_id": workflow, "params": {"text": "too"}})
    check(f"{way}: a workflow runs: {text(run)}", "TOO" in text(run))
    jobs = await client.call_tool("list_jobs", {})
    check(f"{way}: runs are listed", "completed" in text(jobs))
    found = await client.call_tool("search_nodes", {"query": "uppercase"})
    check(f"{way}: nodes are found", "ToUppercase" in text(found))
    graph = json.loads(given)
    made = await client.call_tool("run_graph", {"graph": graph, "params": {"text": "as it is"}})
    check(f"{way}: a graph runs: {text(made)}", "AS IT IS" in text(made) and not made.is_error)
    made = await client.call_tool("create_workflow", {"name": f"Made {way}", "graph": graph})
    made = json.loads(text(made))["workflow_id"]
    drawn = await client.call_tool("export_workflow_digraph", {"workflow_id": made})
    check(f"{way}: a saved graph is drawn: {text(drawn)}", '"in" -> "up"' in text(drawn))
    again = await client.call_tool("generate_dot_graph", {"graph": graph})
    check(f"{way}: a graph is drawn as it is: {text(again)}", text(again) == text(drawn) and not again.is_error)
    run = await client.call_tool("run_workflow_tool", {"workflow_id": made, "params": {"text": "twice"}})
    check(f"{way}: a workflow runs by its other name: {text(run)}", "TWICE" in text(run))
    missing = await client.call_tool("get_example_workflow", {"example_name": "none such"})
    check(f"{way}: examples are named: {text(missing)}", missing.is_error and "there are: " in text(missing))
    example = text(missing).split("there are: ")[1].split(", ")[0]
    shown = await client.call_tool("get_example_workflow", {"example_name": example})
    check(f"{way}: an example is shown", json.loads(text(shown))["name"] == example)
    await client.call_tool("save_text_asset", {"name": "note.txt", "content": f"kept {way}"})
    stored = json.loads(text(await client.call_tool("list_storage_files", {})))["files"]
    check(f"{way}: stored files are listed", any(f["name"] == "note.txt" for f in stored))
    key = {"key": [f["key"] for f in stored if f["name"] == "note.txt"][0]}
    about = json.loads(text(await client.call_tool("get_file_metadata", key)))
    check(f"{way}: a stored file is described: {about}", about["content_type"].startswith("text/plain"))
    fetched = json.loads(text(await client.call_tool("download_file_from_storage", key)))
    check(f"{way}: a stored file is given: {fetched}", fetched["content"].startswith("kept "))
    for name, arguments in [("get_collection", {"collection": "none"}), ("get_documents_from_collection", {"collection": "none"}),
                            ("inspect_hf_cached_model", {"repo_id": "no/body"}), ("get_hf_model_info", {"repo_id": "../x"}),
                            ("query_hf_model_files", {"repo_id": "x"}), ("search_hf_hub_models", {"query": " "})]:
        bad = await client.call_tool(name, arguments)
        check(f"{way}: {name} refuses {arguments}: {text(bad)}", bad.is_error and text(bad))
    cached = json.loads(text(await client.call_tool("get_hf_cache_info", {})))
    check(f"{way}: the cache of models is counted: {cached}", cached["total"] == 0)
    done = await client.call_tool("run_agent", {"objective": "x", "provider": "fake", "model": "fake-model-v1"})
    check(f"{way}: an agent gives its result, or says why there is none: {text(done)}", text(done))
    begun = await client.call_tool("start_background_job", {"workflow_id": made, "params": {"text": "later"}})
    job = json.loads(text(begun))["job_id"]
    for _ in range(600):
        told = text(await client.call_tool("get_job", {"job_id": job}))
        if "completed" in told:
            break
        await asyncio.sleep(0.1)
    check(f"{way}: a job goes on by itself: {told}", "completed" in told)
    bad = await client.call_tool("create_workflow", {"name": "x", "graph": {"nodes": [{"id": 7}]}})
    check(f"{way}: a graph that is none is not saved: {text(bad)}", bad.is_error and "graph" in text(bad))
    bad = await client.call_tool("get_workflow", {"workflow_id": "nobody-has-this"})
    check(f"{way}: what is not there is an error of the tool", bad.is_error)
    bad = await client.call_tool("get_workflow", {})
    check(f"{way}: a missing argument is named: {text(bad)}", bad.is_error and "workflow_id" in text(bad))
    try:
        await client.call_tool("no_such_tool", {})
        check(f"{way}: an unknown tool is refused", False)
    except MCPError as e:
        check(f"{way}: an unknown tool is refused by name", "no_such_tool" in str(e))
    many = await asyncio.gather(*(client.call_tool("workflow_shout", {"text": f"n{i}"}) for i in range(20)))
    check(f"{way}: twenty calls at once", all(f"N{i}" in text(r) for i, r in enumerate(many)))

def over_http(token):
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60)
    return streamable_http_client(address + "/mcp", http_client=http)

async def main():
    for mode in ["legacy", "auto"]:
        async with Client(over_http(token), mode=mode) as client:
            await use(client, f"http, {mode}")
    older = sse_client(address + "/mcp/sse", headers={"Authorization": f"Bearer {token}"})
    async with Client(older, mode="legacy") as client:
        await use(client, "http, the older transport")
    for mode in ["legacy", "auto"]:
        environment = {"NODETOOL_TOKEN": token, "HOME": "/nonexistent"}
        there = StdioServerParameters(command=program, args=["mcp", "--api-url", address], env=environment)
        async with Client(there, mode=mode) as client:
            await use(client, f"stdio, {mode}")
    alone = StdioServerParameters(command=program, args=["mcp", "--data-dir", folder + "/alone"], env={"HOME": folder})
    async with Client(alone) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        check("a program gets tools without any server", "list_workflows" in tools)
    async with Client(over_http(stranger), mode="legacy") as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        check("another user does not see the workflow", "workflow_shout" not in tools and "list_workflows" in tools)
        listed = await client.call_tool("list_workflows", {})
        check("nor lists it", workflow not in text(listed))
        try:
            shouted = await client.call_tool("workflow_shout", {"text": "x"})
            check("nor runs it", shouted.is_error)
        except MCPError:
            check("nor runs it", True)
    try:
        async with Client(over_http("wrong"), mode="legacy") as client:
            await client.list_tools()
        check("a wrong token is refused", False)
    except Exception:
        check("a wrong token is refused", True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)

asyncio.run(main())
'''


def asked(address, path, token, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(address + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def main(arguments):
    target = pathlib.Path(arguments[0] if arguments else "target").resolve()
    try:
        program = built_program(target)
        programs = python_packages(target, "mcp")
    except Missing as e:
        print(f"mcp_tools: {e}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        users = pathlib.Path(folder) / "users.yaml"
        tokens = []
        for name in ["owner", "stranger"]:
            command = [program, "users", "add", name]
            environment = {"USERS_FILE": str(users)}
            made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            tokens.append(made.stdout.strip())
        server = nodetool(
            program, folder, "--mcp", "--enable-fake-provider", AUTH_PROVIDER="multi_user",
            USERS_FILE=str(users), HOME=folder,
        )
        try:
            address = server.ready()
            saved = asked(address, "/api/workflows/", tokens[0], WORKFLOW)
            given = json.dumps([address, tokens[0], saved["id"], str(program), tokens[1], folder])
            command = [programs / "python", "-c", CLIENT, given, json.dumps(WORKFLOW["graph"])]
            code = subprocess.run(command, timeout=RUN_SECONDS).returncode
        except Missing as e:
            print(f"mcp_tools: the server {e}", file=sys.stderr)
            return 1
        except subprocess.TimeoutExpired:
            print(f"mcp_tools: not done after {RUN_SECONDS} s", file=sys.stderr)
            code = 1
        finally:
            server.stop()
        if code:
            print("mcp_tools: the server's log:", *server.log[-20:], sep="\n", file=sys.stderr)
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
