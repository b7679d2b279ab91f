"""What Dependabot is told to keep up to date is there, in the form that it reads."""

import re

import pytest
import yaml

from cli.setup.toolchain import ROOT

UPDATES = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
FOLDERS = [
    (update["package-ecosystem"], folder)
    for update in UPDATES
    for folder in update.get("directories", [update.get("directory")])
]
MANIFESTS = {
    "github-actions": {".github/workflows/ci.yml"},
    "pip": {"pyproject.toml", "requirements.txt"},
    "uv": {path.name for path in (ROOT / "environments").glob("*.in")},
}
LISTS = sorted((ROOT / "environments").glob("*.in"))
LOCKS = sorted((ROOT / "environments").glob("*.txt"))


@pytest.mark.parametrize(("ecosystem", "folder"), FOLDERS)
def test_each_folder_has_what_its_ecosystem_reads(ecosystem: str, folder: str) -> None:
    assert any((ROOT / folder.strip("/") / name).exists() for name in MANIFESTS[ecosystem])


def test_each_list_of_packages_is_in_a_folder_that_is_covered() -> None:
    covered = {ROOT / folder.strip("/") for _, folder in FOLDERS}
    projects = [ROOT / room / "pyproject.toml" for room in ("edge", "local")]
    layers = (ROOT / "functions" / "layers").glob("*/requirements.txt")
    assert {path.parent for path in [*projects, *layers, *LISTS]} <= covered


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_file_says_how_it_is_made_from_what_lies_beside_it(lock) -> None:
    """Dependabot finds NAME.in by the name of NAME.txt and the options in its first lines."""
    (uv,) = [update for update in UPDATES if update["package-ecosystem"] == "uv"]
    is_excluded = lock.name in uv["exclude-paths"]
    assert lock.with_suffix(".in").exists() is not is_excluded
    head, lines = lock.read_text().splitlines()[:2], lock.read_text().splitlines()[2:]
    options = "--universal --python-version 3.13 --generate-hashes --no-annotate"
    assert re.match(rf"#    uv pip compile {options} \S+ -o (environments/)?{lock.name}$", head[1])
    version = (ROOT / "environments" / ".python-version").read_text().strip()
    assert f"--python-version {version} " in head[1]
    assert all(re.match(r"[\w.\[\]-]+==|    --hash=sha256:", line) for line in lines)


def test_each_list_has_its_lock_file() -> None:
    assert {path.stem for path in LISTS} <= {path.stem for path in LOCKS}
