"""Stopping a processor is patient, idempotent, and says what it could not do."""

import pytest
from botocore.exceptions import ClientError

from whosthere.errors import ProcessorStaysError
from whosthere.session.engine import processor_status, stop_images, stop_processor


def refusal(code, message=""):
    return ClientError({"Error": {"Code": code, "Message": message}}, "any")


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


class Closed:
    """Rekognition where stream processors are closed, or a role that may call none of it."""

    def __init__(self, message):
        self.message = message

    def _refuse(self, Name):
        raise refusal("AccessDeniedException", self.message)

    describe_stream_processor = stop_stream_processor = delete_stream_processor = _refuse


def test_where_the_service_is_closed_nothing_runs():
    assert stop_processor(Closed(""), "p", pause=lambda s: None) is False
    assert processor_status(Closed(""), "p").status == "GONE"


def test_a_missing_right_is_no_closed_service():
    denied = Closed("User: arn is not authorized to perform: rekognition:DescribeStreamProcessor")
    for call in (stop_processor, processor_status):
        with pytest.raises(ClientError, match="not authorized"):
            call(denied, "p")


class Lying(Rekognition):
    """Answers a number of Deletes with "not found" although the processor runs on."""

    def __init__(self, lies):
        super().__init__()
        self.lies = lies

    def delete_stream_processor(self, Name):
        if self.lies:
            self.lies -= 1
            self.status = "RUNNING"
            raise refusal("ResourceNotFoundException")
        super().delete_stream_processor(Name)


def test_what_delete_does_not_find_is_looked_for():
    rekognition = Lying(1)
    assert stop_processor(rekognition, "p", pause=lambda s: None) is True
    assert (rekognition.status, rekognition.stops) == (None, 2)


def test_one_that_runs_on_although_it_was_deleted_twice_is_an_error():
    with pytest.raises(ProcessorStaysError):
        stop_processor(Lying(2), "p", pause=lambda s: None)


def test_one_that_takes_no_stop_while_it_starts_is_stopped_once_it_runs():
    class Starting(Rekognition):
        def stop_stream_processor(self, Name):
            if self.status == "STARTING":
                self.status = "RUNNING"
                raise refusal("ResourceInUseException")
            super().stop_stream_processor(Name)

    rekognition = Starting("STARTING")
    assert stop_processor(rekognition, "p", pause=lambda s: None) is True
    assert (rekognition.status, rekognition.stops) == (None, 1)


def test_one_that_stays_in_use_is_an_error_when_the_time_is_over():
    rekognition, slept = Rekognition("STARTING"), []
    rekognition.delete_stream_processor = rekognition.stop_stream_processor
    with pytest.raises(ClientError, match="ResourceInUseException"):
        stop_processor(rekognition, "p", pause=slept.append)
    assert 90 < sum(slept) < 180


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
