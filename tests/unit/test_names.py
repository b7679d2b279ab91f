"""One name, one meaning: a class name stands once in all that is deployed or typed."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Names that stand twice, each with its reason. None does.
TWICE: dict[str, str] = {}


def test_no_class_name_means_two_things() -> None:
    places = defaultdict(list)
    for root in ("functions", "edge", "cli"):
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(str(path.relative_to(ROOT)))
    found = {name: where for name, where in places.items() if len(where) > 1}
    assert found.keys() == TWICE.keys(), found
