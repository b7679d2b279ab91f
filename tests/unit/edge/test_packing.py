"""The edge's wheel; and every dependency exists as a wheel for every supported Pi."""

import configparser
import email
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.setup.toolchain import find_uv
from edge.packing import EDGE, build_wheel

LIMIT_S = 300


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    return folder / build_wheel(str(folder))


def test_the_wheel_holds_the_whole_package_and_nothing_that_installs_it(wheel):
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    modules = {path.relative_to(EDGE).as_posix() for path in EDGE.rglob("*.py")}
    own = {name for name in modules if name != "packing.py" and not name.startswith("pi/")}
    assert {f"whosthere_edge/{name}" for name in own} <= names
    assert len(names) == len(own) + 4


def test_the_wheel_says_what_it_needs_and_how_it_is_called(wheel):
    with zipfile.ZipFile(wheel) as opened:
        (place,) = [name for name in opened.namelist() if name.endswith("/METADATA")]
        metadata = email.message_from_bytes(opened.read(place))
        scripts = configparser.ConfigParser()
        scripts.read_string(opened.read(place.replace("METADATA", "entry_points.txt")).decode())
    assert metadata["Requires-Python"] == ">=3.11"
    needed = metadata.get_all("Requires-Dist")
    lines = (EDGE / "requirements.txt").read_text().splitlines()
    extra = 'opencv-python-headless>=4.13,<5; extra == "face"'
    assert needed == [*(line for line in lines if line and line[0] != "#"), extra]
    assert metadata["Provides-Extra"] == "face"
    assert scripts["console_scripts"]["whosthere-edge"] == "whosthere_edge.__main__:main"


def test_the_same_source_makes_the_same_wheel(wheel, tmp_path):
    again = tmp_path / build_wheel(str(tmp_path))
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
@pytest.mark.long
def test_all_it_needs_is_there_as_wheels(python, platform, resolution, tmp_path):
    """Resolved for bookworm (3.11) and trixie (3.13), the oldest and the newest that is allowed."""
    command = [find_uv(), "pip", "compile", str(EDGE / "requirements.txt")]
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


def test_pip_can_install_the_folder_itself_without_fetching_anything(tmp_path):
    """PEP 517: the backend is in the folder, so no build tool is needed."""
    command = [sys.executable, "-m", "pip", "wheel", str(EDGE), "--no-deps", "--no-index"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(tmp_path)], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in Path(tmp_path).iterdir()] == [
        "whosthere_edge-0.1.0-py3-none-any.whl"
    ]
