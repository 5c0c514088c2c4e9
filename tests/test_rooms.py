"""The guard of the rooms (rooms.py) on a made-up tree: sound, then with each fault."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import rooms

TABLE = {"daemon/low": [], "daemon/high": ["daemon/low"]}

SOUND = {
    "daemon/main.c": '#include "daemon/high/high.h"\nint main(void) { return high_go(); }',
    "daemon/low/low.c": '#include "daemon/low/low.h"\nint low_go(void) { return 0; }',
    "daemon/low/low.h": "struct low { int a; };\nint low_go(void);",
    "daemon/high/high.c": '#include "daemon/low/low.h"\nint high_go(void) { return low_go(); }',
    "daemon/high/high.h": "int high_go(void);",
    "CONTRIBUTING.md": "`daemon/low/` knows nothing, `daemon/high/` knows it",
}


class RoomsTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="fs-rooms-"))
        self.addCleanup(shutil.rmtree, self.root)

    def findings(self, changes=(), known=()):
        """What is found in the sound tree with some files changed; None: the file is not there."""
        build = self.root / "build"
        build.mkdir()
        tree = {name: text for name, text in {**SOUND, **dict(changes)}.items() if text is not None}
        for name, text in tree.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        commands = [{"file": f"../{name}", "output": name.replace("/", "_") + ".o"} for name in tree if name.endswith(".c")]
        for entry in commands:
            subprocess.run(["cc", "-w", "-I..", "-c", entry["file"], "-o", entry["output"]], cwd=build, check=True)
        (build / "compile_commands.json").write_text(json.dumps(commands))
        return rooms.check(self.root, build, TABLE, list(known))

    def assert_one(self, findings, start):
        self.assertEqual(len(findings), 1, findings)
        self.assertTrue(findings[0].startswith(start), findings)

    def test_a_sound_tree(self):
        self.assertEqual(self.findings(), [])

    def test_a_symbol_of_a_higher_room(self):
        found = self.findings({"daemon/low/low.c": "int high_go(void);\nint low_go(void) { return high_go(); }"})
        self.assert_one(found, "symbol: daemon/low/low.c uses daemon/high/high.c: high_go")

    def test_an_include_of_a_higher_room(self):
        found = self.findings({"daemon/low/low.h": '#include "daemon/high/high.h"\nint low_go(void);'})
        self.assert_one(found, "include: daemon/low/low.h includes daemon/high/high.h")

    def test_an_include_with_a_path_that_is_not_straight(self):
        found = self.findings({"daemon/low/low.h": '#include "daemon/low/../high/high.h"\nint low_go(void);'})
        self.assert_one(found, "include: daemon/low/low.h includes daemon/high/high.h")

    def test_an_include_beside(self):
        found = self.findings({"daemon/low/low.h": '#include"../high/high.h"\nint low_go(void);'})
        self.assert_one(found, "include: daemon/low/low.h includes daemon/high/high.h")

    def test_an_include_in_brackets(self):
        found = self.findings({"daemon/low/low.h": "%:include <daemon/high/high.h>\nint low_go(void);"})
        self.assert_one(found, "include: daemon/low/low.h includes daemon/high/high.h")

    def test_a_circle_within_a_room(self):
        found = self.findings({
            "daemon/low/low.c": "int loop_go(void);\nint low_go(void) { return loop_go(); }",
            "daemon/low/loop.c": "int low_go(void);\nint loop_go(void) { return low_go(); }",
            "daemon/low/loop.h": "int loop_go(void);"})
        self.assert_one(found, "circle: daemon/low/loop.c daemon/low/low.c:")

    def test_a_tag_that_is_defined_twice(self):
        found = self.findings({"daemon/high/high.h": "enum low { HIGH_LOW };\nint high_go(void);"})
        self.assert_one(found, "tag: low is defined in daemon/high/high.h and in daemon/low/low.h")

    def test_a_source_without_its_header(self):
        found = self.findings({"daemon/high/high.h": None, "daemon/main.c": "int high_go(void);\nint main(void) { return high_go(); }"})
        self.assert_one(found, "header: daemon/high/high.c")

    def test_an_exported_name_of_nobody(self):
        found = self.findings({"daemon/low/low.c": "int low_go(void) { return 0; }\nint lowest(void) { return 1; }"})
        self.assert_one(found, "name: daemon/low/low.c exports lowest")

    def test_a_source_in_the_corridor(self):
        found = self.findings({"daemon/odd.c": "static int odd;"})
        self.assert_one(found, "top: daemon/odd.c")

    def test_a_room_that_contributing_does_not_know(self):
        found = self.findings({"CONTRIBUTING.md": "`daemon/low/`"})
        self.assert_one(found, "contributing: CONTRIBUTING.md does not say what `daemon/high/`")

    def test_what_is_known_is_left_out_until_it_is_mended(self):
        changes = {"daemon/odd.c": "static int odd;"}
        self.assertEqual(self.findings(changes, ["top: daemon/odd.c *"]), [])

    def test_what_is_known_and_mended_comes_off_the_list(self):
        self.assert_one(self.findings((), ["top: daemon/odd.c *"]), "known: ")

    def test_an_object_that_was_not_built(self):
        (self.root / "build").mkdir()
        entry = {"file": "../daemon/low/low.c", "output": "low.o"}
        (self.root / "build/compile_commands.json").write_text(json.dumps([entry]))
        self.assert_one(rooms.check(self.root, self.root / "build", TABLE, []), "build: ")

    def test_a_table_with_a_circle(self):
        with self.assertRaises(ValueError):
            rooms.known_by({"a": ["b"], "b": ["a"]})


if __name__ == "__main__":
    unittest.main()
