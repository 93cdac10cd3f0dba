#!/usr/bin/env python3
"""Shows that the checks beside this file fail when they should.

Run: python3 ci/test_checks.py
"""

import contextlib
import io
import pathlib
import re
import tempfile
import tomllib
import unittest

import check_arrows

ROOT = pathlib.Path(__file__).resolve().parent.parent

ON_THE_FLOOR_PLAN = {
    "protocol": [],
    "macros": [],
    "sdk": ["protocol", "macros"],
    "engine": ["sdk"],
    "nodes": ["sdk"],
    "store": ["protocol"],
    "server": ["protocol", "sdk", "engine", "nodes", "store"],
}


class Arrows(unittest.TestCase):
    """Each case is a real workspace on disk, read by the real cargo."""

    def check(self, plan, manifests=None):
        """Builds a workspace of empty crates and returns (exit code, everything printed)."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "Cargo.toml").write_text('[workspace]\nresolver = "3"\nmembers = ["crates/*"]\n')
            for name, imports in plan.items():
                self.add_crate(root, f"nodetool-{name}", "".join(
                    f'nodetool-{other} = {{ path = "../nodetool-{other}" }}\n' for other in imports
                ), (manifests or {}).get(name, ""))
            for name in set(manifests or {}) - set(plan):
                self.add_crate(root, name, "", manifests[name])
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                code = check_arrows.main(["--manifest-path", str(root / "Cargo.toml")])
            return code, printed.getvalue()

    def add_crate(self, root, name, dependencies, rest):
        source = root / "crates" / name / "src"
        source.mkdir(parents=True)
        (source / "lib.rs").write_text("")
        (source.parent / "Cargo.toml").write_text(
            f'[package]\nname = "{name}"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n{dependencies}{rest}'
        )

    def test_the_floor_plan_passes(self):
        code, printed = self.check(ON_THE_FLOOR_PLAN)
        self.assertEqual(code, 0, printed)
        self.assertIn("10 between 7 crates, all allowed", printed)

    def test_an_engine_that_names_nodes_fails_with_a_sentence(self):
        code, printed = self.check({**ON_THE_FLOOR_PLAN, "engine": ["sdk", "nodes"]})
        self.assertEqual(code, 1)
        self.assertEqual(
            printed,
            "forbidden arrow nodetool-engine -> nodetool-nodes in [dependencies]: "
            "nodetool-engine may import only nodetool-sdk.\n",
        )

    def test_every_forbidden_arrow_is_named(self):
        code, printed = self.check({**ON_THE_FLOOR_PLAN, "nodes": ["engine"], "store": ["sdk"], "protocol": ["macros"]})
        self.assertEqual(code, 1)
        self.assertEqual(
            re.findall(r"forbidden arrow (\S+ -> \S+)", printed),
            [
                "nodetool-nodes -> nodetool-engine",
                "nodetool-protocol -> nodetool-macros",
                "nodetool-store -> nodetool-sdk",
            ],
        )

    def test_server_reaches_macros_through_sdk_only(self):
        code, printed = self.check({**ON_THE_FLOOR_PLAN, "server": ["sdk", "macros"]})
        self.assertEqual(code, 1)
        self.assertIn("forbidden arrow nodetool-server -> nodetool-macros", printed)

    def test_server_tests_may_use_every_crate(self):
        code, printed = self.check(
            ON_THE_FLOOR_PLAN,
            {"server": '[dev-dependencies]\nnodetool-macros = { path = "../nodetool-macros" }\n'},
        )
        self.assertEqual(code, 0, printed)

    def test_tests_of_other_crates_keep_to_the_arrows(self):
        code, printed = self.check(
            ON_THE_FLOOR_PLAN,
            {"engine": '[dev-dependencies]\nnodetool-nodes = { path = "../nodetool-nodes" }\n'},
        )
        self.assertEqual(code, 1)
        self.assertIn("forbidden arrow nodetool-engine -> nodetool-nodes in [dev-dependencies]", printed)

    def test_macros_tests_may_use_sdk_but_macros_may_not(self):
        tests = {"macros": '[dev-dependencies]\nnodetool-sdk = { path = "../nodetool-sdk" }\n'}
        code, printed = self.check(ON_THE_FLOOR_PLAN, tests)
        self.assertEqual(code, 0, printed)
        code, printed = self.check({**ON_THE_FLOOR_PLAN, "macros": ["sdk"], "sdk": ["protocol"]})
        self.assertEqual(code, 1)
        self.assertIn("nodetool-macros may import no crate of this workspace", printed)

    def test_optional_renamed_build_and_platform_dependencies_are_arrows_too(self):
        path = '{ path = "../nodetool-store" }'
        for rest in (
            'nodetool-store = { path = "../nodetool-store", optional = true }\n',
            'harmless = { path = "../nodetool-store", package = "nodetool-store" }\n',
            f"[build-dependencies]\nnodetool-store = {path}\n",
            f"[target.'cfg(windows)'.dependencies]\nnodetool-store = {path}\n",
        ):
            with self.subTest(rest):
                code, printed = self.check(ON_THE_FLOOR_PLAN, {"nodes": rest})
                self.assertEqual(code, 1)
                self.assertIn("forbidden arrow nodetool-nodes -> nodetool-store", printed)

    def test_a_crate_that_is_not_on_the_floor_plan_fails(self):
        for name in ("nodetool-helpers", "something-else"):
            with self.subTest(name):
                code, printed = self.check(ON_THE_FLOOR_PLAN, {name: ""})
                self.assertEqual(code, 1)
                self.assertIn(f"{name} is not on the floor plan", printed)

    def test_a_workspace_that_cannot_be_read_is_not_a_pass(self):
        printed = io.StringIO()
        with contextlib.redirect_stderr(printed):
            code = check_arrows.main(["--manifest-path", str(ROOT / "no-such-folder" / "Cargo.toml")])
        self.assertEqual(code, 2)
        self.assertIn("no-such-folder", printed.getvalue())


class Policies(unittest.TestCase):
    """The files that hold the project's rules still hold them."""

    def test_clippy_bans_the_three_calls_each_with_a_reason(self):
        banned = tomllib.loads((ROOT / "clippy.toml").read_text())["disallowed-methods"]
        paths = {entry["path"] for entry in banned}
        self.assertLessEqual({"tokio::spawn", "std::env::var", "std::process::exit"}, paths)
        for entry in banned:
            self.assertTrue(entry.get("reason"), f"{entry['path']} is banned without a reason")

    def test_no_licence_that_binds_the_whole_program_is_allowed(self):
        allowed = tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]["allow"]
        self.assertIn("Apache-2.0", allowed)
        self.assertEqual([licence for licence in allowed if re.search(r"GPL|SSPL|BUSL|Commons", licence)], [])


