#!/usr/bin/env python3
"""Has the unmodified SDKs of OpenAI talk to the real program: Python and JavaScript, against a server with everything, one
that asks for a token, and a chat server.

The SDKs are kept beside the build artefacts; versions: ci/sdk.txt, ci/sdk/package-lock.json. What they are asked to do:
ci/sdk/suite.py and ci/sdk/suite.mjs. The models are those of the provider `fake`, which says what ci/sdk/script.json says.
The server is the debug build that the tests have made.

Run: python3 ci/sdk.py [target folder]
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import venv

from rigs import INSTALL_SECONDS, ROOT, Listening, Missing

VERSIONS = ROOT / "ci" / "sdk.txt"
SUITES = ROOT / "ci" / "sdk"
TOKEN = "a-token-of-the-server"
RUN_SECONDS = 300


def fresh(folder, what):
    """Whether a folder has to be filled; it is empty then."""
    if (folder / "complete").exists():
        return False
    print(f"installing {what}, once", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return True


def python_sdk(target):
    """The Python of an environment with the pinned versions, made when it is not there."""
    pins = hashlib.sha256(VERSIONS.read_bytes()).hexdigest()[:12]
    folder = target / "sdk" / f"python-{pins}"
    if fresh(folder, "the SDK for Python"):
        venv.create(folder, with_pip=True)
        command = [
            folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
            "--only-binary", ":all:", "--requirement", VERSIONS,
        ]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
        (folder / "complete").touch()
    return folder / "bin" / "python"


def javascript_sdk(target):
    """A folder with the pinned packages and the suite, made when it is not there."""
    lock = SUITES / "package-lock.json"
    pins = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = target / "sdk" / f"javascript-{pins}"
    if fresh(folder, "the SDK for JavaScript"):
        folder.mkdir(parents=True)
        shutil.copy(SUITES / "package.json", folder)
        shutil.copy(lock, folder)
        command = ["npm", "ci", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
        (folder / "complete").touch()
    # Beside the packages, so that it finds them.
    shutil.copy(SUITES / "suite.mjs", folder)
    return folder / "suite.mjs"


class Server(Listening):
    """The program on a free port, with scripted answers."""

    def __init__(self, program, arguments, environment):
        # Nothing of this machine's environment, so that a run is the same everywhere; there is no home for a key.
        environment = {"SECRETS_MASTER_KEY": "a key for tests", "NODETOOL_DISCOVER_MODELS": "false", **environment}
        script = f"fake={SUITES / 'script.json'}"
        command = [program, *arguments, "--port", "0", "--enable-fake-provider", "--provider-url", script]
        super().__init__(command, environment)


def run_suite(command, servers):
    """Runs a suite and gives how many cases passed and failed; one that ends without saying so has failed."""
    environment = {
        # No key and no address of this machine's owner, and no proxy between this and the servers.
        "PATH": os.environ.get("PATH", os.defpath), "NO_PROXY": "*", "SDK_SERVERS": json.dumps(servers),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        ran = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=RUN_SECONDS,
        )
    except subprocess.TimeoutExpired as e:
        print((e.stdout or b"").decode(errors="replace") if isinstance(e.stdout, bytes) else e.stdout or "")
        print(f"sdk: not done after {RUN_SECONDS} s", file=sys.stderr)
        return 0, 1
    print(ran.stdout, end="", flush=True)
    found = re.findall(r"^(\d+) passed, (\d+) failed$", ran.stdout, re.MULTILINE)
    if not found or (ran.returncode != 0 and found[-1][1] == "0"):
        print(f"sdk: the suite ended with {ran.returncode}", file=sys.stderr)
        return 0, 1
    return tuple(int(n) for n in found[-1])


def main(arguments):
    target = pathlib.Path(arguments[0] if arguments else ROOT / "target").resolve()
    program = target / "debug" / "nodetool"
    if not program.exists():
        print(f"sdk: no {program}: build it with `cargo build -p nodetool-server`", file=sys.stderr)
        return 2
    if missing := [name for name in ("node", "npm") if not shutil.which(name)]:
        print(f"sdk: {' and '.join(missing)} not found", file=sys.stderr)
        return 2
    try:
        python, suite = python_sdk(target), javascript_sdk(target)
    except (OSError, subprocess.SubprocessError) as e:
        print(f"sdk: the SDKs cannot be installed: {e}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as open_data, tempfile.TemporaryDirectory() as static_data:
        servers = []
        try:
            for name, command, environment in [
                ("open", ["serve", "--data-dir", open_data], {}),
                ("static", ["serve", "--data-dir", static_data], {"AUTH_PROVIDER": "static", "SERVER_AUTH_TOKEN": TOKEN}),
                ("chat", ["chat-server", "--workflow", str(SUITES / "greeter.json")], {"HOME": open_data}),
            ]:
                servers.append((name, Server(program, command, environment)))
            addresses = {name: server.ready() for name, server in servers}
            addresses["token"] = TOKEN
            passed, failed = 0, 0
            for command in ([python, SUITES / "suite.py"], ["node", suite]):
                more = run_suite(command, addresses)
                passed, failed = passed + more[0], failed + more[1]
        except Missing as e:
            print(f"sdk: {e}", file=sys.stderr)
            return 1
        finally:
            ended = [(name, server.stop(), server) for name, server in servers]
    for name, code, server in ended:
        faults = [line for line in server.log if "panicked" in line or " ERROR " in line]
        if code != 0 or faults:
            failed += 1
            print(f"sdk: the server `{name}` ended with {code}; its log:", file=sys.stderr)
            print(*(faults or server.log)[-20:], sep="", file=sys.stderr)
    print(f"{passed} passed, {failed} failed in the SDKs of OpenAI", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
