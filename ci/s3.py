#!/usr/bin/env python3
"""Runs the tests that need a service that speaks S3, against Moto on a free port of this machine.

Moto is kept beside the build artefacts; versions: ci/moto.txt. The tests find it through NODETOOL_TEST_S3 and skip
themselves where that is not set.

Run: python3 ci/s3.py [target folder [more arguments for cargo]]
"""

import os
import pathlib
import subprocess
import sys

from rigs import ROOT, Listening, Missing, python_packages

RUN_SECONDS = 1800

# Prints its address, then answers until its standard input ends: it cannot outlive this script.
SERVICE = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"listens on http://{host}:{port}", flush=True)
sys.stdin.read()
server.stop()
"""


def run_tests(address, target, arguments):
    """Runs the tests whose names say they are about S3; gives the exit code of cargo."""
    cargo = os.environ.get("CARGO", "cargo")
    environment = {**os.environ, "NODETOOL_TEST_S3": address, "CARGO_TARGET_DIR": str(target)}
    packages = ["-p", "nodetool-store", "-p", "nodetool-server", "--test", "it"]
    probe = subprocess.run([cargo, "nextest", "--version"], capture_output=True, check=False)
    if probe.returncode == 0:
        command = [cargo, "nextest", "run", *packages, *arguments, "-E", "test(s3::) | test(a_bucket_that_)"]
    else:
        command = [cargo, "test", *packages, *arguments, "--", "s3::", "a_bucket_that_"]
    try:
        return subprocess.run(command, cwd=ROOT, env=environment, timeout=RUN_SECONDS).returncode
    except subprocess.TimeoutExpired:
        print(f"s3: not done after {RUN_SECONDS} s", file=sys.stderr)
        return 1


def main(arguments):
    target = pathlib.Path(arguments[0] if arguments else ROOT / "target").resolve()
    try:
        python = python_packages(target, "moto") / "python"
        # Moto records every request of a test unless told not to.
        environment = {**os.environ, "MOTO_ENABLE_RECORDING": ""}
        service = Listening([python, "-c", SERVICE], environment, stream="stdout", stdin=subprocess.PIPE)
        try:
            return run_tests(service.ready(), target, arguments[1:])
        finally:
            service.stop()
    except Missing as e:
        print(f"s3: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
