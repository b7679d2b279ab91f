"""AWS's own checker of state machines, the one in its editors' toolkit, finds no fault.

It is an npm package, installed on demand into `.whosthere/`; without npm or its registry this
is skipped.
"""

import copy
import json
import subprocess

import pytest

from tests.support.npm import npm_package
from tests.support.stack.sam import definition

PACKAGE, VERSION = "amazon-states-language-service", "1.16.1"
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
    return npm_package(PACKAGE, VERSION)


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


@pytest.mark.parametrize("machine", ["session", "cameras"])
def test_awss_language_service_finds_no_fault(installed, machine):
    assert faults(installed, definition(machine)) == []


def test_it_would_find_a_state_that_leads_out_of_its_block(installed):
    wrong = copy.deepcopy(definition())
    block = wrong["States"]["RunSession"]["Branches"][0]["States"]
    block["StopEngine"]["Next"] = "StopSession"
    assert faults(installed, wrong)


def test_it_would_find_one_among_the_items_of_a_map(installed):
    wrong = copy.deepcopy(definition("cameras"))
    wrong["States"]["ForEachCamera"]["ItemProcessor"]["States"]["IsFree"]["Default"] = "Nowhere"
    assert faults(installed, wrong)
