"""What the code of the founding documents is run with, and what has to come out of it.

Knows neither how the documents are read nor how code is run: ci/snippets.py does.
"""

import collections
import dataclasses
import json
import re

OVERVIEW, REFERENCE, GUIDE, SKILL = (
    "000-api-server-overview.md", "001-api-reference.md", "002-workflow-api-guide.md", "003-api-skill.md",
)
# The first two hold no code; if they ever do, it is not to be forgotten.
DOCUMENTS = (OVERVIEW, REFERENCE, GUIDE, SKILL)

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
    before: str = ""
    after: str = ""
    # Where a block that starts a server makes it listen.
    listens: str = ""
    # What stands on standard input.
    typed: str = ""

    @property
    def title(self):
        return f"{self.document}: {self.heading}" + (f": {self.begin.strip()}" if self.begin else "")


class Wrong(Exception):
    """What came out of a snippet is not what its document says."""


def want(holds, sentence):
    if not holds:
        raise Wrong(sentence)


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
]
