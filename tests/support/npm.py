"""Packages from npm for tests, installed on demand into `.whosthere/`."""

import json
import shutil
import subprocess

import pytest

from tests.support.stack.sam import ROOT


def npm_package(name, version):
    """Return the folder that has the package; without npm or its registry the test is skipped."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip(f"no Node here: {name} is not to be had")
    folder = ROOT / ".whosthere" / "npm" / name
    manifest = folder / "node_modules" / name / "package.json"
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != version:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--no-save"]
        command += ["--ignore-scripts", f"{name}@{version}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm does not get {name} within two minutes")
        if done.returncode:
            pytest.skip(f"npm cannot get {name}: {done.stderr[-200:]}")
    return folder
