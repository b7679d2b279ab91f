"""Tests run in random order inside their file; files, and the tests of some folders, in theirs."""

import os
import subprocess
import sys

import pytest

from local.laptop import ROOT

LIMIT_S = 60
FILES = ["any/test_z.py", "any/test_y.py", "kept/test_b.py", "kept/test_a.py"]
TESTS = [letter * 2 for letter in "abcdefgh"]
COMMAND = """
-m pytest --collect-only -q --import-mode=importlib -p local.tests.support.plugin -o in_order=kept/
"""


@pytest.fixture
def collected(tmp_path):
    """`collected(seed)`: the tests of four small files in the order in which they would run."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(f"def test_{test}(): pass\n" for test in TESTS))

    def run(seed):
        done = subprocess.run(
            [sys.executable, *COMMAND.split(), f"--randomly-seed={seed}", *FILES],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = [line.split("::test_") for line in done.stdout.splitlines() if "::" in line]
        assert list(dict.fromkeys(file for file, _ in found)) == FILES
        return {name: [test for file, test in found if file == name] for name in FILES}

    return run


def test_only_the_tests_inside_a_file_are_shuffled_and_none_of_a_folder_in_order(collected):
    first, second = collected(1), collected(2)
    assert first != second and first == collected(1)
    for order in (first, second):
        assert all(sorted(tests) == TESTS for tests in order.values())
        assert [order[name] == TESTS for name in FILES] == [False, False, True, True]
