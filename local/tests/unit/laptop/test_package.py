"""The emulator stands alone: it imports nothing from beside its folder, and says what it needs."""

import ast
import re
import sys
import tomllib
from pathlib import Path

from local.ministack.names import VERSION

LOCAL = Path(__file__).resolve().parents[3]
FILES = [path.relative_to(LOCAL) for path in sorted(LOCAL.rglob("*.py"))]
PROJECT = tomllib.loads((LOCAL / "pyproject.toml").read_text())
README = (LOCAL / "README.md").read_text()
# Where a package's module has another name; botocore comes with boto3.
MODULES = {
    "aws-sam-translator": {"samtranslator"},
    "boto3": {"boto3", "botocore"},
    "cfn-lint": {"cfnlint"},
    "dlib-bin": {"dlib"},
    "pillow": {"PIL"},
    "pytest-xdist": {"xdist"},
    "pyyaml": {"yaml"},
}


def named(requirements):
    return [re.split(r"[=<>~\[ ]", one)[0] for one in requirements]


def modules(requirements):
    return {module for name in named(requirements) for module in MODULES.get(name, {name})}


def imported(path):
    """Return the top-level names of all imports of a file, also of those inside functions."""
    found = set()
    for node in ast.walk(ast.parse((LOCAL / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else node.module.partition(".")[0])
    return found


def test_it_imports_what_it_asks_for_and_nothing_from_beside_its_folder():
    runs = {"local"} | modules(PROJECT["project"]["dependencies"]) | sys.stdlib_module_names
    tests = runs | modules(PROJECT["dependency-groups"]["test"])
    foreign = {
        path: imported(path) - (tests if path.parts[0] == "tests" else runs) for path in FILES
    }
    assert {path: names for path, names in foreign.items() if names} == {}


def test_what_runs_imports_no_test():
    for path in FILES:
        if path.parts[0] != "tests":
            assert "local.tests" not in (LOCAL / path).read_text(), path


def test_the_readme_says_what_each_package_is_for():
    for name in named(PROJECT["project"]["dependencies"]):
        assert f"`{name}`" in README, name


def test_the_emulator_that_is_asked_for_is_the_one_whose_names_are_known():
    assert f"ministack=={VERSION}" in PROJECT["project"]["dependencies"]


# From the bottom up: a room imports lower rooms only. `server` loads the rest by name, once
# MiniStack's settings are made.
ROOMS = (
    "security", "shapes", "ministack",
    "kinesisvideo", "kinesisvideo.mkv", "kinesisvideo.store", "kinesisvideo.api",
    "kinesisvideo.media",
    "rekognition", "rekognition.worker", "rekognition.processors", "rekognition.api",
    "event_source_mapping", "iot", "lambda_worker", "patches",
    "relay", "laptop", "server", "__main__",
)  # fmt: skip


def room_of(module):
    """Return the room of a module of the package; the longest name that fits."""
    return max((room for room in ROOMS if f"{module}.".startswith(f"{room}.")), key=len)


def rooms_used(path):
    """Yield the rooms that a file imports from."""
    for node in ast.walk(ast.parse((LOCAL / path).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "local":
            inside = node.module.partition(".")[2]
            yield from {room_of(f"{inside}.{one.name}".strip(".")) for one in node.names}


def test_a_room_imports_only_lower_rooms():
    against = []
    for path in FILES:
        if path.parts[0] == "tests" or path == Path("__init__.py"):
            continue
        own = room_of(".".join(path.with_suffix("").parts))
        for used in rooms_used(path):
            if ROOMS.index(used) > ROOMS.index(own):
                against.append(f"{path} imports {used}")
    assert against == []
