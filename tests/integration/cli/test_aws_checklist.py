"""The checklist for a deployed stack, asked of the laptop AWS."""

import json
import os
import re

import pytest

from cli.__main__ import main
from edge.tagging.faces import Look, face_tags
from local.laptop import ROOT
from local.tests.support.media.films import draw
from tests.support.edge.run import fragments_in
from tests.support.records.alert_harness import START
from tests.support.stack.camera import streaming
from tests.support.stack.command import called, in_shell
from whosthere.ingest.image import PRODUCER
from whosthere.names import images_prefix

PHOTOS = sorted((ROOT / "demo" / "people" / "Ravi").glob("*.jpg"))
# In each fragment: each grey frame looks like another scene, which would begin with a key frame.
WITH_B_FRAMES = {"bf": "2", "b_adapt": "0", "g": "20", "sc_threshold": "0"}
# Nothing of these happens on the laptop; the last depends on the tests that ran before.
NOT_SEEN = {
    "test_events_reach_the_topic_of_alarms",
    "test_the_metrics_of_the_alarms_are_published",
    "test_alerts_are_delivered",
}
EARLIER_TESTS = {"test_no_function_was_denied_a_call"}


@pytest.fixture
def image(laptop, stack):
    """An image as Kinesis Video Streams would put it, of a fragment with the tag of faces."""
    key = f"{images_prefix(stack.name, 'front-door')}image.jpg"
    told = {PRODUCER: f"{START}", **face_tags([Look(START, [(317, 394, 197, 263)])])}
    laptop.client("s3").put_object(Bucket=stack.bucket, Key=key, Body=b"", Metadata=told)
    yield key
    laptop.client("s3").delete_object(Bucket=stack.bucket, Key=key)


@pytest.fixture
def person(laptop, stack):
    """Somebody enrolled with two photos."""
    environment = laptop.environment()
    enrolled = called(main, ["enroll", "Ravi", *PHOTOS[:2]], ROOT, environment)
    assert enrolled.returncode == 0, enrolled.stderr
    yield "Ravi"
    called(main, ["forget", "Ravi", "--yes"], ROOT, environment)


@pytest.fixture
def camera(laptop, stack, tmp_path, wait_until):
    """A camera that sends fragments with B-frames and tags each, and has sent some."""
    film, stream = tmp_path / "b-frames.mp4", f"{stack.name}-front-door"
    draw(film, frames=6000, options=WITH_B_FRAMES)
    options = ("--passthrough", "always", "--tag", "always")
    before = len(fragments_in(laptop, stream))
    with streaming(laptop, tmp_path, *options, film=film):
        wait_until(lambda: len(fragments_in(laptop, stream)) > before)
        yield


def checklist():
    """Return the names of all tests of the checklist."""
    files = (ROOT / "tests" / "aws").glob("test_*.py")
    return {
        name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    }


def machines(laptop):
    return laptop.client("stepfunctions").list_state_machines()["stateMachines"]


@pytest.mark.usefixtures("image", "person", "camera")
def test_a_stack_answers_each_point_and_nothing_is_left(laptop, stack, product, tmp_path):
    before = machines(laptop)
    environment = laptop.environment() | {"PATH": os.environ["PATH"]}
    done = in_shell(["test", "aws", "--stack", stack.name], tmp_path, environment)
    asked = json.loads((tmp_path / "aws-answers.json").read_text())
    assert asked["stack"] == stack.name
    for one in asked["answers"]:
        assert f"{one['question']}\n    {one['outcome']}: {one['answer']}\n" in done.stdout
    outcomes = {one["test"]: one["outcome"] for one in asked["answers"]}
    assert outcomes.keys() == checklist()
    for name, outcome in outcomes.items():
        allowed = {"not seen", "as assumed"} if name in NOT_SEEN else {"as assumed"}
        assert name in EARLIER_TESTS or outcome in allowed, done.stdout
    assert product.nothing_is_left() and machines(laptop) == before
