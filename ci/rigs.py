"""What the checks that need programs from elsewhere share: environments of pinned Python packages, kept beside the build
artefacts, and processes that say where they listen."""

import hashlib
import pathlib
import re
import shutil
import subprocess
import threading
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS = 60
INSTALL_SECONDS = 300


class Missing(Exception):
    """Something a check needs cannot be had."""


def python_packages(target, name):
    """The folder of programs of an environment with the versions of ci/<name>.txt, made when it is not there."""
    versions = ROOT / "ci" / f"{name}.txt"
    pins = hashlib.sha256(versions.read_bytes()).hexdigest()[:12]
    folder = target / f"{name}-{pins}"
    if (folder / "complete").exists():
        return folder / "bin"
    print(f"installing {name}, once", flush=True)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        pip = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", versions], check=True, timeout=INSTALL_SECONDS)
        (folder / "complete").touch()
    except (OSError, subprocess.SubprocessError) as e:
        raise Missing(f"{name} cannot be installed from {versions.name}: {e}") from e
    return folder / "bin"


def built_program(target):
    """The debug build that the tests have made."""
    program = target / "debug" / "nodetool"
    if not program.exists():
        raise Missing(f"no {program}: build it with `cargo build -p nodetool-server`")
    return program


class Listening:
    """A process that prints `listens on http://…` somewhere; what it prints is kept for a failure."""

    def __init__(self, command, environment, stream="stderr", stdin=subprocess.DEVNULL, own_session=False):
        self.log = []
        self.address = None
        self.listens = threading.Event()
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        if stream == "stdout":
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(
            command, env=environment, stdin=stdin, text=True, errors="replace", start_new_session=own_session, **pipes,
        )
        self.source = self.process.stderr or self.process.stdout
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.source:
            self.log.append(line)
            found = re.search(r"listens on (http://\S+)", line)
            if found and self.address is None:
                self.address = found.group(1)
                self.listens.set()
        # At its end nobody should wait for it any longer.
        self.listens.set()

    def ready(self):
        """Waits until it listens; gives the address."""
        self.listens.wait(START_SECONDS)
        if self.address is None:
            raise Missing("did not start:\n" + "".join(self.log[-20:]))
        return self.address

    def stop(self):
        """Asks it to end and gives its exit code; None when it had to be killed."""
        if self.process.stdin:
            self.process.stdin.close()
        else:
            self.process.terminate()
        try:
            return self.process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        finally:
            self.reader.join(timeout=START_SECONDS)


def nodetool(program, folder, *arguments, **environment):
    """A server on a free port over a folder, with nothing of this machine's environment."""
    command = [program, "serve", "--port", "0", "--data-dir", folder, *arguments]
    settings = {"SECRETS_MASTER_KEY": "a key for tests", "NODETOOL_DISCOVER_MODELS": "false", **environment}
    return Listening(command, settings)
