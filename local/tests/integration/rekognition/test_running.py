"""What a running processor meets: things taken away, media that stops, odd forms of video."""

import json

import pytest

from local.tests.support.laptop.parts import set_policy
from local.tests.support.media.live_camera import LiveCamera, clip
from local.tests.support.media.live_scene import EMPTY, Scene, names_in, place, visit

REORDERED = {"rate": 10, "bf": "2", "x264-params": "b-adapt=0:rc-lookahead=5"}


@pytest.fixture
def scene(laptop, wait_until):
    """A processor that is running, with nothing wrong yet; its stream retains nothing."""
    scene = Scene(laptop, hours=0, write=True)
    scene.create()
    scene.start()
    wait_until(scene.is_running, 180)
    yield scene
    scene.stop(wait_until)


class Thief:
    """Takes away what a processor needs, and puts it back."""

    def __init__(self, scene):
        self.scene = scene
        self.iam, self.role = scene.laptop.client("iam"), scene.role.rsplit("/", 1)[-1]
        role = self.iam.get_role(RoleName=self.role)["Role"]
        self.trust = json.dumps(role["AssumeRolePolicyDocument"])

    def take_data_stream(self):
        self.scene.kinesis.delete_stream(StreamName=self.scene.name)

    def return_data_stream(self):
        self.scene.make_data_stream()

    def take_permission(self):
        set_policy(self.scene.laptop, self.scene.role, self.scene.rights[0])

    def return_permission(self):
        set_policy(self.scene.laptop, self.scene.role, *self.scene.rights)

    def take_collection(self):
        self.scene.rekognition.delete_collection(CollectionId=self.scene.name)

    def return_collection(self):
        self.scene.enroll()

    def take_role(self):
        # Nobody may assume it any more before its rights go: a record that is written in between
        # would only miss the rights.
        nobody = json.dumps({"Version": "2012-10-17", "Statement": []})
        self.iam.update_assume_role_policy(RoleName=self.role, PolicyDocument=nobody)
        set_policy(self.scene.laptop, self.scene.role)
        self.iam.delete_role(RoleName=self.role)

    def return_role(self):
        self.iam.create_role(RoleName=self.role, AssumeRolePolicyDocument=self.trust)
        self.return_permission()


def test_what_is_taken_away_while_it_runs_is_named_and_it_runs_again_once_that_is_back(
    scene, wait_until
):
    missing = f"Stream {scene.name} under account 000000000000 not found"
    messages = {
        "data_stream": missing,
        "permission": "Access denied to Kinesis Data",
        "collection": "Collection not found",
        "role": "Access denied to Role",
    }
    thief = Thief(scene)
    with LiveCamera(scene.laptop, scene.name, clip(EMPTY)):
        wait_until(scene.records, 180)
        for thing, message in messages.items():
            getattr(thief, f"take_{thing}")()
            wait_until(lambda: scene.described()[0] != "RUNNING", 60)
            assert scene.described() == ("FAILED", message)
            getattr(thief, f"return_{thing}")()
            before = len(scene.records())
            scene.start()
            wait_until(lambda before=before: len(scene.records()) > before, 60)
            assert scene.described() == ("RUNNING", None)


def test_a_video_stream_that_is_deleted_in_silence_is_named(scene, wait_until):
    scene.video_client.delete_stream(StreamARN=scene.video)
    gone = ("FAILED", f"Stream {scene.name} doesn't exist")
    wait_until(lambda: scene.described() == gone, 180)


def test_video_that_is_not_h264_is_named(scene, wait_until):
    with LiveCamera(scene.laptop, scene.name, clip(EMPTY, codec="mpeg4")):
        codec = ("FAILED", "unsupported video codec format")
        wait_until(lambda: scene.described() == codec, 180)


def middle_of_zoe(record):
    """How far from the left she is, as a share of the frame."""
    [face] = [one for one in record["FaceSearchResponse"] if one["MatchedFaces"]]
    box = face["DetectedFace"]["BoundingBox"]
    return box["Left"] + box["Width"] / 2


def test_media_that_stops_comes_back_in_another_form(scene, wait_until):
    def seen_at(since=0):
        """Where she was seen, in tenths of the frame's width, since some record."""
        records = scene.records()[since:]
        return {round(10 * middle_of_zoe(one)) for one in records if names_in(one) == ["zoe"]}

    with LiveCamera(scene.laptop, scene.name, clip(visit("Zoë"))) as camera:
        wait_until(seen_at, 180)
        wide = clip(visit("Zoë", size=(800, 450)), sound=True)
        camera.show(wide)  # a new connection; the same pixel of a frame twice as wide
        wait_until(lambda: len(seen_at()) == 2, 180)
    assert seen_at() == {3, 1}
    before = len(scene.records())
    assert scene.described() == ("RUNNING", None)  # silence is no failure
    with LiveCamera(scene.laptop, scene.name, clip(visit("Zoë"), **REORDERED)):
        wait_until(lambda: 3 in seen_at(before), 180)
    places = [place(one) for one in scene.records()]
    assert places == sorted(set(places))
    assert all(0 <= offset < 1 for _, offset in places)
