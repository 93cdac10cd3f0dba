"""What the document on loops shows beside its code: requests, answers and messages, each compared with a real one.

Knows neither how the document is read nor how code is run: ci/snippets.py does. Requests are sent as they are shown, with
the ids of what is there in place of `node-uuid`.
"""

import json
import re
import time
import urllib.error
import urllib.request

LOOPS = "004-orchestrator-api.md"
SECONDS = 60
# Values that stand for themselves wherever they are shown; of all else the kind is compared.
EXACT = {"type", "status", "name", "code", "message", "route", "success", "x", "y"}
# Keys and values in whose place there are others.
STANDS_FOR = re.compile(r"node_\d+|field_name|key|ERROR_CODE|\.\.\.")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Wrong(Exception):
    """What came out is not what the document says."""


def want(holds, sentence):
    if not holds:
        raise Wrong(sentence)


def read_shown(block):
    """A block of JSON in which `…` in brackets stands for anything; text where it is no JSON."""
    if block.language != "json":
        return block.code.strip()
    return json.loads(block.code.replace("{...}", "{}").replace("[...]", "[]"))


def fits(shown, real, place=""):
    """What is wrong with something real, in sentences; it may have more than is shown."""
    if isinstance(shown, dict):
        if not isinstance(real, dict):
            return [f"{place or 'it'} should be an object and is {real!r}"]
        named = [key for key in shown if not STANDS_FOR.fullmatch(key)]
        others = [key for key in shown if STANDS_FOR.fullmatch(key)]
        found = [f"{place}.{key} is missing" for key in named if key not in real]
        for key in named:
            if key in real:
                found += fits(shown[key], real[key], f"{place}.{key}")
        if others and not real:
            found.append(f"{place} should have members")
        for key in real if others else []:
            found += fits(shown[others[0]], real[key], f"{place}.{key}")
        return found
    if isinstance(shown, list):
        if not isinstance(real, list):
            return [f"{place} should be a list and is {real!r}"]
        if shown and not real:
            return [f"{place} should not be empty"]
        return [f for n, member in enumerate(real if shown else []) for f in fits(shown[0], member, f"{place}[{n}]")]
    if place.rsplit(".", 1)[-1] in EXACT and not STANDS_FOR.fullmatch(str(shown)):
        return [] if shown == real else [f"{place} should be {shown!r} and is {real!r}"]
    if isinstance(shown, str) and TIME.fullmatch(shown):
        return [] if TIME.fullmatch(str(real)) else [f"{place} should be a time such as {shown} and is {real!r}"]
    number = (int, float)
    kinds = (bool,) if isinstance(shown, bool) else number if isinstance(shown, number) else (type(shown),)
    right = isinstance(real, kinds) and isinstance(real, bool) == isinstance(shown, bool)
    return [] if right else [f"{place} should be such as {shown!r} and is {real!r}"]


def compare(shown, real):
    found = fits(shown, real)
    want(not found, f"{'; '.join(found)}, in {json.dumps(real)[:2000]}")


