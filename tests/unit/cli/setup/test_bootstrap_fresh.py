"""The first run on a machine that has an old Python and the package registries, for real."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
FOLDERS = ("cli", "edge", "environments", "functions", "local")
MINUTES = 10
BROKEN_SHIM = "#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n"


def oldest_python() -> str:
    """The oldest Python from 3.9 that pyenv has here, else the one that runs the tests."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [
        python
        for minor in range(9, 13)
        for python in root.glob(f"versions/3.{minor}.*/bin/python3")
    ]
    return str(found[0]) if found else sys.executable


@pytest.mark.long  # downloads all environments
def test_a_fresh_machine_with_an_old_python_and_a_broken_shim_gets_everything(
    tmp_path: Path,
) -> None:
    checkout, home, path = tmp_path / "checkout", tmp_path / "home", tmp_path / "bin"
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, checkout / folder)
    shutil.copy(ROOT / "whosthere", checkout)
    versions = home / ".pyenv" / "versions"
    versions.mkdir(parents=True)
    (versions / "3.13.0").symlink_to(sys.base_prefix)
    path.mkdir()
    (path / "python3.13").write_text(BROKEN_SHIM)
    (path / "python3.13").chmod(0o755)
    (path / "python3").symlink_to(oldest_python())
    cache = tmp_path / "cache"
    environment = {
        "HOME": str(home),
        "PATH": f"{path}:/usr/bin:/bin",
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(cache)),
    }
    command = [str(checkout / "whosthere"), "--help"]
    first = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60 * MINUTES
    )
    assert first.returncode == 0, first.stderr
    assert "fetching uv" in first.stderr and "demo" in first.stdout
    assert [entry.name for entry in home.iterdir()] == [".pyenv"]
    # Nowhere to go any more: the second run is offline.
    nowhere = {"ALL_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    second = subprocess.run(
        command, env=environment | nowhere, capture_output=True, text=True, timeout=60
    )
    assert (second.returncode, second.stderr) == (0, "")
