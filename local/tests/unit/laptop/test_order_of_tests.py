"""Tests run in random order inside their file; the slowest files come first."""

import os
import subprocess
import sys

import pytest

from local.laptop import ROOT

LIMIT_S = 60
FILES = ["any/test_z.py", "any/test_y.py", "other/test_b.py", "other/test_a.py"]
SLOWEST = ["other/test_a.py", "any/test_y.py"]
TESTS = [letter * 2 for letter in "abcdefgh"]
COMMAND = """
-m pytest --collect-only -q --import-mode=importlib -p local.tests.support.plugin
"""


@pytest.fixture
def collected(tmp_path):
    """`collected(seed)`: the tests of four small files in the order in which they would run."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(f"def test_{test}(): pass\n" for test in TESTS))

    def run(seed):
        done = subprocess.run(
            [
                *(sys.executable, *COMMAND.split(), f"--randomly-seed={seed}"),
                *("-o", "slowest_first=" + "\n".join(SLOWEST), *FILES),
            ],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = [line.split("::test_") for line in done.stdout.splitlines() if "::" in line]
        assert list(dict.fromkeys(file for file, _ in found)) == [*SLOWEST, FILES[0], FILES[2]]
        return {name: [test for file, test in found if file == name] for name in FILES}

    return run


def test_only_the_tests_inside_a_file_are_shuffled(collected):
    first, second = collected(1), collected(2)
    assert first != second and first == collected(1)
    for order in (first, second):
        for tests in order.values():
            assert sorted(tests) == TESTS and tests != TESTS