class Loops:
    """The routes of loops at an address."""

    def __init__(self, address):
        self.address = address

    def ask(self, method, path, body=None, **headers):
        """Status, headers and body of an answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        asked = urllib.request.Request(f"{self.address}/api/{path}", data, headers, method=method)
        # No proxy stands between this and the server.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            answer = opener.open(asked, timeout=SECONDS)
        except urllib.error.HTTPError as e:
            answer = e
        with answer:
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None

    def got(self, status, method, path, body=None):
        """The body of an answer of this status."""
        came, _, answer = self.ask(method, path, body)
        want(came == status, f"{method} {path} should answer {status} and answers {came}: {answer}")
        return answer

    def workflow(self, *nodes):
        """A workflow of nodes one behind the other, each a type and a form; its id and theirs."""
        workflow = self.got(201, "POST", "workflow/", {"name": "My Workflow"})["id"]
        ids = []
        for kind, form in nodes:
            node = {"nodeTemplate": kind, "form_values": form}
            ids.append(self.got(201, "POST", f"workflow/{workflow}/nodes/add/", node)["id"])
        for source, target in zip(ids, ids[1:]):
            self.got(201, "POST", f"workflow/{workflow}/connections/add/", {"source": source, "target": target})
        return workflow, ids


def counter(most):
    return "counter", {"min_value": 1, "max_value": most, "direction": "increment", "step": 1}


def delay(seconds):
    return "static-delay-node", {"interval": seconds, "unit": "seconds"}


# Counts, waits, and fails: every message but one comes from it.
MESSAGES = (counter(2), delay(1), ("data-transformer", {"output_template": "{{ nope.x }}"}))


# --- what is shown, and how a real one is had -------------------------------------------------------------------------


def address(loops, shown):
    want(shown[0].endswith("/api"), f"{shown[0]} should be an address")
    loops.got(200, "GET", "workflow/")


def authentication(loops, shown):
    name, value = shown[0].split(": ")
    status, _, answer = loops.ask("GET", "workflow/", **{name: value})
    want(status == 200, f"a token that nobody asks for should do no harm: {answer}")


def start(loops, shown):
    workflow, _ = loops.workflow(counter(2))
    compare(shown[0], loops.got(200, "GET", f"workflow/{workflow}/start_execution/"))


def stop(loops, shown):
    workflow, _ = loops.workflow(counter(1_000_000), delay(1))
    loops.got(200, "GET", f"workflow/{workflow}/start_execution/")
    compare(shown[0], loops.got(200, "GET", f"workflow/{workflow}/stop_execution/"))


def task(loops, shown):
    workflow, _ = loops.workflow(counter(2))
    loops.got(200, "GET", f"workflow/{workflow}/start_execution/")
    until = time.monotonic() + SECONDS
    while True:
        answer = loops.got(200, "GET", f"workflow/{workflow}/task_status/")
        if answer["status"] not in ("PENDING", "STARTED"):
            break
        want(time.monotonic() < until, f"the run should have ended: {answer}")
        time.sleep(0.05)
    compare(shown[0], answer)


def single(loops, shown):
    asked, answered = shown
    workflow, (node,) = loops.workflow((answered["node_type"], {}))
    # `field_name` is no field of this node; these are.
    asked = {**asked, "node_id": node, "form_values": {"method": "GET", "url": "https://api.example.com"}}
    answer = loops.got(200, "POST", f"workflow/{workflow}/execute_and_save_node/", asked)
    compare(answered, answer)
    want(answer["session_id"] == asked["session_id"], f"the session should be {asked['session_id']}: {answer}")


def create(loops, shown):
    compare(shown[1], loops.got(201, "POST", "workflow/", shown[0]))


def get(loops, shown):
    workflow, _ = loops.workflow()
    compare(shown[0], loops.got(200, "GET", f"workflow/{workflow}/"))


def update(loops, shown):
    for method in ("PUT", "PATCH"):
        workflow, _ = loops.workflow()
        compare(shown[1], loops.got(200, method, f"workflow/{workflow}/", shown[0]))
        loops.got(204, "DELETE", f"workflow/{workflow}/")
        loops.got(404, "GET", f"workflow/{workflow}/")


def listed(loops, shown):
    workflow, _ = loops.workflow()
    real = loops.got(200, "GET", "workflow/")
    compare([{**shown[0][0], "name": "..."}], real)
    want(any(w["id"] == workflow and w["name"] == shown[0][0]["name"] for w in real), f"{workflow} should be listed")


def canvas(loops, shown):
    workflow, _ = loops.workflow(counter(2), delay(1))
    real = loops.got(200, "GET", f"workflow/{workflow}/canvas_data/")
    compare(shown[0], real)
    want((len(real["nodes"]), len(real["edges"])) == (2, 1), f"two nodes and an edge should be there: {real}")


def add(loops, shown):
    workflow, _ = loops.workflow()
    real = loops.got(201, "POST", f"workflow/{workflow}/nodes/add/", shown[0])
    compare(shown[1], real)
    want(real["node_type"] == shown[1]["node_type"], f"the type should be {shown[1]['node_type']}: {real}")


def node_input(loops, shown):
    workflow, (_, second) = loops.workflow(counter(2), delay(1))
    compare(shown[0], loops.got(200, "GET", f"workflow/{workflow}/nodes/{second}/input/"))


def node_output(loops, shown):
    workflow, (node,) = loops.workflow(counter(2))
    compare(shown[0], loops.got(200, "GET", f"workflow/{workflow}/nodes/{node}/output/"))


def position(loops, shown):
    workflow, (node,) = loops.workflow(counter(2))
    compare(shown[1], loops.got(200, "PATCH", f"workflow/{workflow}/nodes/{node}/position/", shown[0]))


def remove(loops, shown):
    workflow, (node,) = loops.workflow(counter(2))
    compare(shown[0], loops.got(200, "DELETE", f"workflow/{workflow}/nodes/{node}/remove/"))


def error(loops, shown):
    workflow, (node,) = loops.workflow(("http-request", {}))
    run = f"workflow/{workflow}/execute_and_save_node/"
    for status, code, asked in (
        (400, "INVALID_REQUEST", ("POST", "workflow/", {})),
        (404, "NOT_FOUND", ("GET", "workflow/11111111-1111-4111-8111-111111111111/")),
        (422, "VALIDATION_ERROR", ("POST", run, {"node_id": node, "form_values": {}})),
    ):
        real = loops.got(status, *asked)
        compare(shown[0], real)
        want(real["code"] == code, f"the code should be {code}: {real}")


def validation(loops, shown):
    workflow, (node,) = loops.workflow(("http-request", {"method": "GET"}))
    real = loops.got(422, "POST", f"workflow/{workflow}/validate/")
    compare(shown[0], real)
    wanted = {node: {"url": shown[0]["details"]["node_1"]["field_name"]}}
    want(real["details"] == wanted, f"the details should be {wanted}: {real}")


def rates(loops, shown):
    _, headers, _ = loops.ask("GET", "workflow/")
    for line in shown[0].splitlines():
        name = line.split(":")[0]
        want((headers.get(name) or "").isdigit(), f"{name} should be a number and is {headers.get(name)!r}")


# What is compared with answers, by heading; then what is compared with the messages of the socket.
ANSWERS = {
    "Base URL": address, "Authentication": authentication, "Start Workflow Execution": start,
    "Stop Workflow Execution": stop, "Get Task Status": task, "Execute and Save Node": single, "Create Workflow": create,
    "Get Workflow": get, "Update Workflow": update, "List Workflows": listed, "Get Canvas Data": canvas,
    "Add Node to Workflow": add, "Get Node Input": node_input, "Get Node Output": node_output,
    "Update Node Position": position, "Remove Node": remove, "Standard Error Format": error,
    "Validation Error Example": validation, "Rate Limiting": rates,
}
TOLD = {
    "State Sync (On Connect)", "Node Started", "Node Completed", "Node Failed", "Workflow Completed", "Workflow Failed",
    "Client Messages",
}


def is_shown(block):
    """Whether a block is no code, but something to be compared."""
    code = block.language not in ("", "json")
    return block.document == LOOPS and not code and block.heading in ANSWERS.keys() | TOLD


def wrong_answers(where, shown):
    """Compares what is shown with what an address answers; gives what is wrong, each with its title."""
    loops, found = Loops(where), []
    for heading, check in ANSWERS.items():
        try:
            want(heading in shown, "the document shows nothing here")
            check(loops, shown[heading])
        except Wrong as e:
            found.append((f"{LOOPS}: {heading}: {e}", "", ""))
        except (OSError, ValueError, KeyError, TypeError, IndexError) as e:
            found.append((f"{LOOPS}: {heading}: not what was expected: {type(e).__name__}: {e}", "", ""))
    return found
