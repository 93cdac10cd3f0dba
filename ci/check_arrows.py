#!/usr/bin/env python3
"""Checks who imports whom among the crates of this workspace.

The floor plan in docs/ARCHITECTURE.md is a promise only while something fails when it is broken: this is that thing.
It reads the manifests through `cargo metadata` and knows nothing of the code inside the crates.

Usage: ci/check_arrows.py [--manifest-path Cargo.toml]
Exit code: 0 every arrow is allowed, 1 a forbidden one exists, 2 the workspace could not be read.
"""

import argparse
import json
import os
import subprocess
import sys

PREFIX = "nodetool-"

# Importing crate -> crates it may name in [dependencies] and [build-dependencies]. Nothing else is allowed.
ALLOWED = {
    "protocol": set(),
    "macros": set(),
    "sdk": {"protocol", "macros"},
    "engine": {"sdk"},
    "nodes": {"sdk"},
    "nodes-extra": {"sdk"},
    "orchestrator": {"sdk"},
    "bridge": {"sdk"},
    "providers": {"sdk"},
    "store": {"protocol"},
    "sandbox": {"protocol"},
    # Everything but `macros`, which is reached through `sdk` only.
    "server": {"protocol", "sdk", "engine", "nodes", "nodes-extra", "orchestrator", "bridge", "providers", "store", "sandbox"},
}

# What tests may name on top of that.
ALLOWED_IN_TESTS = {
    # The parts meet in `server`, so its tests may use every crate.
    "server": set(ALLOWED),
    # The derives write paths of `sdk` into user code, so their compile-fail tests need it.
    "macros": {"sdk"},
}


class MetadataError(Exception):
    """`cargo metadata` failed or answered something unreadable."""


def read_metadata(manifest_path):
    """Returns what `cargo metadata` says of the workspace, without resolving dependencies."""
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--format-version", "1", "--no-deps"]
    if manifest_path:
        command += ["--manifest-path", manifest_path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise MetadataError(f"could not start `{command[0]}`: {error}") from error
    if done.returncode != 0:
        raise MetadataError(done.stderr.strip() or f"cargo metadata exited with {done.returncode}")
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise MetadataError(f"cargo metadata did not print JSON: {error}") from error


def arrows(metadata):
    """Yields (importing crate, imported crate, kind) for each dependency between two crates of the workspace."""
    members = set(metadata["workspace_members"])
    packages = [package for package in metadata["packages"] if package["id"] in members]
    names = {package["name"] for package in packages}
    for package in packages:
        for dependency in package["dependencies"]:
            # `name` is the real name, whatever the manifest renames it to.
            if dependency["name"] in names:
                yield package["name"], dependency["name"], dependency["kind"] or "normal"


def faults(metadata):
    """Returns one sentence for each forbidden arrow and each crate that has no place on the floor plan."""
    found = set()
    members = set(metadata["workspace_members"])
    for package in metadata["packages"]:
        if package["id"] in members and short(package["name"]) not in ALLOWED:
            found.add(
                f"{package['name']} is not on the floor plan: a new crate needs a decision record under docs/adr "
                "and its line in ci/check_arrows.py."
            )
    for importer, imported, kind in arrows(metadata):
        a, b = short(importer), short(imported)
        if a not in ALLOWED or b not in ALLOWED:
            continue
        may = set(ALLOWED[a])
        if kind == "dev":
            # A crate may test itself as its users see it.
            may |= ALLOWED_IN_TESTS.get(a, set()) | {a}
        if b not in may:
            found.add(sentence(importer, imported, kind, may))
    return sorted(found)


def sentence(importer, imported, kind, may):
    """Says which arrow is forbidden and which ones the importing crate may have instead."""
    table = {"normal": "dependencies", "dev": "dev-dependencies", "build": "build-dependencies"}[kind]
    listed = ", ".join(PREFIX + name for name in sorted(may))
    rest = f"may import only {listed}" if listed else "may import no crate of this workspace"
    return f"forbidden arrow {importer} -> {imported} in [{table}]: {importer} {rest}."


def short(name):
    """Returns the name used on the floor plan, or "" for a name without the project's prefix."""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest-path", help="Cargo.toml of the workspace (default: the one found from here)")
    options = parser.parse_args(arguments)
    try:
        metadata = read_metadata(options.manifest_path)
    except MetadataError as error:
        print(f"check_arrows: {error}", file=sys.stderr)
        return 2
    found = faults(metadata)
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        return 1
    print(f"arrows: {len(set(arrows(metadata)))} between {len(metadata['workspace_members'])} crates, all allowed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
