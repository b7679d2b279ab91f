"""The end of the laptop AWS, as seen by whoever still uses Rekognition then."""

import subprocess

from local.laptop import ENVIRONMENTS, ROOT

LATE = """
import asyncio
from local.rekognition.api import service
service.stop()
target = {"x-amz-target": "RekognitionService.ListCollections"}
status, _, body = asyncio.run(service.handle_request("POST", "/", target, b"{}", {}))
print(status, body.decode())
"""


def test_a_request_after_the_end_is_answered_and_breaks_nothing():
    python = ENVIRONMENTS / "emulator" / "bin" / "python"
    done = subprocess.run([python, "-c", LATE], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("503 ")
    assert "ServiceUnavailable" in done.stdout
