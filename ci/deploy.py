#!/usr/bin/env python3
"""Checks what the server is deployed with: Dockerfile, compose.yaml and the systemd unit.

No container engine and no systemd is needed: the files are read, their rules are looked at, and the very commands in
them are run with the built program, in empty folders, with the environment they set: it has to start, to tell its health
check that it is healthy, to refuse a request without a token, to survive a reload and to end in time.

Run: python3 ci/deploy.py [target folder or program]
"""

import json
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from rigs import ROOT, START_SECONDS, Missing, python_packages

SECRETS = {"SERVER_AUTH_TOKEN": "a-token-of-the-check", "SECRETS_MASTER_KEY": "a-key-of-the-check", "ADMIN_TOKEN": "x"}
PROGRAM = "/usr/local/bin/nodetool"
# Rules of the unit that keep the service from the rest of the machine.
CONFINED = {
    "DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
    "CapabilityBoundingSet": "", "UMask": "0077",
}


class Fault(Exception):
    """A file that does not hold what it should, or a command in it that does not do what it should."""


def expect(holds, text):
    if not holds:
        raise Fault(text)


def instructions(text):
    """The instructions of a Dockerfile as (word, rest)."""
    lines = [l for l in text.splitlines() if l.strip() and not l.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines()]


def executed(instruction):
    """The words of a command in the form that needs no shell."""
    try:
        words = json.loads(instruction)
    except ValueError as e:
        raise Fault(f"Dockerfile: {instruction} is not in exec form, and there is no shell") from e
    return words


def dockerfile():
    """The command, health check and environment of the image."""
    stages, current = [], None
    for word, rest in instructions((ROOT / "Dockerfile").read_text()):
        if word == "FROM":
            current = []
            stages.append(current)
            expect(":" in rest.split()[0], f"Dockerfile: FROM {rest} names no version")
        else:
            current.append((word, rest))
    expect(len(stages) == 2, "Dockerfile: one stage builds, one runs")
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in stages[0]:
        for source in shlex.split(rest)[:-1] if word == "COPY" else []:
            expect((ROOT / source).exists(), f"Dockerfile: COPY {source}: there is no such file")
            expect(f"!{source}" in ignored, f".dockerignore: {source} does not get to the build")
    last = dict(stages[1])
    expect(re.fullmatch(r"[1-9]\d*:[1-9]\d*", last.get("USER", "")), "Dockerfile: USER has to be a number that is not root's")
    health = re.search(r"CMD (\[.*\])", last.get("HEALTHCHECK", ""))
    expect(health, "Dockerfile: no health check")
    environment = dict(pair.split("=", 1) for pair in shlex.split(last["ENV"]))
    return executed(last["ENTRYPOINT"]) + executed(last["CMD"]), executed(health.group(1)), environment


def compose(python):
    """The environment that compose.yaml gives the image, with what has to be set, set."""
    program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
    text = (ROOT / "compose.yaml").read_text()
    read = subprocess.run([python, "-c", program], input=text, text=True, capture_output=True, check=True)
    service = json.loads(read.stdout)["services"]["nodetool"]
    expect(service["read_only"] and service["cap_drop"] == ["ALL"], "compose.yaml: the container may do more than it needs")
    expect(all(p.startswith("127.0.0.1:") for p in service["ports"]), "compose.yaml: ports are open beyond this machine")
    grace = int(service["stop_grace_period"].rstrip("s"))
    expect(grace > 25, "compose.yaml: jobs get less time to end than the server gives them")

    def value(text):
        name, kind, default = re.fullmatch(r"\$\{(\w+):([-?])(.*)\}", text).groups()
        expect(kind == "-" or name in SECRETS, f"compose.yaml: {name} has to be set")
        return SECRETS.get(name, default)

    return {name: value(text) for name, text in service["environment"].items()}


