#!/usr/bin/env python3
"""Runs the tests that need a service that speaks S3, against Moto on a free port of this machine.

Moto is kept beside the build artefacts; versions: ci/moto.txt. The tests find it through NODETOOL_TEST_S3 and skip
themselves where that is not set.

Run: python3 ci/s3.py [target folder [more arguments for cargo]]
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSIONS = ROOT / "ci" / "moto.txt"
START_SECONDS = 60
RUN_SECONDS = 1800
INSTALL_SECONDS = 300

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


def installed(target):
    """The Python of an environment with the pinned versions, made when it is not there."""
    pins = hashlib.sha256(VERSIONS.read_bytes()).hexdigest()[:12]
    folder = target / f"moto-{pins}"
    if not (folder / "complete").exists():
        print("installing Moto, once", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        command = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", VERSIONS]
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
        (folder / "complete").touch()
    return folder / "bin" / "python"


class Service:
    """Moto at work."""

    def __init__(self, python):
        self.log = []
        self.address = None
        self.listens = threading.Event()
        # Moto records every request of a test unless told not to.
        environment = {**os.environ, "MOTO_ENABLE_RECORDING": ""}
        self.process = subprocess.Popen(
            [python, "-c", SERVICE], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.log.append(line)
            found = re.search(r"listens on (http://\S+)", line)
            if found and self.address is None:
                self.address = found.group(1)
                self.listens.set()
        # At its end nobody should wait for it any longer.
        self.listens.set()

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(timeout=START_SECONDS)


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
        python = installed(target)
    except (OSError, subprocess.SubprocessError) as e:
        print(f"s3: Moto cannot be installed from {VERSIONS.name}: {e}", file=sys.stderr)
        return 2
    service = Service(python)
    try:
        service.listens.wait(START_SECONDS)
        if service.address is None:
            print("s3: Moto did not start:", *service.log[-20:], sep="\n", file=sys.stderr)
            return 1
        return run_tests(service.address, target, arguments[1:])
    finally:
        service.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