class Compatibility(unittest.TestCase):
    """docs/compatibility.md is read by people and by this: each row once, each with a state that means something."""

    STATES = {"works", "partly", "not yet", "501", "own"}

    def rows(self):
        section = ""
        for line in (ROOT / "docs" / "compatibility.md").read_text().splitlines():
            if line.startswith("#"):
                section = line.lstrip("# ")
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            # The list of cases has columns of its own.
            if section != "Conformance cases" and cells and not set("".join(cells)) <= set("-: "):
                yield section, cells

    def test_each_row_has_a_name_a_known_state_and_a_note(self):
        table = [(section, cells) for section, cells in self.rows() if cells[-2:] != ["State", "Note"]]
        self.assertGreater(len(table), 50)
        for section, cells in table:
            with self.subTest(section=section, row=cells[0]):
                self.assertEqual(len(cells), 3, "a row is: what, state, note")
                self.assertTrue(cells[0])
                self.assertIn(cells[1], self.STATES)
                if cells[1] == "partly":
                    self.assertTrue(cells[2], "a row that works partly says which part does not")

    def test_no_row_is_there_twice(self):
        seen = set()
        for section, cells in self.rows():
            if cells[-2:] == ["State", "Note"]:
                continue
            with self.subTest(section=section, row=cells[0]):
                self.assertNotIn((section, cells[0]), seen)
                seen.add((section, cells[0]))


if __name__ == "__main__":
    unittest.main()
