#!/usr/bin/env python3
"""Asks a running server what its API description allows and forbids, and checks that it answers as described.

The requests come from Schemathesis, which is kept beside the build artefacts. Settings: ci/schemathesis.toml; versions:
ci/schemathesis.txt. The server is the debug build that the tests have made.

Run: python3 ci/fuzz_api.py [target folder [more arguments for `st run`]]
"""

import pathlib
import subprocess
import sys
import tempfile

from rigs import ROOT, Missing, built_program, nodetool, python_packages

CONFIG = ROOT / "ci" / "schemathesis.toml"
RUN_SECONDS = 240


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
    try:
        program = built_program(target)
        programs = python_packages(target, "schemathesis")
    except Missing as e:
        print(f"fuzz_api: {e}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as folder:
        server = nodetool(program, data)
        try:
            server.ready()
            code = fuzz(programs, server, folder, arguments[1:])
            died = server.process.poll() is not None
        except Missing as e:
            print(f"fuzz_api: the server {e}", file=sys.stderr)
            return 1
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
