"""What the code of the founding documents is run with, and what has to come out of it.

Knows neither how the documents are read nor how code is run: ci/snippets.py does.
"""

import collections
import dataclasses
import json
import re

from snippet_shapes import LOOPS, MESSAGES, Wrong, compare, want

OVERVIEW, REFERENCE, GUIDE, SKILL = (
    "000-api-server-overview.md", "001-api-reference.md", "002-workflow-api-guide.md", "003-api-skill.md",
)
# The first two hold no code; if they ever do, it is not to be forgotten.
DOCUMENTS = (OVERVIEW, REFERENCE, GUIDE, SKILL, LOOPS)

# What is replaced in a snippet, by which value, and why. All else stays, `TOKEN` and `<user>` too: a server on one's own
# machine asks for no token.
REPLACED = [
    (r"(?<=localhost:)(8000|7777)\b", "port", "the server is on a free port"),
    (r"<workflow_id>|<id>|YOUR_WORKFLOW_ID", "workflow", "ids are made by the server"),
    (r'(?<=workflow_id: ")(<uuid>|\.\.\.)(?=")', "workflow", "ids are made by the server"),
    (r'(?<=job_id: ")(<uuid>|\.\.\.)(?=")', "job", "the id of the job that the snippet is about"),
    (r'(?<=handle: ")\.\.\.(?=")', "handle", "the name of an output of the input node"),
    (r"(?<=/storage/)<path>", "path", "the file that has been stored"),
    (r"(?<=--port )8080\b", "free", "8080 may be taken"),
    (r"(?<=127\.0\.0\.1:)7878\b", "loops", "another port only where 7878 is taken"),
    (r"\{workflow_id\}", "loop", "ids are made by the server"),
    (r"\bnode-uuid\b", "node", "ids are made by the server"),
]

# Code of surfaces that are not there yet, and what it waits for.
WAITING = {}

# What the provider says, in these pieces.
PIECES = ["Hello", " from", " a model"]
ANSWER = "".join(PIECES)

# Blocks that are no code; the second is what the messages of a run are compared with.
SHAPES = {(SKILL, "Authentication"), (SKILL, "Streaming SSE Response Format")}


@dataclasses.dataclass
class Outcome:
    """What came out of a snippet: its output, and what was observed inside it."""

    printed: str
    seen: list
    # The messages that the document on the stream shows: what names each, and its keys.
    shapes: list
    # What the document on loops shows beside its code, by heading.
    shown: dict
    # What was made before, by the name it is kept under.
    kept: dict

    @property
    def messages(self):
        return [s["message"] for s in self.seen]

    @property
    def replies(self):
        return [m for m in self.messages if "type" not in m]


@dataclasses.dataclass
class Case:
    """A part of a block, the workflow it is run with, what stands around it, and a check of what came out."""

    document: str
    heading: str
    check: object
    # How the part begins: a paragraph of a block, a line of a list of commands, or JavaScript as a whole unless it is
    # a comment. Empty: the whole block.
    begin: str = ""
    # Before what the part ends, where only the head of a block is run.
    end: str = ""
    workflow: str = "echo"
    # The loop it is about, where that is not the one that the document makes.
    loop: str = ""
    # What the id of the printed object is to later snippets.
    keeps: str = ""
    before: str = ""
    after: str = ""
    # Where a block that starts a server makes it listen.
    listens: str = ""
    # What stands on standard input.
    typed: str = ""

    @property
    def title(self):
        return f"{self.document}: {self.heading}" + (f": {self.begin.strip()}" if self.begin else "")


# Loops that are there before any snippet, as nodes one behind the other.
LOOPS_MADE = {"messages": MESSAGES}


# --- what is expected -------------------------------------------------------------------------------------------------


def answers(**wanted):
    """The printed JSON object has these values."""
    def check(outcome):
        value = json.loads(outcome.printed)
        want(isinstance(value, dict), "a JSON object was expected")
        for key, expected in wanted.items():
            want(value.get(key) == expected, f"{key} should be {expected!r} and is {value.get(key)!r}")
    return check


def gave(**wanted):
    """The observed value has these members."""
    def check(outcome):
        want(outcome.seen == [wanted], f"{wanted} was expected, not {outcome.seen}")
    return check


