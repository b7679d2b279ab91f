"""Imports go one way: a room uses only rooms of lower layers, and no two rooms form a circle.

A room is a package or module right below a deployable's root. A layer lists rooms that do not
use each other.
"""

import ast
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANDLERS = "the handlers"

LAYERS = {
    "functions/whosthere": [
        "alarm_metrics clock errors geometry",
        "dynamodb imaging names settings settings_file",
        "people session_store",
        "metrics",
        "costs",
        "ingest",
        "faces",
        "alerts",
        "visits",
        "strangers",
        "image_search session",
        HANDLERS,
    ],
    "edge": [
        "errors interruptible media options pi signals timeouts urls",
        "buffer settings",
        "config",
        "auth sources tagging",
        "monitor upload",
        "capture commands",
        "supervisor",
        "run",
        "__main__",
    ],
    "cli": [
        "errors interrupts progress tables",
        "setup",
        "aws demo",
        "forget review",
        "commands",
        "__main__",
    ],
}


def imported(path: Path) -> list[str]:
    """The absolute dotted names of everything that a file imports, wherever in the file."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".") if node.module else []
            if node.level:
                package = path.relative_to(ROOT).parent.parts
                module = [*package[: len(package) - node.level + 1], *module]
            names += [".".join([*module, alias.name]) for alias in node.names]
    return names


def room_of(name: str, root: str) -> str | None:
    """The room that a dotted name lies in, or None outside of this deployable."""
    package = f"{Path(root).name}."
    room = name.removeprefix(package).partition(".")[0]
    folder = ROOT / root
    is_ours = name.startswith(package) and (
        (folder / room).is_dir() or (folder / f"{room}.py").is_file()
    )
    return room if is_ours else None


def arrows(root: str) -> set[tuple[str, str]]:
    """Pairs of a room and a room that it uses."""
    found = set()
    for path in (ROOT / root).rglob("*.py"):
        room = path.relative_to(ROOT / root).with_suffix("").parts[0]
        found |= {(room, used) for name in imported(path) if (used := room_of(name, root))}
    if root == "functions/whosthere":
        for path in (ROOT / "functions").glob("*.py"):
            used = (room_of(name, root) for name in imported(path))
            found |= {(HANDLERS, room) for room in used if room}
    return {(room, used) for room, used in found if room != used}


def floors(root: str) -> dict[str, int]:
    """The layer of each room, counted from below."""
    rooms = {}
    for floor, names in enumerate(LAYERS[root]):
        for room in [names] if names == HANDLERS else names.split():
            rooms[room] = floor
    return rooms


@pytest.mark.parametrize("root", LAYERS)
def test_a_room_uses_only_lower_layers(root: str) -> None:
    floor = floors(root)
    against = {pair for pair in arrows(root) if floor[pair[0]] <= floor[pair[1]]}
    assert against == set()


@pytest.mark.parametrize("root", LAYERS)
def test_every_room_has_a_layer(root: str) -> None:
    rooms = {path.relative_to(ROOT / root).parts[0] for path in (ROOT / root).rglob("*.py")}
    named = {room.removesuffix(".py") for room in rooms if room != "__init__.py"}
    assert named == set(floors(root)) - {HANDLERS}


def test_no_handler_is_imported_by_the_library() -> None:
    handlers = {path.stem for path in (ROOT / "functions").glob("*.py")}
    for path in (ROOT / "functions" / "whosthere").rglob("*.py"):
        assert not handlers & {name.partition(".")[0] for name in imported(path)}, path


def test_an_arrow_against_the_order_is_seen() -> None:
    """The test itself: relative imports, and imports inside a function, count too."""
    assert ("alerts", "dynamodb") in arrows("functions/whosthere")
    assert room_of("whosthere.visits.store.Visit", "functions/whosthere") == "visits"
    assert room_of("whosthere_other.visits", "functions/whosthere") is None
    lazily = ROOT / "functions" / "whosthere" / "imaging.py"
    assert "PIL.Image" in imported(lazily)


def test_no_stub_is_imported_at_run_time() -> None:
    """The Lambda runtime has no stubs: only the type checker may see them."""
    seen, parts = 0, ("functions", "cli")
    for path in chain.from_iterable((ROOT / part).rglob("*.py") for part in parts):
        whole = path.read_text()
        seen += "mypy_boto3_" in whole
        for part in ast.walk(tree := ast.parse(whole)):
            if isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING":
                part.body = [ast.Pass()]
        assert "mypy_boto3_" not in ast.unparse(tree), path
    assert seen
