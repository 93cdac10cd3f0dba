#!/usr/bin/env python3
"""Runs the code of the founding documents against a server, as it stands there, and looks at what comes out.

The documents lie in $NODETOOL_SHARED/seeds; where they do not, this says so and passes. Shell code is run by bash with
curl, JavaScript by node with two npm packages that are kept beside the build artefacts (none of the TypeScript blocks has
types, so they are JavaScript). Only what REPLACED names is replaced. A block of code that no table here knows is a
failure, so that none is forgotten.

What is run with what, and what has to come out: ci/snippet_cases.py. What one document shows beside its code, and how a
real one is had: ci/snippet_shapes.py. What JavaScript finds around it: ci/snippets.js.

Run: python3 ci/snippets.py [target folder or program]
"""

import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid

from rigs import ROOT, START_SECONDS, Listening, Missing, nodetool, python_packages
from snippet_cases import (
    CASES, DOCUMENTS, LOOPS_MADE, PIECES, REPLACED, SHAPES, STORED, WAITING, WORKFLOWS, Outcome,
)
from snippet_shapes import ANSWERS, Loops, Wrong, is_shown, read_shown, wrong_answers

RUNTIME = ROOT / "ci" / "snippets.js"
# Where the document on loops has its server.
LOOPS_PORT = 7878
PACKAGES = {"ws": "8.23.0", "@msgpack/msgpack": "3.1.3"}
SNIPPET_SECONDS = 20
INSTALL_SECONDS = 120
# Characters of what came out of a snippet that failed.
SHOWN = 6000

STORED_AT = "snippets/kept.txt"
SHELL = {"bash"}
JAVASCRIPT = {"javascript", "typescript"}


class Block:
    """A fenced block of code under a heading; `rest` is what no table has spoken of yet."""

    def __init__(self, document, heading, language, code):
        self.document, self.heading, self.language, self.code = document, heading, language, code
        self.rest = code

    def parts(self):
        """Pieces that stand for themselves: paragraphs, or in a list of commands its lines."""
        listed = self.language in SHELL and all(re.match(r"nodetool ", l) for l in self.code.splitlines())
        return self.code.splitlines(True) if listed else re.split(r"(?<=\n)\n+", self.code)

    def cut(self, begin, end):
        """The part that begins so, up to the end of its paragraph or to `end`; all of the block without a begin."""
        if not begin:
            self.rest = ""
            return self.code
        if end:
            found = self.code.find(end)
            return self.code[:found] if found >= 0 and self.code.startswith(begin) else None
        if self.language in JAVASCRIPT and not begin.startswith("//"):
            if not self.code.startswith(begin):
                return None
            self.rest = ""
            return self.code
        for part in self.parts():
            if part.startswith(begin):
                self.rest = self.rest.replace(part, "", 1)
                return part
        return None


def blocks(path):
    """The blocks of code of a document."""
    heading, fence, found = "", None, []
    for line in path.read_text().splitlines(True):
        if fence is not None:
            if line.startswith("```"):
                found.append(Block(path.name, heading, fence, "".join(code)))
                fence = None
            else:
                code.append(line)
        elif line.startswith("```"):
            fence, code = line[3:].strip(), []
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    return found


