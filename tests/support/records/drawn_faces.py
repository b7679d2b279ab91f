"""Drawn frames for the tests of strangers, and a Rekognition that knows people by colour."""

import io
from collections import Counter

from botocore.exceptions import ClientError
from PIL import Image, ImageDraw

from tests.support.records.alert_harness import LEFT
from whosthere.errors import PictureError

SIZE = (640, 480)
BACKGROUND = (90, 90, 90)
RED, BLUE, GREEN = (220, 20, 20), (20, 20, 220), (20, 200, 20)


def draw(*faces, size=SIZE, light=0):
    """A frame as JPEG, with a coloured ellipse for each (box, colour)."""
    image = Image.new("RGB", size, tuple(shade - light for shade in BACKGROUND))
    pen = ImageDraw.Draw(image)
    for (left, top, width, height), colour in faces:
        corners = (left, top, left + width, top + height)
        pen.ellipse(
            [corner * side for corner, side in zip(corners, size * 2, strict=True)], fill=colour
        )
    out = io.BytesIO()
    image.save(out, "JPEG", quality=95)
    return out.getvalue()


def colours(content):
    """How much of each known colour an image shows."""
    image = Image.open(io.BytesIO(content)).convert("RGB").resize((64, 64))
    seen = Counter()
    for count, pixel in image.getcolors(64 * 64):
        for colour in (RED, BLUE, GREEN):
            if sum(abs(one - other) for one, other in zip(pixel, colour, strict=True)) < 90:
                seen[colour] += count
    return seen


class Rekognition:
    """A collection of faces; the largest face of an image is its most frequent colour."""

    def __init__(self):
        self.faces, self.calls = {}, Counter()

    def search_faces_by_image(self, *, Image, FaceMatchThreshold, **_given):
        self.calls["search"] += 1
        colour = self._face(Image, "SearchFacesByImage")
        matches = [
            {
                "Similarity": 99.5,
                "Face": {
                    "BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.8, "Height": 0.8},
                    "FaceId": id,
                    "Confidence": 99.9,
                    "ImageId": f"image-{id}",
                    "ExternalImageId": who,
                    "IndexFacesModelVersion": "7.0",
                },
            }
            for id, (who, other) in self.faces.items()
            if other == colour
        ]
        return {"FaceMatches": matches}

    def index_faces(self, *, Image, ExternalImageId, **_given):
        self.calls["index"] += 1
        colour = self._face(Image, "IndexFaces")
        for id, (who, other) in self.faces.items():
            if (who, other) == (ExternalImageId, colour):
                return {"FaceRecords": [{"Face": {"FaceId": id}}]}
        id = f"face-{len(self.faces) + 1}"
        self.faces[id] = (ExternalImageId, colour)
        return {"FaceRecords": [{"Face": {"FaceId": id}}]}

    def delete_faces(self, *, FaceIds, **_given):
        for id in FaceIds:
            self.faces.pop(id, None)
        return {"DeletedFaces": FaceIds}

    def _face(self, image, call):
        seen = colours(image["Bytes"])
        if not seen:
            error = {"Code": "InvalidParameterException", "Message": "no faces in the image"}
            raise ClientError({"Error": error}, call)
        return seen.most_common(1)[0][0]


class Video:
    """Frames by capture time, as the video that is kept."""

    def __init__(self):
        self.faces, self.calls, self.reason = {}, 0, ""

    def shows(self, moment_ms, *faces):
        self.faces[moment_ms] = faces

    def image(self, sighting):
        self.calls += 1
        if self.reason:
            raise PictureError(self.reason)
        moment_ms = sighting.frame.captured_ms
        # No two frames of a camera are the same.
        return draw(*self.faces.get(moment_ms, [(LEFT, RED)]), light=moment_ms // 1000 % 59)


class Urls:
    """Signs links that say what they open."""

    def sign(self, key):
        return f"https://pictures/{key}"
