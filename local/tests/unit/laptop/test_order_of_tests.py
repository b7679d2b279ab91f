"""Tests run in random order inside their file; files, and tests that share a stack, in theirs."""

import os
import subprocess
import sys

import pytest

from local.laptop import ROOT

LIMIT_S = 60
FILE = "def test_{}(): pass\n"
TESTS = [f"{letter}{letter}" for letter in "abcdefgh"]


@pytest.fixture
def collected(tmp_path):
    """`collected(seed)`: the tests of four small files in the order in which they would run."""
    for name in (
        "one/test_z.py",
        "one/test_y.py",
        "integration/test_b.py",
        "integration/test_a.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("".join(map(FILE.format, TESTS)))

    def run(seed):
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "--import-mode=importlib",
        ]
        command += [
            "-p",
            "local.tests.support.plugin",
            f"--randomly-seed={seed}",
            "one",
            "integration",
        ]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = [line.split("::test_") for line in done.stdout.splitlines() if "::" in line]
        files = list(dict.fromkeys(file for file, _ in found))
        return {name: [test for file, test in found if file == name] for name in files}

    return run


def test_only_the_tests_inside_a_file_are_shuffled_and_none_of_a_shared_stack(collected):
    first, second = collected(1), collected(2)
    assert list(first) == list(second)
    assert [name.split("/")[0] for name in first] == ["one", "one", "integration", "integration"]
    assert first != second and first == collected(1)
    for order in (first, second):
        assert all(sorted(tests) == TESTS for tests in order.values())
        assert [order[name] == TESTS for name in order] == [False, False, True, True]
