"""AWS's own checker of state machines, the one in its editors' toolkit, finds no fault.

It is an npm package, installed on demand into `.whosthere/`; without npm or its registry this
is skipped.
"""

import copy
import json
import shutil
import subprocess

import pytest

from tests.support.stack.sam import ROOT, definition

PACKAGE, VERSION = "amazon-states-language-service", "1.16.1"
FOLDER = ROOT / ".whosthere" / "language-service"
SCRIPT = """
const {getLanguageService, TextDocument} = require("amazon-states-language-service")
const text = require("fs").readFileSync(0, "utf8")
const service = getLanguageService({})
const document = TextDocument.create("file:///session.asl.json", "asl", 1, text)
service.doValidation(document, service.parseJSONDocument(document))
  .then(found => console.log(JSON.stringify(found.map(one => one.message))))
"""


@pytest.fixture(scope="module")
def installed():
    """The folder that the package lies in."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no Node here: AWS's language service does not check the state machine")
    manifest = FOLDER / "node_modules" / PACKAGE / "package.json"
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != VERSION:
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", FOLDER, "--no-audit", "--no-fund", "--no-save"]
        command += ["--ignore-scripts", f"{PACKAGE}@{VERSION}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            pytest.skip("npm does not get AWS's language service within two minutes")
        if done.returncode:
            pytest.skip(f"npm cannot get AWS's language service: {done.stderr[-200:]}")
    return FOLDER


def faults(folder, machine):
    """What the language service says of a definition."""
    done = subprocess.run(
        ["node", "-e", SCRIPT],
        cwd=folder,
        input=json.dumps(machine),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_awss_language_service_finds_no_fault(installed):
    assert faults(installed, definition()) == []


def test_it_would_find_a_state_that_leads_out_of_its_block(installed):
    wrong = copy.deepcopy(definition())
    block = wrong["States"]["RunSession"]["Branches"][0]["States"]
    block["StopEngine"]["Next"] = "StopSession"
    assert faults(installed, wrong)