def installed(target):
    """The folder with the pinned npm packages, made when it is not there."""
    folder = target / "snippets" / "-".join(f"{n.replace('/', '-').lstrip('@')}-{v}" for n, v in PACKAGES.items())
    if not (folder / "complete").exists():
        print("installing " + " and ".join(PACKAGES) + ", once", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = [
            "npm", "install", "--prefix", folder, "--no-save", "--no-package-lock", "--no-audit", "--no-fund",
            "--ignore-scripts", "--loglevel=error", *(f"{n}@{v}" for n, v in PACKAGES.items()),
        ]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
        (folder / "complete").touch()
    return folder


def request(address, method, path, body, kind):
    asked = urllib.request.Request(f"{address}{path}", body, {"content-type": kind}, method=method)
    # No proxy stands between this and the server.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asked, timeout=SNIPPET_SECONDS) as answer:
        return answer.read()


def saved(address):
    """Saves the workflows, by name, and a file; gives the ids."""
    ids = {}
    for name, graph in WORKFLOWS.items():
        body = json.dumps({"name": name, "access": "private", "graph": graph}).encode()
        ids[name] = json.loads(request(address, "POST", "/api/workflows/", body, "application/json"))["id"]
    request(address, "PUT", f"/api/storage/{STORED_AT}", STORED.encode(), "text/plain")
    return ids


def free_port(wanted=0):
    with socket.socket() as taken:
        # As the server does, which a connection of before keeps from no port.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", wanted))
        return taken.getsockname()[1]


def loops_port():
    """The port that the document on loops names, or another where that is taken."""
    try:
        return free_port(LOOPS_PORT)
    except OSError:
        port = free_port()
        print(f"port {LOOPS_PORT} is taken on this machine: what names it runs with {port}", flush=True)
        return port


def end(process, how=signal.SIGKILL):
    """Ends a process and what it has started; it leads a group of its own."""
    try:
        os.killpg(process.pid, how)
    except ProcessLookupError:
        pass


def came_out(printed, complained, record):
    """What a reader of a failure needs; a server tells of its load all the time."""
    told = [line for line in record.read_text().splitlines(True) if '"system_stats"' not in line or '"binary":true' in line]
    return f"{printed}{complained}{''.join(told)}"[:SHOWN]


class Started(Listening):
    """A server that a snippet starts."""

    def __init__(self, command, environment):
        super().__init__(command, environment, own_session=True)

    def stop(self):
        # The shell would end alone.
        end(self.process, signal.SIGTERM)
        try:
            self.process.wait(timeout=SNIPPET_SECONDS)
            self.reader.join(timeout=SNIPPET_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        end(self.process)
        self.process.wait()
        self.reader.join(timeout=SNIPPET_SECONDS)


class Runner:
    """Runs parts of blocks against a server and looks at what comes out."""

    def __init__(self, address, loops, ids, program, packages, folder, compared):
        self.address, self.loops, self.ids, self.folder = address, loops, ids, folder
        self.shapes, self.shown = compared
        # Ids of what snippets have made, for those that come after.
        self.kept = {}
        packages, self.python = packages
        programs = folder / "bin"
        programs.mkdir()
        (programs / "nodetool").symlink_to(program)
        self.environment = {
            # Nothing else of this machine's environment, so that a run is the same everywhere.
            "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}", "HOME": str(folder), "NO_PROXY": "*",
            "NODETOOL_API_URL": address, "SNIPPETS_PACKAGES": str(packages),
        }

    def values(self, case):
        return {
            "port": self.address.rsplit(":", 1)[1], "workflow": self.ids[case.workflow], "job": str(uuid.uuid4()),
            "path": STORED_AT, "handle": "chunk", "free": str(free_port()), "loops": self.loops, **self.kept,
            **({"loop": self.ids[case.loop]} if case.loop else {}),
        }

    def run(self, case, block, code):
        """Runs a part; gives what ran, and what is wrong with what came out, or None."""
        values = self.values(case)
        for pattern, name, _ in REPLACED:
            if name in values:
                code = re.sub(pattern, values[name], code)
        before, after, listens = (
            re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), text) for text in (case.before, case.after, case.listens)
        )
        try:
            return self.execute(case, block, f"{before}{code}{after}", listens)
        finally:
            self.forget(values["job"])

    def forget(self, job):
        """Ends the job of a snippet, so that it takes no place from the next; most have none, or one at its end."""
        try:
            request(self.address, "POST", f"/api/jobs/{job}/cancel", b"", "application/json")
        except urllib.error.HTTPError:
            pass

    def execute(self, case, block, text, listens):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        record = folder / "record"
        record.touch()
        environment = {**self.environment, "SNIPPETS_RECORD": str(record)}
        if block.language in JAVASCRIPT:
            file = folder / "snippet.mjs"
            command = ["node", "--require", str(RUNTIME), str(file)]
        elif block.language == "python":
            file = folder / "snippet.py"
            command = [str(self.python), str(file)]
        else:
            file = folder / "snippet.sh"
            command = ["bash", "-e", str(file)]
        file.write_text(text)
        if listens:
            # Two servers on one data folder would be in each other's way, and on one port too.
            # What the document shows without tokens takes a word from the operator beyond this machine (HTTP spec 1.3).
            environment |= {"NODETOOL_DATA_DIR": str(folder / "data"), "PORT": "0", "NODETOOL_INSECURE_BIND": "1"}
            return text, *self.serves(command, environment, listens)
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
        )
        try:
            printed, complained = process.communicate(case.typed, timeout=SNIPPET_SECONDS)
        except subprocess.TimeoutExpired:
            end(process)
            printed, complained = process.communicate()
            return text, came_out(printed, complained, record), f"not done after {SNIPPET_SECONDS} s"
        seen = [json.loads(line) for line in record.read_text().splitlines()]
        came = came_out(printed, complained, record)
        if process.returncode != 0:
            return text, came, f"ended with {process.returncode}"
        try:
            case.check(Outcome(printed, seen, self.shapes, self.shown, self.kept))
            if case.keeps:
                self.kept[case.keeps] = json.loads(printed)["id"]
        except Wrong as e:
            return text, came, str(e)
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            return text, came, f"not what was expected: {type(e).__name__}: {e}"
        return text, came, None

    def serves(self, command, environment, listens):
        """Waits until a server says where it listens, asks for its health, and ends it."""
        server = Started(command, environment)
        try:
            server.listens.wait(START_SECONDS)
            if server.address is None:
                return "".join(server.log), "it does not listen"
            if not server.address.startswith(listens):
                return "".join(server.log), f"it should listen on {listens}"
            request(f"http://127.0.0.1:{server.address.rsplit(':', 1)[1]}", "GET", "/health", None, "text/plain")
        except OSError as e:
            return "".join(server.log), f"it is not well: {e}"
        finally:
            server.stop()
        return "".join(server.log), None


