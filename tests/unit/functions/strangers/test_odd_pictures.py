"""Whatever comes as a picture is used or refused with a reason, at once."""

import io
from functools import cache

import av
import pytest
from hypothesis import strategies
from PIL import Image

from tests.support.records.alert_harness import LEFT, RIGHT, START, values
from tests.support.records.drawn_faces import Rekognition
from tests.support.records.given_many import given_many
from tests.support.records.odd_pictures import PICTURES, SMALL, damaged, encoded, odd_pictures
from whosthere import settings
from whosthere.errors import PhotoRefusedError, PictureError
from whosthere.geometry import Box
from whosthere.imaging import crop
from whosthere.ingest import image as images
from whosthere.people.photos import check_picture
from whosthere.strangers.pictures import decode_frame

QUALITY = settings.from_values(values()).quality
TOLD = {images.PRODUCER: str(START), images.SERVER: str(START + 400), images.FRAGMENT: "913438"}
sides = strategies.floats(-1, 1)
sizes = strategies.sampled_from([0.0001, 0.01, 0.2, 1, 100])
boxes = strategies.builds(Box, sides, sides, sizes, sizes)


class Bucket:
    """S3 with one object."""

    def __init__(self, content, metadata):
        self.content, self.metadata = content, metadata

    def get_object(self, **_):
        body = io.BytesIO(self.content)
        return {"ContentLength": len(self.content), "Metadata": self.metadata, "Body": body}


class Detector(Rekognition):
    """Finds faces where a test says."""

    def __init__(self, found):
        super().__init__()
        self.found = found

    def detect_faces(self, **_):
        names = ("Left", "Top", "Width", "Height")
        sides = [(box.left, box.top, box.width, box.height) for box in self.found]
        boxes = [dict(zip(names, box, strict=True)) for box in sides]
        return {"FaceDetails": [{"BoundingBox": box, "Confidence": 99.0} for box in boxes]}

    def search_faces_by_image(self, *, Image, **_):
        decoded(Image["Bytes"])
        return {"FaceMatches": []}


def decoded(content):
    """A picture that Rekognition takes."""
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        assert min(image.size) >= 80
        return image


@given_many(5_000, odd_pictures())
def test_a_photo_is_judged_with_a_reason(content):
    try:
        assert check_picture(content) > 0
    except PhotoRefusedError as refusal:
        assert str(refusal).endswith(".")


odd_texts = strategies.sampled_from(["", "x", "-1", "1e9", "9" * 5000, "9" * 14, "0", "\u0663"])


@given_many(
    5_000,
    odd_pictures(),
    strategies.dictionaries(strategies.sampled_from(sorted(TOLD)), odd_texts, max_size=2),
    strategies.lists(boxes, max_size=4),
)
def test_an_image_of_a_camera_is_searched_or_refused(content, told, found):
    try:
        image = images.fetch_image(Bucket(content, TOLD | told), "bucket", "key")
        faces = images.search_faces(Detector(found), "people", image, QUALITY)
    except PictureError as error:
        assert str(error)
        return
    assert len(faces) <= len(found)


@given_many(5_000, odd_pictures(), boxes, strategies.lists(boxes, max_size=4))
def test_a_face_is_cropped_or_there_is_no_picture(content, box, others):
    try:
        crops = crop(content, box, others)
    except PictureError as error:
        assert str(error)
        return
    decoded(crops.picture)
    decoded(crops.face)


@cache
def fragments():
    """Matroska with two frames of H.264, with sound alone, and with tags alone."""
    video, sound = io.BytesIO(), io.BytesIO()
    with av.open(video, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 120, 160, "yuv420p"
        for number in range(2):
            frame = av.VideoFrame.from_image(SMALL)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(sound, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    return [video.getvalue(), sound.getvalue(), *PICTURES[:3]]


def test_a_fragment_without_video_has_no_frame():
    assert decode_frame(fragments()[1], 0) is None


@given_many(
    5_000, strategies.deferred(lambda: damaged(fragments())), strategies.integers(0, 10**13)
)
def test_a_frame_is_decoded_or_there_is_none(content, offset_ms):
    found = decode_frame(content, offset_ms)
    assert found is None or decoded(found)


def test_a_face_outside_the_image_has_no_picture():
    with pytest.raises(PictureError, match="outside"):
        crop(encoded(SMALL, "JPEG"), Box(-1, 0.3, 0.1, 0.2), [Box(*LEFT), Box(*RIGHT)])


def test_a_picture_that_is_cut_off_has_no_crop():
    with pytest.raises(PictureError, match="decoded"):
        crop(encoded(SMALL, "JPEG")[:-200], Box(*LEFT), [])