def models(outcome):
    """The provider's model is listed as its own."""
    listed = json.loads(outcome.printed)
    want(listed.get("object") == "list", "a list was expected")
    owners = {model["id"]: model["owned_by"] for model in listed["data"]}
    want(owners.get("gpt-4o", owners.get("openai/gpt-4o")) == "openai", f"gpt-4o of openai should be among {owners}")


def said(outcome):
    """A whole chat completion came."""
    completion = json.loads(outcome.printed)
    message = completion["choices"][0]["message"]
    want(completion["object"] == "chat.completion", "a chat completion was expected")
    want(message["content"] == ANSWER, f"{ANSWER!r} was expected, not {message!r}")


def streamed_chat(outcome):
    """Events came that make up the answer, and an end."""
    events = [line.removeprefix("data: ") for line in outcome.printed.splitlines() if line.startswith("data: ")]
    want(events[-1:] == ["[DONE]"], "the stream should end in [DONE]")
    deltas = [choice["delta"] for event in events[:-1] for choice in json.loads(event)["choices"]]
    text = "".join(delta.get("content") or "" for delta in deltas)
    want(text == ANSWER, f"{ANSWER!r} was expected, not {text!r}")


def lists(outcome):
    """A list of workflows came, with what runs them."""
    listed = outcome.seen[0] if outcome.seen else json.loads(outcome.printed)
    want(isinstance(listed, dict) and isinstance(listed.get("workflows"), list), "an object with `workflows` was expected")
    names = {w.get("name") for w in listed["workflows"]}
    want(set(WORKFLOWS) <= names, f"the saved workflows {sorted(WORKFLOWS)} should be among {names}")


def healthy(outcome):
    answer = json.loads(outcome.printed)
    want(answer == "OK" or isinstance(answer, dict), "a word or a JSON object was expected")


def head(outcome):
    want(re.match(r"HTTP/1\.1 200 ", outcome.printed), "status 200 was expected")
    want(re.search(rf"(?im)^content-length: {len(STORED)}\s*$", outcome.printed), "the length of the file was expected")


def stored(outcome):
    want(outcome.printed == STORED, f"{STORED!r} was expected")


def events(printed):
    """The data of Server-Sent Events."""
    found = []
    for block in printed.strip().split("\n\n"):
        want(block.startswith("data: "), f"no event: {block!r}")
        found.append(block.removeprefix("data: "))
    return found


def streamed(outcome):
    """The events end with [DONE], tell of a job and its output, and have the keys that the document shows."""
    data = events(outcome.printed)
    want(data[-1] == "[DONE]", "the last event should be [DONE]")
    messages = [json.loads(d) for d in data[:-1]]
    compared = collections.Counter()
    for name, keys in outcome.shapes:
        for message in messages:
            if name in (message["type"], f"{message['type']} {message.get('status')}"):
                missing = keys - message.keys()
                want(not missing, f"{message} lacks {sorted(missing)}")
                compared[name] += 1
    for name in ("job_update running", "output_update", "job_update completed"):
        want(compared[name] == 1, f"one event {name} was expected, not {compared[name]}")
    updates = {m["output_name"]: m["value"] for m in messages if m["type"] == "output_update"}
    want(updates == {"prompt": "hello world"}, f"the outputs are {updates}")


def prints(*patterns):
    """The output has these, in this order, and no command was refused."""
    def check(outcome):
        want(re.search(".*?".join(patterns), outcome.printed, re.DOTALL), f"{patterns} should be printed, in this order")
        refused(outcome)
    return check


def refused(outcome):
    errors = [r for r in outcome.replies if "error" in r]
    want(not errors, f"a command was refused: {errors}")


def replied(words, count, status):
    """So many commands were answered, none with an error, one with these words; and the job came to this status."""
    def check(outcome):
        refused(outcome)
        want(len(outcome.replies) == count, f"{count} answers were expected, not {outcome.replies}")
        want(any(words in str(r) for r in outcome.replies), f"an answer with {words!r} was expected, not {outcome.replies}")
        statuses = [m.get("status") for m in outcome.messages if m.get("type") == "job_update"]
        want(status in statuses, f"a job_update with {status} was expected, not {statuses}")
    return check