def found_shapes(block):
    """The messages that a document shows, as (type, or type and status; keys)."""
    for line in block.code.splitlines():
        kind = re.search(r'"type": "(\w+)"', line)
        if line.startswith("data: ") and kind:
            status = re.search(r'"status": "(\w+)"', line)
            yield f"{kind[1]} {status[1]}" if status else kind[1], set(re.findall(r'"(\w+)":', line))


def sorted_out(read):
    """The runnable parts in the order of the documents, the headings that wait, what is compared (messages of streams; what
    the document on loops shows), and what is unaccounted for."""
    runnable, waits, shapes, shown, faults, used = [], [], [], {}, [], set()
    for block in read:
        key = (block.document, block.heading)
        if key in SHAPES and not block.language:
            shapes += found_shapes(block)
            continue
        if is_shown(block):
            shown.setdefault(block.heading, []).append(read_shown(block))
            continue
        if key in WAITING:
            waits.append((WAITING[key], f"{block.document}: {block.heading}"))
            continue
        for case in CASES:
            if (case.document, case.heading) == key and (code := block.cut(case.begin, case.end)) is not None:
                runnable.append((case, block, code))
                used.add(id(case))
        for part in block.parts():
            for (document, heading, *begin), reason in WAITING.items():
                if begin and (document, heading) == key and part.startswith(begin[0]) and part in block.rest:
                    block.rest = block.rest.replace(part, "", 1)
                    waits.append((reason, f"{block.document}: {block.heading}: {begin[0]}"))
        if block.rest.strip():
            faults.append(f"{block.document}: {block.heading}: no table in snippet_cases.py speaks of:\n{block.rest}")
    faults += [f"{case.title}: not found in the document" for case in CASES if id(case) not in used]
    return runnable, waits, (shapes, shown), faults


class Provider(http.server.BaseHTTPRequestHandler):
    """Speaks the wire of OpenAI, as far as the snippets need it."""

    def log_message(self, *_):
        pass

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        listed = {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "openai"}]}
        self.answer("application/json", json.dumps(listed).encode())

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
        deltas = [({"content": piece}, None) for piece in PIECES] + [({}, "stop")]
        chunks = [{**head, "choices": [{"index": 0, "delta": d, "finish_reason": end}]} for d, end in deltas]
        events = [json.dumps(chunk) for chunk in chunks] + ["[DONE]"]
        self.answer("text/event-stream", "".join(f"data: {event}\n\n" for event in events).encode())


