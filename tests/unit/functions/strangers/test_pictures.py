"""Pictures: the exact frame by GetImages or decoded, cut, and the link to one of them."""

import base64
import io
import json
from datetime import UTC, datetime

import av
import boto3
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.support.records.alert_harness import LEFT, START
from tests.support.records.drawn_faces import BLUE, GREEN, RED, colours, draw
from whosthere.errors import PictureError, TryAgainError
from whosthere.faces.match import Sighting
from whosthere.geometry import Box
from whosthere.imaging import crop
from whosthere.ingest.record import AnalysedFrame, Face
from whosthere.strangers.pictures import PresignedUrls, StoredVideo, decode_frame

KINDS = [RED, GREEN, BLUE]
FACE = Face(Box(*LEFT), 99.0, 80.0, 60.0, 0.0, ())
FRAME = AnalysedFrame(
    id="1",
    camera="front-door",
    fragment="913438",
    offset_ms=400,
    captured_ms=START + 400,
    server_ms=START + 900,
    recognised_ms=START + 1500,
    faces=(FACE,),
)


def fragment(start_ms=0, frames=10, fps=10):
    """A Matroska fragment of H.264 whose frames are coloured in turn."""
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"tune": "zerolatency"}
        for number in range(frames):
            box = (0.25, 0.25, 0.5, 0.5)
            content = draw((box, KINDS[number % 3]), size=(320, 240))
            frame = av.VideoFrame.from_image(Image.open(io.BytesIO(content)))
            frame.pts = number + start_ms * fps // 1000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


class Archive:
    """Kinesis Video Streams' stored media, as far as pictures go."""

    def __init__(self, *, images=(), media=b"", error=None):
        self.images, self.media, self.error, self.asked = images, media, error, []

    def get_data_endpoint(self, *, StreamName, APIName):
        return {"DataEndpoint": f"https://{APIName}.{StreamName}"}

    def at(self, endpoint):
        self.asked.append(endpoint)
        return self

    def get_images(self, **given):
        self.given = given
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": ""}}, "GetImages")
        return {"Images": list(self.images)}

    def get_media_for_fragment_list(self, *, StreamName, Fragments):
        assert Fragments == ["913438"]
        if self.error:
            code = {"Error": {"Code": self.error, "Message": ""}}
            raise ClientError(code, "GetMediaForFragmentList")
        return {"Payload": io.BytesIO(self.media)}


def image(moment_ms, content=b"jpeg"):
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    return {"TimeStamp": moment, "ImageContent": base64.b64encode(content).decode()}


def still(archive, now_ms=START + 60_000):
    return StoredVideo("whosthere", archive, archive.at, lambda: now_ms).image(
        Sighting(FRAME, FACE)
    )


def test_the_image_of_just_that_frame_is_taken():
    archive = Archive(images=[image(START + 401)])
    assert still(archive) == b"jpeg"
    assert archive.asked == ["https://GET_IMAGES.whosthere-front-door"]
    assert archive.given["StartTimestamp"].timestamp() * 1000 == START + 400


@pytest.mark.parametrize(
    "images",
    [
        [],
        [image(START + 500)],
        [image(START + 400) | {"ImageContent": "", "Error": "NO_MEDIA"}],
    ],
    ids=["none", "another frame's", "no media"],
)
def test_else_the_frame_is_decoded_from_its_fragment(images):
    content = still(Archive(images=images, media=fragment()))
    assert set(colours(content)) == {KINDS[4 % 3]}


@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("start_ms", [0, 5000])
def test_each_frame_of_a_fragment_is_found_by_its_offset(number, start_ms):
    content = decode_frame(fragment(start_ms), 100 * number + 3)
    assert set(colours(content)) == {KINDS[number % 3]}


@pytest.mark.parametrize("archive", [Archive(), Archive(error="ResourceNotFoundException")])
def test_a_fragment_that_is_not_stored_yet_is_asked_for_again(archive):
    with pytest.raises(TryAgainError):
        still(archive, now_ms=START + 2000)
    with pytest.raises(PictureError, match="not kept any more"):
        still(archive)


def test_video_that_is_not_kept_is_the_reason():
    with pytest.raises(PictureError, match="video is not kept"):
        still(Archive(error="NoDataRetentionException"), now_ms=START + 2000)


def test_another_refusal_is_no_reason_to_go_without_a_picture():
    with pytest.raises(ClientError):
        still(Archive(error="ClientLimitExceededException"))


def test_the_picture_is_wide_and_the_face_near():
    box = Box(0.45, 0.4, 0.1, 0.15)
    crops = crop(draw(((0.45, 0.4, 0.1, 0.15), RED)), box, ())
    picture, face = (Image.open(io.BytesIO(part)) for part in (crops.picture, crops.face))
    scale = 120 / (0.15 * 480)  # small faces are enlarged
    assert picture.size == (round(192 * scale), round(231 * scale))
    assert face.width < picture.width and face.height < picture.height


def test_a_cut_ends_at_the_frames_edge():
    crops = crop(draw(((0.0, 0.9, 0.1, 0.1), RED)), Box(-0.02, 0.92, 0.1, 0.15), ())
    assert min(Image.open(io.BytesIO(crops.face)).size) >= 80
    assert set(colours(crops.face)) == {RED}


@pytest.mark.parametrize(
    "other",
    [(0.1, 0.3, 0.3, 0.4), (0.6, 0.3, 0.3, 0.4), (0.4, 0.0, 0.2, 0.3), (0.4, 0.7, 0.2, 0.3)],
    ids=["left", "right", "above", "below"],
)
def test_the_largest_face_of_each_cut_is_the_strangers(other):
    own = (0.45, 0.4, 0.1, 0.2)
    crops = crop(draw((own, RED), (other, BLUE)), Box(*own), (Box(*other),))
    for part in (crops.picture, crops.face):
        assert set(colours(part)) == {RED}


def test_the_link_is_signed_by_a_role_that_may_read_this_one_picture(aws):
    asked = {}

    class Sts:
        def assume_role(self, **given):
            asked.update(given)
            keys = {"AccessKeyId": "ASIA1", "SecretAccessKey": "s", "SessionToken": "t"}
            return {"Credentials": keys}

    def s3_as(credentials):
        return boto3.client(
            "s3",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )

    role = "arn:aws-cn:iam::111122223333:role/picture"
    url = PresignedUrls(Sts(), role, "bucket", s3_as).sign("review/pending/s-1/2.jpg")
    assert "review/pending/s-1/2.jpg" in url and "ASIA1" in url
    assert asked["RoleArn"] == role
    assert asked["DurationSeconds"] == 3600
    (statement,) = json.loads(asked["Policy"])["Statement"]
    assert statement["Action"] == "s3:GetObject"
    assert statement["Resource"] == "arn:aws-cn:s3:::bucket/review/pending/s-1/2.jpg"
