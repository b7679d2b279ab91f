"""The checklist for a deployed stack: its table in docs, its skips, and what is asked before."""

import argparse
import ast
import re
import subprocess
import sys

import pytest

from cli.commands import test as verb_test
from cli.errors import InputError
from cli.interrupts import Interrupts
from tests.support.stack.sam import ROOT

CHECKLIST = ROOT / "tests" / "aws"


def functions() -> dict[str, str]:
    """Return the tests of the checklist and the question each asks."""
    parsed = [ast.parse(path.read_text()) for path in CHECKLIST.glob("test_*.py")]
    found = [node for tree in parsed for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {one.name: ast.get_docstring(one) or "" for one in found if one.name.startswith("test_")}


def test_each_point_of_the_table_has_its_test_and_each_test_its_point() -> None:
    page = (ROOT / "docs" / "never-tried-on-aws.md").read_text()
    section = page.partition("## Open points")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| .* \| `(test_\w+)` \|$", section, re.MULTILINE)
    assert len(rows) == section.count("\n| ") - 2  # but for the head and its line
    assert sorted(rows) == sorted(functions())


@pytest.mark.parametrize("name", functions())
def test_each_test_asks_a_question(name: str) -> None:
    assert functions()[name].endswith("?")


def test_without_a_stack_all_are_skipped_with_the_reason() -> None:
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "tests/aws"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert f"{len(functions())} skipped" in done.stdout
    assert "needs a deployed stack: ./whosthere test aws" in done.stdout


def test_the_price_is_said_and_nothing_is_asked_without_leave(target, monkeypatch) -> None:
    monkeypatch.setattr(verb_test, "find_stack", lambda _stack: target)
    monkeypatch.setattr(verb_test.subprocess, "run", lambda *_a, **_k: pytest.fail("was run"))
    parser = argparse.ArgumentParser()
    verb_test.add_arguments(parser)
    arguments = parser.parse_args([])
    arguments.more = ["aws"]
    with pytest.raises(InputError, match=r"at most \$0\.37.*about \$0\.01.*say --yes"):
        verb_test.run(arguments, Interrupts())
