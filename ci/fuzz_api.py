#!/usr/bin/env python3
"""Asks a running server what its API description allows and forbids, and checks that it answers as described.

The requests come from Schemathesis, which is kept beside the build artefacts. Settings: ci/schemathesis.toml; versions:
ci/schemathesis.txt. The server is the debug build that the tests have made.

Run: python3 ci/fuzz_api.py [target folder [more arguments for `st run`]]
"""

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSIONS = ROOT / "ci" / "schemathesis.txt"
CONFIG = ROOT / "ci" / "schemathesis.toml"
START_SECONDS = 60
RUN_SECONDS = 240
INSTALL_SECONDS = 300


def installed(target):
    """The folder of programs of an environment with the pinned versions, made when it is not there."""
    pins = hashlib.sha256(VERSIONS.read_bytes()).hexdigest()[:12]
    folder = target / f"schemathesis-{pins}"
    if not (folder / "complete").exists():
        print("installing Schemathesis, once", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        command = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", VERSIONS]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
        (folder / "complete").touch()
    return folder / "bin"


class Server:
    """The program on a free port, over an empty folder; its log is kept for a failure."""

    def __init__(self, program, folder):
        self.log = []
        self.address = None
        self.listens = threading.Event()
        command = [program, "serve", "--port", "0", "--data-dir", folder]
        # Nothing of this machine's environment, so that a run is the same everywhere; there is no home for a key.
        self.process = subprocess.Popen(
            command, env={"SECRETS_MASTER_KEY": "a key for tests"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r"listens on (http://\S+)", line)
            if found and self.address is None:
                self.address = found.group(1)
                self.listens.set()
        # At its end nobody should wait for it any longer.
        self.listens.set()

    def stop(self):
        """Asks it to end and gives its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        finally:
            self.reader.join(timeout=START_SECONDS)


def fuzz(programs, server, folder, arguments):
    """Runs Schemathesis in a folder that knows nothing of earlier runs; gives its exit code."""
    command = [
        programs / "st", "--config-file", CONFIG, "run", f"{server.address}/openapi.json", "--no-color", *arguments,
    ]
    try:
        return subprocess.run(command, cwd=folder, timeout=RUN_SECONDS).returncode
    except subprocess.TimeoutExpired:
        print(f"fuzz_api: not done after {RUN_SECONDS} s", file=sys.stderr)
        return 1


def main(arguments):
    target = pathlib.Path(arguments[0] if arguments else ROOT / "target").resolve()
    program = target / "debug" / "nodetool"
    if not program.exists():
        print(f"fuzz_api: no {program}: build it with `cargo build -p nodetool-server`", file=sys.stderr)
        return 2
    try:
        programs = installed(target)
    except (OSError, subprocess.SubprocessError) as e:
        print(f"fuzz_api: Schemathesis cannot be installed from {VERSIONS.name}: {e}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as folder:
        server = Server(program, data)
        try:
            server.listens.wait(START_SECONDS)
            if server.address is None:
                print("fuzz_api: the server did not start:", *server.log[-20:], sep="\n", file=sys.stderr)
                return 1
            code = fuzz(programs, server, folder, arguments[1:])
            died = server.process.poll() is not None
        finally:
            ended = server.stop()
        faults = [line for line in server.log if "panicked" in line or " ERROR " in line]
        if died or ended != 0 or faults:
            print(f"fuzz_api: the server ended with {ended}; its log:", file=sys.stderr)
            print(*(faults or server.log)[-20:], sep="", file=sys.stderr)
            return 1
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
