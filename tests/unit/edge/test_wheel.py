"""The edge's wheel; and every dependency exists as a wheel for every supported Pi."""

import configparser
import email
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cli.aws.cameras import camera_folder
from cli.aws.cameras.camera_folder import EDGE, build_wheel
from cli.setup.toolchain import ROOT, find_uv

LIMIT_S = 300
PROJECT = tomllib.loads((EDGE / "pyproject.toml").read_text())
NAME = f"whosthere_edge-{PROJECT['project']['version']}"
WHEEL = f"{NAME}-py3-none-any.whl"
WITHOUT_NETWORK = ("unshare", "--net", "--map-root-user")
WRITE_FOLDER = """
import socket, sys
from pathlib import Path
from cli.aws.cameras.camera_folder import CameraFolder
CameraFolder(Path(sys.argv[1]), "front-door").write({"camera": "front-door"}, {}, None, None)
assert [name for _, name in socket.if_nameindex()] == ["lo"], "there is a network"
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    return build_wheel(folder)


def test_the_wheel_holds_the_whole_package_and_nothing_that_installs_it(wheel):
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    modules = {path.relative_to(EDGE).as_posix() for path in EDGE.rglob("*.py")}
    own = {name for name in modules if not name.startswith("pi/")}
    about = {name for name in names if name.startswith(f"{NAME}.dist-info/")}
    assert names - about == {f"whosthere_edge/{name}" for name in own}
    assert len(about) == 4


def test_the_wheel_says_what_it_needs_and_how_it_is_called(wheel):
    with zipfile.ZipFile(wheel) as opened:
        (place,) = [name for name in opened.namelist() if name.endswith("/METADATA")]
        metadata = email.message_from_bytes(opened.read(place))
        scripts = configparser.ConfigParser()
        scripts.read_string(opened.read(place.replace("METADATA", "entry_points.txt")).decode())
    assert metadata["Requires-Python"] == ">=3.11"
    needed = metadata.get_all("Requires-Dist")
    extra = "opencv-python-headless>=4.13,<5; extra == 'face'"
    asked = [*PROJECT["project"]["dependencies"], extra]
    assert set(map(Requirement, needed)) == set(map(Requirement, asked))
    assert metadata["Provides-Extra"] == "face"
    assert scripts["console_scripts"]["whosthere-edge"] == "whosthere_edge.__main__:main"


def test_the_same_source_makes_the_same_wheel(wheel, tmp_path, monkeypatch):
    """Wherever it lies, and whenever it was written."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(EDGE, copy, copy_function=shutil.copyfile)
    monkeypatch.setattr(camera_folder, "EDGE", copy)
    again = build_wheel(tmp_path)
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in (wheel, again)]
    assert digests[0] == digests[1]


def test_the_wheel_runs_under_its_own_name(wheel):
    """Imports inside must be relative: there is no package `edge` where it is installed."""
    program = "import whosthere_edge.__main__ as edge; raise SystemExit(edge.main(['cameras']))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={"PYTHONPATH": str(wheel), "PATH": "/nowhere"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "rtsp://HOST/PATH" in done.stderr


@pytest.mark.parametrize(
    ("python", "platform", "resolution"),
    [
        ("3.11", "aarch64-unknown-linux-gnu", "lowest-direct"),
        ("3.11", "aarch64-unknown-linux-gnu", "highest"),
        ("3.13", "aarch64-unknown-linux-gnu", "highest"),
        ("3.13", "x86_64-unknown-linux-gnu", "highest"),
    ],
)
@pytest.mark.long  # asks the package index
def test_all_it_needs_is_there_as_wheels(python, platform, resolution, tmp_path):
    """Resolved for bookworm (3.11) and trixie (3.13), the oldest and the newest that is allowed."""
    command = [find_uv(), "pip", "compile", str(EDGE / "pyproject.toml")]
    command += ["--python-version", python, "--python-platform", platform]
    command += ["--only-binary", ":all:", "--resolution", resolution, "--no-header"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    versions = dict(
        line.split("==") for line in done.stdout.splitlines() if "==" in line and line[0] != " "
    )
    assert int(versions["av"].split(".")[0]) >= 18
    if resolution == "lowest-direct":
        assert versions["av"].startswith("18.")


def test_pip_can_install_the_folder_itself(tmp_path):
    """With the build tool that it names, which pip fetches where it is not installed."""
    command = [sys.executable, "-m", "pip", "wheel", str(EDGE), "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in Path(tmp_path).iterdir()] == [WHEEL]


def test_the_folder_names_the_build_tool_that_is_installed_here():
    version = importlib.metadata.version("hatchling")
    assert PROJECT["build-system"]["requires"] == [f"hatchling=={version}"]


def can_cut_the_network():
    """Whether this machine lets us make a network namespace."""
    found = shutil.which(WITHOUT_NETWORK[0]) is not None
    return found and subprocess.run([*WITHOUT_NETWORK, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_cut_the_network(), reason="no network namespaces on this machine")
def test_a_cameras_folder_is_written_with_the_network_cut(tmp_path):
    done = subprocess.run(
        [*WITHOUT_NETWORK, sys.executable, "-P", "-c", WRITE_FOLDER, str(tmp_path / "front-door")],
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'functions'}"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "front-door" / WHEEL).stat().st_size > 50_000
