"""The documents stay true: folders, verbs, states and files that they have to name."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.__main__ import VERBS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def tracked() -> list[str]:
    """The files of the repository: what git knows or would take."""
    listed = subprocess.run(
        [
            "git",
            "-c",
            "core.quotepath=off",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.splitlines()


def folders() -> list[str]:
    return sorted({path.split("/")[0] for path in tracked() if "/" in path and path[0] != "."})


def states() -> list[str]:
    definition = yaml.safe_load((ROOT / "statemachine" / "session.asl.yaml").read_text())
    return states_of(definition)


def states_of(machine: dict[str, Any]) -> list[str]:
    """Names of a machine's states, those of its branches among them."""
    found = list(machine["States"])
    for state in machine["States"].values():
        for branch in state.get("Branches", []):
            found += states_of(branch)
    return found


@pytest.mark.parametrize("folder", folders())
def test_every_top_level_folder_is_in_the_readme(folder: str) -> None:
    assert f"`{folder}/`" in README


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_in_the_readme(verb: str) -> None:
    assert f"./whosthere {verb}" in README


@pytest.mark.parametrize("state", states())
def test_every_state_of_the_session_is_explained(state: str) -> None:
    assert re.search(rf"\b{state}\b", README)


@pytest.mark.parametrize("name", [path for path in tracked() if path.endswith(".md")])
def test_what_a_document_points_at_is_there(name: str) -> None:
    document = ROOT / name
    text = document.read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), target
    for path in re.findall(r"`((?:[a-z_]+/)+[\w.]+)`", text):
        assert (ROOT / path).exists() or (document.parent / path).exists(), path


def test_the_readme_names_every_package_that_is_asked_for() -> None:
    for listed in (ROOT / "environments").glob("*.in"):
        for line in listed.read_text().splitlines():
            name = re.split(r"[\[=<>~ ]", line)[0]
            if name and not line.startswith("#") and not name.startswith("types-"):
                assert re.search(rf"\b{re.escape(name)}\b", README), name


def test_the_lock_files_name_no_registry() -> None:
    for lock in (ROOT / "environments").glob("*.lock"):
        assert "://" not in lock.read_text(), lock.name


def test_the_readme_shows_the_two_commands_on_its_first_screen() -> None:
    first = "\n".join(README.splitlines()[:25])
    assert "git clone" in first and "./whosthere demo" in first
