"""Stopping a processor is patient, idempotent, and says what it could not do."""

import pytest
from botocore.exceptions import ClientError

from whosthere.session.engine import stop_images, stop_processor


def refusal(code):
    return ClientError({"Error": {"Code": code, "Message": ""}}, "any")


class Rekognition:
    """One processor with AWS's rules: STOPPING takes two looks, in use while it runs."""

    def __init__(self, status="RUNNING", throttles=0):
        self.status, self.throttles, self.stops = status, throttles, 0

    def describe_stream_processor(self, Name):
        if self.status is None:
            raise refusal("ResourceNotFoundException")
        return {"Status": self.status}

    def stop_stream_processor(self, Name):
        if self.throttles:
            self.throttles -= 1
            raise refusal("ThrottlingException")
        if self.status != "RUNNING":
            raise refusal("ResourceInUseException")
        self.stops += 1
        self.status = "STOPPING 2"

    def delete_stream_processor(self, Name):
        if self.status == "STOPPING 2":
            self.status = "STOPPING 1"
            raise refusal("ResourceInUseException")
        if self.status == "RUNNING":
            raise refusal("ResourceInUseException")
        self.status = None


def test_a_running_processor_is_stopped_and_deleted():
    rekognition = Rekognition()
    assert stop_processor(rekognition, "p", pause=lambda s: None) is True
    assert (rekognition.status, rekognition.stops) == (None, 1)


@pytest.mark.parametrize("status", ["STOPPED", "FAILED", "STOPPING 2"])
def test_one_that_does_not_run_is_deleted(status):
    rekognition = Rekognition(status)
    stop_processor(rekognition, "p", pause=lambda s: None)
    assert rekognition.status is None


def test_one_that_is_gone_is_no_error():
    assert stop_processor(Rekognition(None), "p", pause=lambda s: None) is False


def test_throttling_is_waited_out_with_growing_pauses():
    rekognition, pauses = Rekognition(throttles=4), []
    stop_processor(rekognition, "p", pause=pauses.append)
    assert rekognition.status is None
    assert pauses[:4] == sorted(pauses[:4])
    assert pauses[3] > pauses[0]


def test_what_cannot_be_stopped_is_an_error():
    with pytest.raises(ClientError, match="ThrottlingException"):
        stop_processor(Rekognition(throttles=10**6), "p", seconds=0, pause=lambda s: None)


class Video:
    """Kinesis Video Streams as far as image generation goes."""

    def __init__(self, configuration, throttles=0):
        self.configuration, self.throttles = configuration, throttles

    def describe_image_generation_configuration(self, StreamName):
        if self.throttles:
            self.throttles -= 1
            raise refusal("ClientLimitExceededException")
        return {"ImageGenerationConfiguration": self.configuration} if self.configuration else {}

    def update_image_generation_configuration(self, StreamName, ImageGenerationConfiguration):
        self.configuration = ImageGenerationConfiguration


def test_image_generation_goes_off_and_keeps_its_other_fields():
    video = Video({"Status": "ENABLED", "SamplingInterval": 1000})
    assert stop_images(video, "s") is True
    assert video.configuration == {"Status": "DISABLED", "SamplingInterval": 1000}


@pytest.mark.parametrize("configuration", [None, {"Status": "DISABLED"}])
def test_what_is_off_stays_untouched(configuration):
    video = Video(configuration)
    assert stop_images(video, "s") is False
    assert video.configuration == configuration


def test_a_throttled_look_at_image_generation_is_repeated():
    video = Video({"Status": "ENABLED"}, throttles=3)
    assert stop_images(video, "s", pause=lambda s: None) is True
    assert video.configuration == {"Status": "DISABLED"}
