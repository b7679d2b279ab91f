"""Handlers are entry points: short, with one call into the library."""

import ast
from pathlib import Path

import pytest

HANDLERS = sorted((Path(__file__).parents[3] / "functions").glob("*.py"))
MOST_LINES = 60


def library_functions(tree):
    """The names of functions, not of classes, that a module imports from the library."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("whosthere")
        for alias in node.names
        if alias.name[0].islower()
    }


def library_calls(text):
    """How many calls into the library `handler` makes; a module's function counts as one."""
    tree = ast.parse(text)
    names = library_functions(tree)
    (handler,) = (
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "handler"
    )
    calls = [node.func for node in ast.walk(handler) if isinstance(node, ast.Call)]
    roots = [call.value if isinstance(call, ast.Attribute) else call for call in calls]
    return sum(isinstance(root, ast.Name) and root.id in names for root in roots)


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.stem)
def test_a_handler_is_short_and_makes_one_call_into_the_library(path):
    text = path.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert library_calls(text) <= 1


def test_a_second_call_is_seen():
    """The test itself: by a function's own name, by another one, or by its module's."""
    text = """
from whosthere import settings
from whosthere.session.lock import open_session as lock
from whosthere.session_store import Session
def handler(event, context):
    values = settings.merge(event)
    return lock(Session(values))
"""
    assert library_calls(text) == 2
