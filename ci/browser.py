#!/usr/bin/env python3
"""Has steps work in a real Chromium: the tests that need one, then a server that loads pages, listens to them, shows them,
keeps pauses and refuses addresses, all over its API, and leaves no browser behind, not even when it is killed.

The browser is the one NODETOOL_TEST_BROWSER names, else one of PATH, else Debian's, which root installs. Where none can be
had this says so and skips. The server is the debug build that the tests have made.

Run: python3 ci/browser.py [target folder [more arguments for cargo]]
"""

import base64
import http.server
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from rigs import ROOT, Missing, built_program, nodetool

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless_shell"]
INSTALL_SECONDS = 600
RUN_SECONDS = 1800
CALL_SECONDS = 300
END_SECONDS = 60
PAUSE = 1.5

TESTS = "services::browsers::tests::"
CASES = 10


def find_browser():
    """A browser of this machine, installed where that is possible."""
    named = os.environ.get("NODETOOL_TEST_BROWSER")
    if named:
        return named
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    apt = shutil.which("apt-get")
    if not apt or os.geteuid() != 0:
        raise Missing("no Chromium in PATH, and only root installs it with apt-get")
    print("installing chromium, once", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in [["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "chromium"]]:
        try:
            done = subprocess.run(
                [apt, *command], env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS,
            )
        except subprocess.TimeoutExpired as e:
            raise Missing(f"chromium could not be installed within {INSTALL_SECONDS} s") from e
        if done.returncode != 0 and command[0] == "install":
            raise Missing(f"chromium cannot be installed: {done.stderr.strip()[-300:]}")
    found = shutil.which("chromium")
    if not found:
        raise Missing("chromium was installed and is not in PATH")
    return found


def run_tests(browser, target, arguments):
    """Runs the tests of the service with the browser; gives the exit code of cargo."""
    cargo = os.environ.get("CARGO", "cargo")
    environment = {**os.environ, "NODETOOL_TEST_BROWSER": browser, "CARGO_TARGET_DIR": str(target)}
    probe = subprocess.run([cargo, "nextest", "--version"], capture_output=True, check=False)
    package = ["-p", "nodetool-server", "--lib"]
    # Each has a browser of its own, which is several processes.
    if probe.returncode == 0:
        command = [cargo, "nextest", "run", *package, *arguments, "-j", "2", "-E", f"test(/^{TESTS}/)"]
    else:
        command = [cargo, "test", *package, *arguments, "--", TESTS, "--test-threads", "2"]
    try:
        return subprocess.run(command, cwd=ROOT, env=environment, timeout=RUN_SECONDS).returncode
    except subprocess.TimeoutExpired:
        print(f"browser: not done after {RUN_SECONDS} s", file=sys.stderr)
        return 1


PAGES = {
    "/": ("text/html", "<title>t</title><body>hello</body>"),
    "/scripted": ("text/html", "<body><p id=p></p><script>fetch('/data').then(r => r.json()).then(d => {"
                               "p.textContent = 'made ' + 'of ' + d.n})</script></body>"),
    "/field": ("text/html", "<body style='margin: 0'><input style='width: 200px; height: 50px' "
                            "oninput='location.hash = this.value'></body>"),
    "/data": ("application/json", '{"n": 7}'),
}


class Site:
    """Pages at an address of this machine, and the times they were asked for."""

    def __init__(self, address):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path, _, query = self.path.partition("?")
                seen.append((path, time.monotonic()))
                if path == "/redirect":
                    self.send_response(302)
                    self.send_header("Location", urllib.parse.parse_qs(query)["to"][0])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                kind, body = PAGES.get(path, (None, ""))
                if path == "/prying":
                    to = urllib.parse.parse_qs(query)["to"][0]
                    kind, body = "text/html", (
                        f"<body><img src='{to}'><iframe src='{to}'></iframe><script>fetch('{to}', {{mode: 'no-cors'}})"
                        ".then(() => document.body.append('got ' + 'there'), () => document.body.append('kept ' + 'out'))"
                        "</script></body>"
                    )
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Absent(Exception):
    """The server has no such route."""


class Api:
    """The server, as clients of its API see it."""

    def __init__(self, address):
        self.address = address

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as e:
            text = e.read()
            try:
                return e.code, json.loads(text)
            except ValueError:
                return e.code, text.decode(errors="replace")

    def make(self, path, body):
        status, made = self.call("POST", path, body)
        if status != 201:
            raise AssertionError(f"POST {path}: {status} {made}")
        return made

    def pool(self):
        """A pool with a session of its own."""
        session = self.make("/api/browser-sessions/", {"name": "session"})
        return self.make("/api/browser-pools/", {"name": "pool", "browser_sessions": [session["id"]]})["id"]

    def step(self, identifier, pool, urls, **values):
        """Runs a step alone."""
        form = {
            "urls": "\n".join(urls), "session_name": f"pool:{pool}", "wait_mode": "networkidle",
            "respect_domain_throttle": True, **values,
        }
        path = f"/api/nodes/{identifier}/execute/"
        status, answer = self.call("POST", path, {"input_data": {}, "form_data": form, "timeout": 240})
        if status == 405 or (status == 404 and "Node not found" not in json.dumps(answer)):
            raise Absent(path)
        return status, answer


class Socket:
    """A WebSocket of the server."""

    def __init__(self, address, path):
        host, port = urllib.parse.urlsplit(address).netloc.split(":")
        self.stream = socket.create_connection((host, int(port)), timeout=CALL_SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall((
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        expect(head.startswith(b"HTTP/1.1 101 "), head)

    def read(self, count):
        held = b""
        while len(held) < count:
            piece = self.stream.recv(count - len(held))
            expect(piece, "the end of the stream")
            held += piece
        return held

    def write(self, opcode, payload):
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else struct.pack(">BH", 0x80 | 126, len(payload))
        # The mask is nought: it hides nothing and changes nothing.
        self.stream.sendall(bytes([0x80 | opcode]) + length + bytes(4) + payload)

    def send(self, **message):
        self.write(1, json.dumps(message).encode())

    def next(self):
        """The next message: an object, bytes, or the number of a close."""
        while True:
            opcode, length = self.read(2)
            if length == 126:
                length, = struct.unpack(">H", self.read(2))
            elif length == 127:
                length, = struct.unpack(">Q", self.read(8))
            payload = self.read(length)
            match opcode & 0x0F:
                case 1:
                    return json.loads(payload)
                case 2:
                    return payload
                case 8:
                    return struct.unpack(">H", payload[:2])[0]
                case 9:
                    self.write(10, payload)

    def says_something(self, seconds):
        return bool(select.select([self.stream], [], [], seconds)[0])

    def until(self, wanted):
        """The first message that is wanted; an error that is not, or the end, is a fault."""
        while True:
            message = self.next()
            if wanted(message):
                return message
            refused = isinstance(message, int) or (isinstance(message, dict) and message["type"] == "error")
            expect(not refused, message)


class Cases:
    """What is checked, and how it went."""

    def __init__(self, browser, program):
        self.browser, self.program = browser, program
        self.passed = self.failed = self.skipped = 0

    def check(self, what, case):
        try:
            case()
        except Absent as e:
            self.skipped += 1
            print(f"skipped: {what}: the server has no {e}", flush=True)
        except Exception as e:
            self.failed += 1
            print(f"FAILED: {what}: {type(e).__name__}: {str(e)[:1500]}", flush=True)
        else:
            self.passed += 1
            print(f"passed: {what}", flush=True)

    def serve(self, folder, *arguments):
        environment = {
            "PATH": os.environ.get("PATH", ""), "NODETOOL_BROWSER_PATH": self.browser,
            "NODETOOL_ALLOW_HOSTS": "127.0.0.1",
        }
        server = nodetool(self.program, folder, *arguments, **environment)
        return server, Api(server.ready())

    def run(self, folder):
        site, forbidden = Site("127.0.0.1"), Site("127.0.0.2")
        server, api = self.serve(folder)
        self.check("pools are the choices of forms", lambda: self.choices(api))
        self.check("pages are loaded", lambda: self.pages(api, site))
        self.check("requests are heard", lambda: self.requests(api, site))
        self.check("pauses are kept", lambda: self.pauses(api, site))
        self.check("addresses are refused", lambda: self.addresses(api, site, forbidden))
        self.check("a browser is watched and used by hand", lambda: self.watched(api, site))
        self.check("no browser outlives the server", lambda: self.ends(server, folder))
        self.check("no browser outlives a server that is killed", lambda: self.killed(folder, site))
        self.check("without a browser the step says what it needs", lambda: self.without(folder, site))
        self.check("without a browser the rest works", lambda: self.rest(folder))
        site.stop()
        forbidden.stop()

    def choices(self, api):
        pool = api.pool()
        status, choices = api.call("GET", "/api/browser-pools/choices/")
        expect(status == 200 and f"pool:{pool}" in [choice["value"] for choice in choices], choices)

    def pages(self, api, site):
        urls = [f"{site.url}/redirect?to=/scripted", f"{site.url}/missing", "http://10.0.0.1/"]
        loaded = output(api.step("playwright-web-page-loader", api.pool(), urls))["webpage_loader"]
        expect([entry["url"] for entry in loaded] == urls, loaded)
        expect("made of 7" in loaded[0]["response"] and "error" not in loaded[0], loaded)
        expect(loaded[2]["response"] is None and "refused" in loaded[2]["error"], loaded)

    def requests(self, api, site):
        heard = output(api.step(
            "playwright-network-interceptor", api.pool(), [f"{site.url}/scripted"], capture_resource_types="xhr,fetch",
            http_methods="GET", status_codes="200", include_response_body="true", return_timeout=200000,
        ))["network_interceptor"]
        expect(heard[0]["final_url"] == f"{site.url}/scripted", heard)
        requests = [(r["request"]["url"], r["response"]["status"], r["response"]["body"])
                    for r in heard[0]["network_requests"]]
        expect(requests == [(f"{site.url}/data", 200, {"n": 7})], heard)

    def pauses(self, api, site):
        pool = api.pool()
        api.make(f"/api/browser-pools/{pool}/domain-throttle-rules/", {"domain": "127.0.0.1", "delay_seconds": PAUSE})
        site.seen.clear()
        output(api.step("playwright-web-page-loader", pool, [f"{site.url}/"] * 3, wait_mode="load"))
        times = [at for path, at in site.seen if path == "/"]
        gaps = [after - before for before, after in zip(times, times[1:])]
        # The site notes a visit a little after its turn; the visits together take their two pauses.
        expect(len(gaps) == 2 and sum(gaps) >= 2 * PAUSE - 0.5, gaps)

    def addresses(self, api, site, forbidden):
        to = urllib.parse.quote(forbidden.url + "/", safe="")
        urls = [f"{site.url}/prying?to={to}", f"{site.url}/redirect?to={to}", f"{forbidden.url}/"]
        loaded = output(api.step("playwright-web-page-loader", api.pool(), urls))["webpage_loader"]
        expect("kept out" in loaded[0]["response"], loaded)
        expect(all("127.0.0.2" in entry["error"] for entry in loaded[1:]), loaded)
        expect(not forbidden.seen, forbidden.seen)

    def watched(self, api, site):
        session = api.make("/api/browser-sessions/", {"name": "watched"})["id"]
        status, launched = api.call("POST", f"/api/browser-sessions/{session}/launch_browser/")
        expect(status == 200 and launched["status"] == "running", launched)
        eyes = Socket(api.address, "/ws/video/")
        eyes.send(type="start", session_id=session)
        pages = eyes.next()
        expect(pages["type"] == "pages_sync" and len(pages["page_ids"]) == 1, pages)
        shown = eyes.until(lambda m: isinstance(m, dict) and m["type"] == "page_switched")
        expect([shown["page_id"]] == pages["page_ids"], shown)
        picture = eyes.until(lambda m: isinstance(m, bytes))
        # The window may be drawn once before it has its size.
        width, height = struct.unpack(">II", picture[:8])
        expect(0 < width <= 1280 and height == 720 and picture[8:11] == b"\xff\xd8\xff", picture[:11])
        eyes.send(type="navigate", action="goto", url=f"{site.url}/field")
        eyes.until(lambda m: m == {"type": "url_changed", "url": f"{site.url}/field"})
        typed = None
        while not typed:
            for kind in ["mousemove", "mousedown", "mouseup"]:
                eyes.send(type=kind, x=20, y=20, button="left")
            for kind in ["keydown", "keyup"]:
                eyes.send(type=kind, key="k", code="KeyK")
            # An address is told before the page is there that takes clicks.
            while not typed and eyes.says_something(PAUSE):
                message = eyes.next()
                expect(not isinstance(message, int), message)
                typed = isinstance(message, dict) and message.get("url", "").startswith(f"{site.url}/field#k")
        eyes.send(type="navigate", action="goto", url="http://10.0.0.1/")
        refusal = eyes.until(lambda m: isinstance(m, dict) and m["type"] == "error")
        expect("refused" in refusal["message"], refusal)
        eyes.stream.close()

    def ends(self, server, folder):
        code = server.stop()
        expect(code == 0, f"exit code {code}\n" + "".join(server.log[-20:]))
        nobody(folder)

    def killed(self, folder, site):
        server, api = self.serve(folder)
        try:
            output(api.step("playwright-web-page-loader", api.pool(), [f"{site.url}/"]))
            expect(browsers(folder) > 0, "no browser is at work")
        finally:
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
        nobody(folder)

    def without(self, folder, site):
        server, api = self.serve(folder, "--max-browsers", "0")
        try:
            _, answer = api.step("playwright-web-page-loader", api.pool(), [f"{site.url}/"])
            needs = "playwright-web-page-loader needs a browser, which is not available"
            expect(answer.get("success") is not True and needs in json.dumps(answer), answer)
            session = api.make("/api/browser-sessions/", {"name": "none"})["id"]
            status, answer = api.call("POST", f"/api/browser-sessions/{session}/launch_browser/")
            expect(status == 503 and "not available" in answer["error"], answer)
            eyes = Socket(api.address, "/ws/video/")
            expect(eyes.next()["type"] == "error" and eyes.next() == 1011, "another end")
        finally:
            server.stop()

    def rest(self, folder):
        server, api = self.serve(folder, "--max-browsers", "0")
        try:
            expect(api.call("GET", "/health")[0] == 200, "no health")
            self.choices(api)
        finally:
            server.stop()


def expect(good, found):
    if not good:
        raise AssertionError(f"found {found}")


def output(answered):
    """The data that a step gave."""
    status, answer = answered
    expect(status == 200 and answer.get("success") is True, answer)
    return answer["output"]["data"]


def browsers(folder):
    """How many browser processes work in the data folder."""
    mark, count = f"{folder}/browsers/".encode(), 0
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                count += mark in (entry / "cmdline").read_bytes()
            except OSError:
                pass
    return count


def nobody(folder):
    """Waits until no browser works in the data folder."""
    until = time.monotonic() + END_SECONDS
    while browsers(folder) and time.monotonic() < until:
        time.sleep(0.1)
    expect(not browsers(folder), f"{browsers(folder)} processes of browsers")


def main(arguments):
    target = pathlib.Path(arguments[0] if arguments else ROOT / "target").resolve()
    try:
        browser = find_browser()
        print(f"the browser is {browser}", flush=True)
    except Missing as e:
        print(f"browser: {e}\n0 passed, 0 failed, {CASES} skipped")
        return 0
    code = run_tests(browser, target, arguments[1:])
    try:
        cases = Cases(browser, built_program(target))
    except Missing as e:
        print(f"browser: {e}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        cases.run(folder)
    skipped = f", {cases.skipped} skipped" if cases.skipped else ""
    print(f"{cases.passed} passed, {cases.failed} failed{skipped}")
    return code or int(cases.failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
