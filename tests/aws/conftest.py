"""What a deployed stack answers: each test asks one point, `./whosthere test aws` asks them all."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cli.aws.target import Target, find_stack
from cli.commands.test import ANSWERS, AWS_ANSWERS_VARIABLE, AWS_STACK_VARIABLE

FOLDER = Path(__file__).parent
QUESTION, ANSWER = "question", "answer"
OUTCOMES = {
    "passed": "as assumed",
    "failed": "otherwise",
    "skipped": "not seen",
    "error": "not asked",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder unless a stack is named."""
    if os.environ.get(AWS_STACK_VARIABLE):
        return
    skip = pytest.mark.skip(reason="needs a deployed stack: ./whosthere test aws")
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def target() -> Target:
    """The deployed stack."""
    return find_stack(os.environ[AWS_STACK_VARIABLE])


@pytest.fixture
def camera(target: Target) -> str:
    """One camera of the stack: what holds for it holds for all."""
    return target.cameras[0]


@pytest.fixture(autouse=True)
def _question(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    """The test's docstring is its question."""
    record_property(QUESTION, str(request.function.__doc__))


@pytest.fixture
def answer(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """`answer(text)`: what the stack answers, recorded whether or not it is as assumed."""
    return partial(record_property, ANSWER)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write the answers into a file, and print them as a table."""
    name = os.environ.get(AWS_STACK_VARIABLE)
    found = list(_answers(terminalreporter)) if name else []
    if not found:
        return
    content = {"stack": name, "asked": datetime.now(UTC).isoformat(), "answers": found}
    path = Path(os.environ.get(AWS_ANSWERS_VARIABLE, ANSWERS))
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    terminalreporter.section(f"answers, also in {path}")
    for one in found:
        terminalreporter.write_line(f"{one['question']}\n    {one['outcome']}: {one['answer']}")


def _answers(terminalreporter: pytest.TerminalReporter) -> Iterator[dict[str, Any]]:
    for kind, outcome in OUTCOMES.items():
        for report in terminalreporter.stats.get(kind, ()):
            noted = dict(report.user_properties)
            yield {
                "test": report.nodeid.rpartition("::")[2],
                "question": noted.get(QUESTION, ""),
                "outcome": outcome,
                "answer": "; ".join(filter(None, [noted.get(ANSWER), _reason(report)])),
            }


def _reason(report: pytest.TestReport) -> str:
    """Return why a test was skipped, or the last line of its failure."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext.rpartition("\n")[2]