def packed(check):
    """The same, and all messages came as MessagePack."""
    def both(outcome):
        want(outcome.seen and all(s["binary"] for s in outcome.seen), "MessagePack was expected")
        check(outcome)
    return both


def shown(text):
    def check(outcome):
        want(text in outcome.printed, f"{text!r} should be printed")
    return check


def made(wanted):
    """Something was made that has these values."""
    def check(outcome):
        object_ = json.loads(outcome.printed)
        want(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", object_["id"]), f"an id was expected: {object_}")
        for key, value in wanted.items():
            want(object_[key] == value, f"{key} should be {value!r}: {object_}")
    return check


def pending(outcome):
    answer = json.loads(outcome.printed)
    want(answer["task_id"] and answer["status"] == "PENDING", f"a task that is PENDING was expected: {answer}")


def requested(outcome):
    """The node ran; that nobody answers at its address is its result."""
    answer = json.loads(outcome.printed)
    want(answer["success"] is True and answer["node_type"] == "http-request", f"a success was expected: {answer}")
    result = answer["output"]["data"]["http_request"]
    reached = isinstance(result["status"], int) and (result["status"] > 0 or result["error"]["message"])
    want(reached, f"an answer or the reason for none was expected: {result}")


def unfinished(outcome):
    """The run failed because a field of its node has no value; both are named."""
    prints(r"Event: state_sync \{", r"Event: workflow_failed \{")(outcome)
    first, last = outcome.messages[0], outcome.messages[-1]
    want(first["state"]["status"] == "failed", f"the first run should have failed: {first}")
    (shown,) = outcome.shown["Workflow Failed"]
    compare(shown, last)
    node = outcome.kept["node"]
    want(node in last["error"] and "url" in last["error"], f"the node {node} and its field url should be named: {last}")


def watched(outcome):
    """Every message that the document shows came, in order, with what is shown of it."""
    want(outcome.shown["Client Messages"] == [{"type": "ping"}, {"type": "request_state"}], "these two were sent")
    come = [m for m in outcome.messages if m["type"] != "pong"]
    kinds = [m["type"] for m in come]
    ends = (kinds[0], kinds[-1]) == ("state_sync", "workflow_completed")
    want(ends, f"a state first and the end last were expected: {kinds}")
    want({"type": "pong"} in outcome.messages, "a pong was expected")
    for heading, kind in (
        ("Node Started", "node_started"), ("Node Completed", "node_completed"), ("Node Failed", "node_failed"),
        ("Workflow Completed", "workflow_completed"),
    ):
        (shown,) = outcome.shown[heading]
        real = [m for m in come if m["type"] == kind]
        want(real, f"a message {kind} was expected among {kinds}")
        for message in real:
            compare(shown, message)
    (shown,) = outcome.shown["State Sync (On Connect)"]
    asked = [m for m in come if m["type"] == "state_sync"][-1]
    compare(shown, asked)


# --- the workflows and the cases --------------------------------------------------------------------------------------


def graph(nodes, *edges):
    """Nodes by id, each a type and its values; edges as (source, handle, target, handle)."""
    return {
        "nodes": [{"id": i, "type": kind, "data": data} for i, (kind, data) in nodes.items()],
        "edges": [
            {"id": f"e{n}", "source": s, "sourceHandle": a, "target": t, "targetHandle": b}
            for n, (s, a, t, b) in enumerate(edges)
        ],
    }


def echo(*names):
    """Gives each input out under its name."""
    nodes = {}
    for name in names:
        nodes[f"in_{name}"] = ("nodetool.input.StringInput", {"name": name, "value": "nothing"})
        nodes[f"out_{name}"] = ("nodetool.output.Output", {"name": name})
    return graph(nodes, *((f"in_{n}", "output", f"out_{n}", "value") for n in names))


def wait(seconds):
    """Waits, for the first command about the job to find it at work; without seconds, until it is resumed."""
    nodes = {
        "wait": ("nodetool.triggers.Wait", {"timeout_seconds": seconds, "input": "done"}),
        "out": ("nodetool.output.Output", {"name": "out"}),
    }
    return graph(nodes, ("wait", "data", "out", "value"))


def many_waits():
    """Waits shortly, often: a pause begins when a node at work is done."""
    nodes = {
        "count": ("nodetool.control.RepeatCount", {"count": 5000}),
        "wait": ("nodetool.triggers.Wait", {"timeout_seconds": 0.05}),
        "out": ("nodetool.output.Output", {"name": "out"}),
    }
    return graph(nodes, ("count", "output", "wait", "input"), ("wait", "data", "out", "value"))


def listen():
    """Takes values from the client until that ends the input, and gives each out."""
    nodes = {
        "in": ("nodetool.input.RealtimeAudioInput", {"name": "name"}),
        "out": ("nodetool.output.Output", {"name": "out"}),
    }
    return graph(nodes, ("in", "chunk", "out", "value"))


# The inputs have the names that the snippets use.
WORKFLOWS = {
    "echo": echo("prompt"), "parameter": echo("param_name"), "input": echo("input_name"),
    "slow": wait(600), "often": many_waits(), "suspended": wait(0), "listening": listen(),
}
STORED = "what the storage keeps"

PARAMS = 'const params = { prompt: "hello world" };\n'
CLOSE = "socket.close();\n"
OPEN = 'const socket = new WebSocket("ws://localhost:{port}/ws");\n'


def comes_to(status):
    return f'await socket.status("{status}");\n'


def start(status):
    """Starts the job that a command is about, and waits until it has come so far."""
    data = 'data: { workflow_id: "{workflow}", job_id: "{job}" }'
    return f'socket.send(JSON.stringify({{ command: "run_job", {data} }}));\n' + comes_to(status)


def control(begin, words, workflow, at, after, status):
    """A command about a job of a workflow that is at a status: its answer's words, what to wait for, the last status."""
    after = f"await socket.replies(2);\n{after}{CLOSE}"
    return Case(
        SKILL, "Job Control Commands", replied(words, 2, status), f"// {begin}", workflow=workflow,
        before=OPEN + start(at), after=after,
    )


# Another connection has started the job.
ELSEWHERE = "{\n" + OPEN + start("running") + CLOSE + "}\n" + OPEN

# Around the code that watches a loop. A port that the document names is taken from the address.
AT_LOOPS = "http://127.0.0.1:7878/api/workflow"
STATUS = '(await (await fetch("http://127.0.0.1:{loops}/api/workflow/{loop}/task_status/")).json()).status'
OVER = f'while ({STATUS} !== "FAILURE") await new Promise((again) => setTimeout(again, 20));\n'
OPENED = 'await ws.until((m) => m.type === "state_sync");\n'
AGAIN = 'await fetch("http://127.0.0.1:{loops}/api/workflow/{loop}/start_execution/");\n'
ASKED = """await ws.until((m) => m.type === "node_started" && m.node_type === "static-delay-node");
ws.send('{"type": "request_state"}');
ws.send('{"type": "ping"}');
"""
ENDED = 'await ws.until((m) => /^workflow_/.test(m.type));\nws.close();\n'

CASES = [
    Case(GUIDE, "Loading Workflows", lists, after="observed(workflows);\n"),
    Case(GUIDE, "HTTP API", answers(param_name="param_value"), "curl", workflow="parameter"),
    Case(GUIDE, "HTTP API", gave(prompt="hello world"), "const response", before=PARAMS, after="observed(outputs);\n"),
    Case(
        GUIDE, "Streaming API",
        prints(
            r"Job status: running\n", r"Node update: .+ running null\n", r"Node update: .+ completed null\n",
            r"Job status: completed\n", r"Workflow completed: \{ prompt: \[ 'hello world' \] \}\n",
        ),
        before=PARAMS,
    ),
    Case(
        GUIDE, "WebSocket API",
        packed(prints(r"Node update: .+ completed null\n", r"Workflow completed: \{ prompt: \[ 'nothing' \]")),
        "const socket", end="// Cancel a running job", after=comes_to("completed") + CLOSE,
    ),
    Case(
        GUIDE, "WebSocket API", packed(replied("'status'", 3, "cancelled")), workflow="slow",
        after="await socket.replies(3);\n" + comes_to("cancelled") + CLOSE,
    ),
    Case(SKILL, "Workflows", lists, "# List workflows"),
    Case(SKILL, "Workflows", answers(name="echo"), "# Get workflow"),
    Case(SKILL, "Workflows", answers(prompt="hello world"), "# Run workflow (blocking)"),
    Case(SKILL, "Workflows", streamed, "# Run workflow (streaming SSE)"),
    Case(SKILL, "Models", models),
    Case(SKILL, "HTTP", said, "# Chat completion"),
    Case(SKILL, "HTTP", streamed_chat, "# Streaming chat"),
    Case(SKILL, "Python Client (OpenAI SDK)", prints(rf"{re.escape(ANSWER)}\n{re.escape(ANSWER)}")),
    Case(SKILL, "JavaScript Client", prints(rf"{re.escape(ANSWER)}\n")),
    Case(
        SKILL, "WebSocket Chat", prints(re.escape(ANSWER)),
        after="await socket.until((m) => m.type === 'chunk' && m.done === true);\n" + CLOSE,
    ),
    Case(SKILL, "Health", healthy),
    Case(SKILL, "Storage", head, "# Check asset exists"),
    Case(SKILL, "Storage", stored, "# Download asset"),
    Case(
        SKILL, "Run a Job",
        prints(
            r"Job running\n", r"Output input_name: value\n", r"Node .+: completed\n", r"Job completed\n",
            r"Result: \{ input_name: \[ 'value' \]",
        ),
        workflow="input", after=comes_to("completed") + CLOSE,
    ),
    control("Cancel", "Job cancellation requested", "slow", "running", comes_to("cancelled"), "cancelled"),
    control("Pause", "Job pause requested", "often", "running", comes_to("paused"), "paused"),
    control("Resume", "Resumption initiated", "suspended", "suspended", comes_to("completed"), "completed"),
    Case(
        SKILL, "Job Control Commands", replied("econnect", 2, "running"), "// Reconnect to running job", workflow="slow",
        before=ELSEWHERE, after="await socket.replies(1);\n" + comes_to("running") + CLOSE,
    ),
    control(
        "Stream input to a running node", "Input item streamed", "listening", "running",
        'await socket.until((m) => m.type === "output_update" && m.value === "data");\n', "running",
    ),
    control("End input stream", "Input stream ended", "listening", "running", comes_to("completed"), "completed"),
    Case(SKILL, "Server Management", shown(""), "nodetool serve  ", listens="http://127.0.0.1:"),
    Case(SKILL, "Server Management", shown(""), "nodetool serve --port", listens="http://127.0.0.1:{free}"),
    Case(SKILL, "Server Management", shown(""), "nodetool serve --host", listens="http://0.0.0.0:"),
    Case(SKILL, "Server Management", shown("parameter"), "nodetool workflows list"),
    Case(SKILL, "Server Management", shown("prompt"), "nodetool workflows get"),
    Case(SKILL, "Server Management", shown("completed"), "nodetool jobs list"),
    Case(SKILL, "Server Management", shown(""), "nodetool secrets store", typed="a-secret"),
    Case(
        LOOPS, "Complete Workflow Execution", made({"name": "My Workflow"}), f"curl -X POST {AT_LOOPS}/ ", keeps="loop",
    ),
    Case(
        LOOPS, "Complete Workflow Execution", made({"node_type": "http-request", "position": {"x": 100, "y": 200}}),
        f"curl -X POST {AT_LOOPS}/{{workflow_id}}/nodes/add/", keeps="node",
    ),
    Case(LOOPS, "Complete Workflow Execution", pending, "curl -X GET"),
    # The document watches after it has started; this run is over by then, so it is started once more.
    Case(LOOPS, "Complete Workflow Execution", unfinished, "const ws", before=OVER, after=OPENED + AGAIN + ENDED),
    Case(LOOPS, "Complete Workflow Execution", watched, "const ws", loop="messages", after=OPENED + AGAIN + ASKED + ENDED),
    Case(LOOPS, "Node Execution", requested),
]
