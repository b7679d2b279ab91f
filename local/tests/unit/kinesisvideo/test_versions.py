"""Two who change a stream at once: neither undoes what the other did, nor goes by what was."""

import pytest

from local.kinesisvideo.errors import KinesisVideoError
from local.tests.support.kinesisvideo.plane import Plane

SLOW, QUICK = "slow", "quick"
CHANGES = {
    "UpdateStream": {"DeviceName": SLOW},
    "UpdateDataRetention": {
        "Operation": "INCREASE_DATA_RETENTION",
        "DataRetentionChangeInHours": 1,
    },
    "UpdateStreamStorageConfiguration": {
        "StreamStorageConfiguration": {"DefaultStorageTier": "WARM"}
    },
    "DeleteStream": {},
}


@pytest.fixture
def plane(tmp_path):
    made = Plane(tmp_path)
    yield made
    made.service.stop()


@pytest.fixture
def meanwhile(plane, monkeypatch):
    """Let something happen right after the next request has looked up its stream."""

    def once(happen):
        find = plane.service.streams.find

        def found(*asked):
            stream = find(*asked)
            monkeypatch.undo()
            happen()
            return stream

        monkeypatch.setattr(plane.service.streams, "find", found)

    return once


@pytest.mark.parametrize("operation", CHANGES)
def test_who_was_overtaken_is_told_and_changes_nothing(plane, meanwhile, operation):
    where = {"StreamARN": plane.stream.arn, "CurrentVersion": plane.stream.version}
    by_name = {"StreamName": "door", "CurrentVersion": plane.stream.version}
    meanwhile(lambda: plane.control("UpdateStream", **by_name, DeviceName=QUICK))
    with pytest.raises(KinesisVideoError) as caught:
        plane.control(operation, **where, **CHANGES[operation])
    assert caught.value.code == "VersionMismatchException"
    stream = plane.stream
    assert (stream.device_name, stream.retention_hours, stream.storage_tier) == (QUICK, 1, "HOT")


def test_tags_that_two_put_at_once_are_both_there(plane, meanwhile):
    meanwhile(lambda: plane.control("TagStream", StreamName="door", Tags={"first": "1"}))
    plane.control("TagStream", StreamName="door", Tags={"second": "2"})
    assert plane.stream.tags == {"first": "1", "second": "2"}


def test_a_new_stream_of_the_same_name_is_not_deleted_in_place_of_the_old(plane, meanwhile):
    def renew():
        plane.control("DeleteStream", StreamARN=plane.stream.arn)
        plane.now += 1
        plane.control("CreateStream", StreamName="door")

    old = plane.stream.arn
    meanwhile(renew)
    with pytest.raises(KinesisVideoError) as caught:
        plane.control("DeleteStream", StreamARN=old)
    assert caught.value.code == "ResourceNotFoundException"
    assert plane.stream.arn != old