def run_all(runnable, compared, program, packages):
    """Runs the parts; gives what is wrong, each as title, code and what came out."""
    wrong = []
    provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    with provider, tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as folder:
        url = f"openai=http://127.0.0.1:{provider.server_port}/v1"
        port = str(loops_port())
        # Counting requests is off unless it is asked for; so many never come.
        more = ("--orchestrator-port", port, "--rate-limit", "1000000")
        server = nodetool(program, data, "--provider-url", url, *more, OPENAI_API_KEY="a-key")
        try:
            server.listens.wait(START_SECONDS)
            if server.address is None:
                return [("the server did not start", "", "".join(server.log[-20:]))]
            loops = f"http://127.0.0.1:{port}"
            ids = saved(server.address) | {name: Loops(loops).workflow(*nodes)[0] for name, nodes in LOOPS_MADE.items()}
            runner = Runner(server.address, port, ids, program, packages, pathlib.Path(folder), compared)
            for case, block, code in runnable:
                ran, came, fault = runner.run(case, block, code)
                if fault:
                    wrong.append((f"{case.title}: {fault}", ran, came))
            wrong += wrong_answers(loops, compared[1])
            died = server.process.poll() is not None
        finally:
            ended = server.stop()
            provider.shutdown()
        faults = [line for line in server.log if "panicked" in line or " ERROR " in line]
        if died or ended != 0 or faults:
            wrong.append((f"the server ended with {ended}", "", "".join((faults or server.log)[-20:])))
    return wrong


def main(arguments):
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
    given = pathlib.Path(arguments[0] if arguments else target).resolve()
    if given.is_dir():
        target = given
    program = target / "debug" / "nodetool" if given == target else given
    seeds = pathlib.Path(os.environ.get("NODETOOL_SHARED") or ROOT.parent / "shared") / "seeds"
    if not seeds.is_dir():
        print(f"no documents in {seeds}: set NODETOOL_SHARED to the folder that holds seeds/")
        print(f"Ran 0 snippets in 0.0 s: 0 passed; {len(CASES)} skipped")
        return 0
    if not program.exists():
        print(f"snippets: no {program}: build it with `cargo build -p nodetool-server`", file=sys.stderr)
        return 2
    if missing := [name for name in ("bash", "curl", "node", "npm") if not shutil.which(name)]:
        print(f"snippets: needs {', '.join(missing)}, which is not to be found", file=sys.stderr)
        return 2
    try:
        read = [block for name in DOCUMENTS for block in blocks(seeds / name)]
        packages = installed(target), python_packages(target, "judges") / "python"
    except (OSError, ValueError, Missing, subprocess.SubprocessError) as e:
        print(f"snippets: cannot begin: {e}", file=sys.stderr)
        return 2
    runnable, waits, compared, faults = sorted_out(read)
    begun = time.monotonic()
    wrong = run_all(runnable, compared, program, packages)
    for title, ran, came in [*((fault, "", "") for fault in faults), *wrong]:
        print(f"\nsnippets: {title}\n{ran and '--- what ran'}\n{ran}\n{came and '--- what came out'}\n{came}", file=sys.stderr)
    failed = len({title for title, ran, _ in wrong if ran})
    for reason, where in waits:
        print(f"waits for {reason}: {where}")
    reasons = sorted({reason for reason, _ in waits})
    counted = "".join(f"; {sum(r == reason for r, _ in waits)} wait for {reason}" for reason in reasons)
    failures = f", {len(wrong) + len(faults)} failed" if wrong or faults else ""
    print(
        f"Ran {len(runnable)} snippets in {time.monotonic() - begun:.1f} s: {len(runnable) - failed} passed{failures}{counted}; "
        f"{len(ANSWERS)} answers compared",
        flush=True,
    )
    return 1 if wrong or faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
