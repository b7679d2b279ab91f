"""Stream processors without what they run: how many may, and who stops them."""

import pytest

from local.rekognition.errors import RekognitionError
from local.rekognition.processors import lifecycle
from local.rekognition.processors.lifecycle import MAX_RUNNING, Processors
from local.rekognition.processors.spec import ProcessorSpec


class ProcessorRun:
    """A run that goes on until it is stopped."""

    def __init__(self, _spec, _cloud, _pool, _collections, tell):
        self.tell = tell

    def start(self):
        self.tell("RUNNING", None)

    def stop(self):
        self.tell("STOPPED", None)


@pytest.fixture
def made(monkeypatch):
    """One processor more than may run."""
    monkeypatch.setattr(lifecycle, "ProcessorRun", ProcessorRun)
    monkeypatch.setattr(lifecycle, "STOP_INTERVAL_SECONDS", 0)
    found = Processors(None, None, None)
    for number in range(MAX_RUNNING + 1):
        arns = (f"arn:{kind}:{number}" for kind in ("processor", "video", "data"))
        found.create(ProcessorSpec(name(number), *arns, "role", "people", 80), {})
    return found


def name(number):
    return f"door-{number}"


def refusal(call, *arguments):
    with pytest.raises(RekognitionError) as caught:
        call(*arguments)
    return caught.value.code


def test_ten_run_at_once_and_another_when_one_of_them_has_ended(made):
    for number in range(MAX_RUNNING):
        made.start(name(number))
    last = name(MAX_RUNNING)
    assert MAX_RUNNING == 10
    assert refusal(made.start, last) == "LimitExceededException"
    assert made.get(last).status == "STOPPED"
    made.stop(name(3))
    assert made.get(name(3)).status == "STOPPED"
    made.start(last)
    assert [one.status for one in made.all()].count("RUNNING") == MAX_RUNNING
    assert refusal(made.start, name(3)) == "LimitExceededException"


def test_a_run_that_was_replaced_is_not_listened_to(made):
    made.start(name(0))
    former = made.get(name(0)).run
    made.stop(name(0))
    made.start(name(0))
    former.tell("FAILED", "too late")
    assert (made.get(name(0)).status, made.get(name(0)).message) == ("RUNNING", None)


def test_one_stop_in_a_while_is_heard_for_the_whole_account(made, monkeypatch):
    for number in range(2):
        made.start(name(number))
    monkeypatch.setattr(lifecycle, "STOP_INTERVAL_SECONDS", 3600)
    made.stop(name(0))
    assert refusal(made.stop, name(1)) == "ThrottlingException"
    monkeypatch.setattr(lifecycle, "STOP_INTERVAL_SECONDS", 0)
    made.stop(name(1))
    assert made.get(name(1)).status == "STOPPED"
