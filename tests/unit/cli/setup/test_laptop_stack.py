"""The layers' zips that deploys into the laptop AWS share."""

import re
import zipfile
from pathlib import Path

import pytest

from cli.setup.laptop_stack import template_with_zips

TEMPLATE = """\
Resources:
  AlertFunction: {Properties: {CodeUri: AlertFunction}}
  Packages:
    Properties:
      ContentUri: Packages
  PackagesAndMore:
    Properties:
      ContentUri: PackagesAndMore
"""


@pytest.fixture
def built(tmp_path):
    for layer in ("Packages", "PackagesAndMore"):
        (tmp_path / "build" / layer / "python").mkdir(parents=True)
        (tmp_path / "build" / layer / "python" / "module.py").write_text(f"name = {layer!r}")
    (tmp_path / "build" / "template.yaml").write_text(TEMPLATE)
    return tmp_path / "build"


def zips_in(template):
    return [Path(path) for path in re.findall(r"ContentUri: (.+)", template.read_text())]


def test_the_copy_names_a_zip_of_each_layer_and_sams_template_stays(built, tmp_path):
    copy = template_with_zips(built, tmp_path / "kept")
    for layer, path in zip(("Packages", "PackagesAndMore"), zips_in(copy), strict=True):
        with zipfile.ZipFile(path) as made:
            assert made.read("python/module.py").decode() == f"name = {layer!r}"
    assert "{CodeUri: AlertFunction}" in copy.read_text()
    assert copy.parent == built, "what it names besides lies there"
    assert (built / "template.yaml").read_text() == TEMPLATE


def test_a_zip_is_made_again_only_when_its_layer_changes(built, tmp_path):
    first = zips_in(template_with_zips(built, tmp_path / "kept"))
    times = [path.stat().st_mtime_ns for path in first]
    (built / "Packages" / "python" / "module.py").touch()
    assert zips_in(template_with_zips(built, tmp_path / "kept")) == first
    assert [path.stat().st_mtime_ns for path in first] == times
    (built / "Packages" / "python" / "module.py").write_text("name = 'another'")
    changed, same = zips_in(template_with_zips(built, tmp_path / "kept"))
    assert same == first[1] and changed != first[0]
    assert sorted((tmp_path / "kept").iterdir()) == sorted([changed, same]), "the old one goes"
    with zipfile.ZipFile(changed) as made:
        assert made.read("python/module.py") == b"name = 'another'"
