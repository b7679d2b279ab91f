"""The documents stay true: folders, states, verbs, packages, files, versions and made pages."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.__main__ import VERBS
from tests.statemachine.machine import inner_machines
from tests.support import made_pages
from tests.support.stack.sam import ROOT, definition, resources

README = (ROOT / "README.md").read_text()
DOCS = ROOT / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))
# Rooms whose READMEs have rules of their own.
APART = ("edge/", "local/")
# Private words and turns of phrase that had to be read twice; each has a plain term.
OLD_STYLE = (
    r"\b(is|are) told\b(?! apart)|\b(comes?|came) again\b|\bwhom\b|\bpart of it\b|\bwhat is not\b"
    r"|\bnets?\b|\bmend(ed|s)?\b|\banew\b|\bgoes by\b|\balso when\b|\bis said once\b"
    r"|\bstops? to come\b|\bgood for\b|\benrol(s|ment)?\b|\bhushed\b|\bset aside\b"
    r"|\bholds what\b|\breads along\b"
)
# What the code says is the code's: the pages quote it.
QUOTED = re.compile(r"`[^`]*`|```.*?```|<!-- made from.*?<!-- end -->", re.DOTALL)


def tracked() -> list[str]:
    """Return the files of the repository: what git knows or would take."""
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
    return [path for path in listed.stdout.splitlines() if (ROOT / path).exists()]


def documents() -> list[str]:
    return [path for path in tracked() if path.endswith(".md")]


def folders() -> list[str]:
    return sorted({path.split("/")[0] for path in tracked() if "/" in path and path[0] != "."})


def states_of(block: dict) -> Iterator[str]:
    for name, state in block["States"].items():
        yield name
        for inner in inner_machines(state):
            yield from states_of(inner)


@pytest.mark.parametrize("folder", folders())
def test_every_top_level_folder_is_in_the_readme(folder: str) -> None:
    assert f"| `{folder}/` |" in README


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_in_the_readme(page: str) -> None:
    assert f"](docs/{page})" in README


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_help_on_the_page(verb: str) -> None:
    page = (DOCS / "commands.md").read_text()
    assert f"### `./whosthere {verb}`" in page and f"usage: ./whosthere {verb}" in page


def test_every_state_of_both_machines_is_explained() -> None:
    page = (DOCS / "sessions.md").read_text()
    section = page.partition("## States")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([A-Z][\w, ]+) \|", section, re.MULTILINE)
    states = [*states_of(definition()), *states_of(definition("cameras"))]
    assert sorted(", ".join(rows).split(", ")) == sorted(states)


@pytest.mark.parametrize("alarm", resources("AWS::CloudWatch::Alarm"))
def test_every_alarm_is_explained(alarm: str) -> None:
    assert f"`{alarm}`" in (DOCS / "alerts.md").read_text()


@pytest.mark.parametrize("name", documents())
def test_what_a_document_points_at_is_there(name: str) -> None:
    document = ROOT / name
    text = document.read_text()
    for target in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), target
    for path in re.findall(r"`((?:[a-z_]+/)+[\w.]+)`", text):
        assert (ROOT / path).exists() or (document.parent / path).exists(), path


@pytest.mark.parametrize("page", made_pages.made_pages(), ids=lambda page: page.stem)
def test_what_is_made_from_the_code_is_as_the_code(page: Path) -> None:
    text = page.read_text()
    again = "`python -m tests.support.made_pages` renews it: CONTRIBUTING.md"
    assert made_pages.renewed(text) == text, again


def test_five_pages_have_parts_made_from_the_code() -> None:
    found = [page.stem for page in made_pages.made_pages()]
    assert found == ["commands", "costs", "permissions", "sessions", "settings"]


def test_every_package_that_is_asked_for_earns_its_place() -> None:
    pages = (DOCS / "dependencies.md", ROOT / "local" / "README.md")
    text = "".join(page.read_text() for page in pages)
    for listed in (ROOT / "environments").glob("*.in"):
        for line in listed.read_text().splitlines():
            name = re.split(r"[\[=<>~ ]", line)[0]
            if name and not line.startswith("#"):
                assert re.search(rf"^\| .*\b{re.escape(name)}\b.* \|", text, re.MULTILINE), name


def test_the_lock_files_name_no_registry() -> None:
    for lock in (ROOT / "environments").glob("*.txt"):
        assert "://" not in lock.read_text(), lock.name


def test_the_readme_shows_the_two_commands_on_its_first_screen() -> None:
    first = "\n".join(README.splitlines()[:25])
    assert "git clone" in first and "./whosthere demo" in first


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120 and len(README.split()) <= 900
    assert (DOCS / "flow.svg").stat().st_size < 6000
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 60


def test_the_glossary_is_short() -> None:
    words = re.findall(r"^\| .* \| .* \|$", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert len(words) - 2 <= 25  # but for the head


@pytest.mark.parametrize("name", [one for one in documents() if not one.startswith(APART)])
def test_no_document_falls_back_into_the_old_style(name: str) -> None:
    text = QUOTED.sub("", (ROOT / name).read_text())
    found = re.search(OLD_STYLE, text, re.IGNORECASE)
    assert not found, f"{found[0]!r} in: {text[max(0, found.start() - 60) : found.end() + 30]}"


def test_the_version_is_in_one_place() -> None:
    newest = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    found = {}
    for path in tracked():
        if path.endswith("pyproject.toml"):
            project = tomllib.loads((ROOT / path).read_text()).get("project", {})
            found |= {path: project["version"]} if "version" in project else {}
    assert found == {"edge/pyproject.toml": newest[1]}


def test_ci_takes_actions_by_their_commit_and_runs_what_a_developer_runs() -> None:
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = workflow.read_text()
        assert re.search(r"run: \.ci/run$", text, re.MULTILINE)
        for action in re.findall(r"uses: (\S+)", text):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
