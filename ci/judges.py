#!/usr/bin/env python3
"""Has the official libraries of OpenAI, Anthropic and Google judge our clients of their wires: what the tests of the
providers' crate send, and what they are answered.

The tests write their exchanges into a folder; ci/judge_exchanges.py judges them with the libraries, which are kept
beside the build artefacts; versions: ci/judges.txt. Differences that are meant: ci/judges.toml.

Run: python3 ci/judges.py [target folder [more arguments for cargo]]
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from rigs import ROOT, Missing, python_packages

RUN_SECONDS = 1800
JUDGE_SECONDS = 240


def run_tests(folder, target, arguments):
    """Runs the tests of the providers' crate; gives the exit code of cargo."""
    cargo = os.environ.get("CARGO", "cargo")
    # With a single thread tests run on the main one, which does not have their names.
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "RUST_TEST_THREADS": "2"}
    environment["NODETOOL_PROVIDER_EXCHANGES"] = folder
    # What a test that is tried again wrote before would count twice.
    environment["NEXTEST_RETRIES"] = "0"
    packages = ["-p", "nodetool-providers", "--lib", "--test", "it"]
    # Those that talk to a stub; the others write nothing.
    names = ["openai::", "anthropic::", "gemini::"]
    probe = subprocess.run([cargo, "nextest", "--version"], capture_output=True, check=False)
    if probe.returncode == 0:
        tests = " | ".join(f"test(/^{name}/)" for name in names)
        # The whole workspace, as the tests before have built it: a crate by itself would be built anew, with fewer features.
        tests = f"package(nodetool-providers) & ({tests})"
        command = [cargo, "nextest", "run", "--workspace", "--status-level", "fail", *arguments, "-E", tests]
    else:
        command = [cargo, "test", "--quiet", *packages, *arguments, "--", *names]
    return subprocess.run(command, cwd=ROOT, env=environment, timeout=RUN_SECONDS).returncode


def main(arguments):
    target = pathlib.Path(arguments[0] if arguments else ROOT / "target").resolve()
    try:
        python = python_packages(target, "judges") / "python"
    except Missing as e:
        print(f"judges: {e}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        try:
            code = run_tests(folder, target, arguments[1:])
            if code:
                return code
            files = [ROOT / "ci" / "judge_exchanges.py", folder, ROOT / "ci" / "judges.toml"]
            judge = [python, "-B", "-W", "ignore", *files]
            # Nothing of this machine's environment: the libraries would read keys and proxies from it.
            return subprocess.run(judge, env={}, timeout=JUDGE_SECONDS).returncode
        except subprocess.TimeoutExpired as e:
            print(f"judges: not done after {e.timeout:.0f} s", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