def unit():
    """The command and the environment of the service."""
    path = ROOT / "deploy" / "nodetool.service"
    lines = [l for l in path.read_text().splitlines() if "=" in l and not l.startswith("#")]
    settings = dict(l.split("=", 1) for l in lines)
    for name, wanted in CONFINED.items():
        expect(settings.get(name) == wanted, f"nodetool.service: {name} should be {wanted!r}")
    expect(int(settings["TimeoutStopSec"]) > 25, "nodetool.service: jobs get less time to end than the server gives them")
    environment = dict(pair.split("=", 1) for pair in shlex.split(settings["Environment"]))
    for line in (ROOT / "deploy" / "nodetool.env").read_text().splitlines():
        if line and not line.startswith("#"):
            name, text = line.split("=", 1)
            expect(bool(text) != (name in SECRETS), f"nodetool.env: {name} should{' not' if name in SECRETS else ''} be set")
            environment[name] = text or SECRETS[name]
    return settings["ExecStart"].split(), environment


def verify(program, folder):
    """What systemd thinks of the unit, where it is at hand."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return "systemd-analyze is not here, so that only the check's own rules count"
    copy = folder / "nodetool.service"
    copy.write_text((ROOT / "deploy" / "nodetool.service").read_text().replace(PROGRAM, str(program)))
    told = subprocess.run([analyze, "verify", copy], capture_output=True, text=True, timeout=START_SECONDS)
    lines = [l for l in (told.stdout + told.stderr).splitlines() if "nodetool" in l]
    expect(not lines, "systemd-analyze verify: " + "; ".join(lines))
    return None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def status(address, token=None):
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:
            return answer.status
    except urllib.error.HTTPError as e:
        return e.code


def run(name, program, command, environment, health=None):
    """Runs a command of a file with the built program and looks whether it serves."""
    expect(command[0] == PROGRAM, f"{name}: runs {command[0]}")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        places = {"NODETOOL_DATA_DIR": f"{folder}/data", "XDG_CONFIG_HOME": f"{folder}/config"}
        environment = {k: places.get(k, v) for k, v in environment.items()} | {"HOME": folder}
        words = [port if before == "--port" else word for before, word in zip([""] + command, command)]
        server = subprocess.Popen(
            [program, *words[1:]], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace",
        )
        try:
            probe = [word.replace(":7777", f":{port}") for word in (health or [PROGRAM, "ping", "--api-url", "http://127.0.0.1:7777"])]

            def healthy():
                return subprocess.run([program, *probe[1:]], env={}, capture_output=True).returncode == 0

            until = time.monotonic() + START_SECONDS
            while not healthy():
                expect(server.poll() is None, f"{name}: {server.stderr.read() if server.poll() is not None else ''}")
                expect(time.monotonic() < until, f"{name}: not healthy after {START_SECONDS} s")
            address = f"http://127.0.0.1:{port}/api/workflows"
            expect(status(address) == 401, f"{name}: a request without a token is not refused")
            expect(status(address, SECRETS["SERVER_AUTH_TOKEN"]) == 200, f"{name}: the token is refused")
            server.send_signal(signal.SIGHUP)
            expect(healthy() and server.poll() is None, f"{name}: does not survive a reload")
            server.terminate()
            log = server.communicate(timeout=START_SECONDS)[1]
            expect(server.returncode == 0, f"{name}: ended with {server.returncode}: {log}")
            expect(not any(s in log for s in (SECRETS["SERVER_AUTH_TOKEN"], SECRETS["SECRETS_MASTER_KEY"])), f"{name}: a secret is in its log")
            expect(not healthy(), f"{name}: the health check does not notice the end")
        finally:
            server.kill()
            server.wait()


def main(arguments):
    given = pathlib.Path(arguments[0] if arguments else ROOT / "target").resolve()
    target, program = (given, given / "debug" / "nodetool") if given.is_dir() else (given.parent.parent, given)
    checks = 0
    try:
        command, health, image = dockerfile()
        run("Dockerfile", program, command, image | {"AUTH_PROVIDER": "static"} | SECRETS, health)
        run("compose.yaml", program, command, image | compose(python_packages(target, "schemathesis") / "python"), health)
        command, environment = unit()
        run("nodetool.service", program, command, environment)
        with tempfile.TemporaryDirectory() as folder:
            note = verify(program, pathlib.Path(folder))
        checks = 3
    except (Fault, Missing, OSError, subprocess.SubprocessError) as e:
        print(f"deploy: {e}", file=sys.stderr)
        return 1
    print(f"Ran {checks} deployments" + (f" ({note})" if note else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
