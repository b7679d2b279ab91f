"""The operations on pictures, with portraits of drawn people."""

import base64
import os
import signal
import subprocess
import uuid

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from local.tests.support.media.portraits import encoded, head, photo, portrait, together
from local.tests.support.models.rekognition import answered


@pytest.fixture(scope="module")
def rekognition(laptop):
    return laptop.client("rekognition")


@pytest.fixture(scope="module")
def people(rekognition):
    """A collection with one photo of each person."""
    name = f"people-{uuid.uuid4().hex[:8]}"
    rekognition.create_collection(CollectionId=name)
    for person in ("Zoë", "Ravi"):
        rekognition.index_faces(
            CollectionId=name,
            Image={"Bytes": photo(person)},
            ExternalImageId={"Zoë": "zoe", "Ravi": "ravi"}[person],
        )
    yield name
    rekognition.delete_collection(CollectionId=name)


@pytest.fixture
def empty(rekognition):
    name = f"empty-{uuid.uuid4().hex[:8]}"
    rekognition.create_collection(CollectionId=name)
    yield name
    rekognition.delete_collection(CollectionId=name)


def raw(data):
    return {"Bytes": base64.b64encode(data).decode()}


def detected(rekognition, image):
    return rekognition.detect_faces(Image={"Bytes": encoded(image)})["FaceDetails"]


@pytest.mark.parametrize(("person", "expected"), [("Zoë", "zoe"), ("Ravi", "ravi")])
def test_another_photo_of_a_person_finds_only_that_person(laptop, people, person, expected):
    found = answered(laptop, "SearchFacesByImage", CollectionId=people, Image=raw(photo(person, 2)))
    assert [match["Face"]["ExternalImageId"] for match in found["FaceMatches"]] == [expected]
    assert found["FaceMatches"][0]["Similarity"] > 95


def test_a_picture_that_was_detected_before_has_the_same_vectors(rekognition, people):
    image = {"Bytes": encoded(together(portrait("Zoë"), portrait("Ravi")))}

    def searched():
        found = rekognition.search_faces_by_image(
            CollectionId=people, Image=image, FaceMatchThreshold=0
        )
        return found["SearchedFaceBoundingBox"], found["FaceMatches"]

    first = searched()
    assert len(first[1]) == 2 and searched() == first
    rekognition.detect_faces(Image=image)
    assert searched() == first


def test_only_the_largest_face_is_searched(rekognition, people):
    zoe, ravi = portrait("Zoë"), portrait("Ravi")
    small = Image.new("RGB", ravi.size)
    small.paste(ravi.resize((ravi.width // 2, ravi.height // 2)))
    found = rekognition.search_faces_by_image(
        CollectionId=people, Image={"Bytes": encoded(together(small, zoe))}
    )
    assert [match["Face"]["ExternalImageId"] for match in found["FaceMatches"]] == ["zoe"]
    assert found["SearchedFaceBoundingBox"]["Left"] > 0.5


def test_a_picture_without_a_face_is_an_invalid_parameter(rekognition, people):
    nobody = encoded(Image.new("RGB", (200, 200), "grey"))
    with pytest.raises(rekognition.exceptions.InvalidParameterException, match="no faces"):
        rekognition.search_faces_by_image(CollectionId=people, Image={"Bytes": nobody})


def test_an_enrolled_face_is_searched_without_finding_itself(rekognition, laptop, people):
    faces = rekognition.list_faces(CollectionId=people)["Faces"]
    for face in faces:
        found = answered(
            laptop, "SearchFaces",
            CollectionId=people, FaceId=face["FaceId"], FaceMatchThreshold=0, MaxFaces=10,
        )  # fmt: skip
        assert face["FaceId"] not in [one["Face"]["FaceId"] for one in found["FaceMatches"]]
        assert len(found["FaceMatches"]) == len(faces) - 1


def test_both_faces_of_a_picture_are_indexed_largest_first(laptop, empty):
    indexed = answered(
        laptop, "IndexFaces",
        CollectionId=empty, Image=raw(encoded(together(portrait("Zoë"), portrait("Ravi")))),
    )  # fmt: skip
    sizes = [one["Face"]["BoundingBox"]["Height"] for one in indexed["FaceRecords"]]
    assert len(sizes) == 2
    assert sizes == sorted(sizes, reverse=True)
    assert indexed["UnindexedFaces"] == []


def test_faces_beyond_max_faces_are_said_with_their_reason(laptop, empty):
    indexed = answered(
        laptop, "IndexFaces", MaxFaces=1,
        CollectionId=empty, Image=raw(encoded(together(portrait("Zoë"), portrait("Ravi")))),
    )  # fmt: skip
    assert len(indexed["FaceRecords"]) == 1
    [other] = indexed["UnindexedFaces"]
    assert other["Reasons"] == ["EXCEEDS_MAX_FACES"]


def covered(image, share):
    """A face whose lowest part is hidden."""
    hidden = image.copy()
    hidden.paste("grey", (0, round((1 - share) * image.height), image.width, image.height))
    return hidden


def from_afar(image, width):
    """A portrait of this width in an empty room."""
    room = Image.new("RGB", (640, 480), "grey")
    room.paste(image.resize((width, round(width * image.height / image.width))), (200, 50))
    return room


UNFIT = [
    ("LOW_BRIGHTNESS", "AUTO", lambda: ImageEnhance.Brightness(portrait("Zoë")).enhance(0.2)),
    ("LOW_SHARPNESS", "HIGH", lambda: portrait("Ravi").filter(ImageFilter.GaussianBlur(5))),
    ("LOW_CONFIDENCE", "MEDIUM", lambda: covered(portrait("Ravi"), 0.3)),
    ("SMALL_BOUNDING_BOX", "HIGH", lambda: from_afar(portrait("Ravi"), 110)),
    ("EXTREME_POSE", "HIGH", lambda: head("Zoë", "yaw", 40)),
]


@pytest.mark.parametrize(("reason", "level", "picture"), UNFIT, ids=[one[0] for one in UNFIT])
def test_a_face_that_misses_the_bar_is_not_indexed_and_said_why(
    rekognition, laptop, empty, reason, level, picture
):
    asked = {"CollectionId": empty, "Image": raw(encoded(picture(), quality=95))}
    strict = answered(laptop, "IndexFaces", QualityFilter=level, **asked)
    assert strict["FaceRecords"] == []
    [unindexed] = strict["UnindexedFaces"]
    assert reason in unindexed["Reasons"]
    with pytest.raises(rekognition.exceptions.InvalidParameterException, match="no faces"):
        rekognition.search_faces_by_image(
            CollectionId=empty,
            QualityFilter=level,
            Image={"Bytes": base64.b64decode(asked["Image"]["Bytes"])},
        )
    lenient = answered(laptop, "IndexFaces", QualityFilter="NONE", **asked)
    assert len(lenient["FaceRecords"]) == 1
    assert lenient["UnindexedFaces"] == []


def test_of_too_many_faces_the_unfit_go_first_and_then_the_small(laptop, empty):
    dark = ImageEnhance.Brightness(portrait("Zoë")).enhance(0.2)
    smaller = Image.new("RGB", dark.size, "grey")
    smaller.paste(portrait("Zoë", 2).resize((220, 280)))
    picture = raw(encoded(together(dark, portrait("Ravi"), smaller), quality=95))
    indexed = answered(laptop, "IndexFaces", CollectionId=empty, Image=picture, MaxFaces=1)
    [record] = indexed["FaceRecords"]
    assert 1 / 3 < record["Face"]["BoundingBox"]["Left"] < 2 / 3
    reasons = {one["Reasons"][0] for one in indexed["UnindexedFaces"]}
    assert reasons == {"LOW_BRIGHTNESS", "EXCEEDS_MAX_FACES"}


def test_faces_are_compared_with_every_face_of_the_other_picture(laptop):
    compared = answered(
        laptop, "CompareFaces",
        SourceImage=raw(photo("Zoë", 2)),
        TargetImage=raw(encoded(together(portrait("Zoë"), portrait("Ravi")))),
    )  # fmt: skip
    assert [match["Face"]["BoundingBox"]["Left"] < 0.5 for match in compared["FaceMatches"]] == [
        True
    ]
    assert [face["BoundingBox"]["Left"] > 0.5 for face in compared["UnmatchedFaces"]] == [True]


def test_a_face_has_five_landmarks_where_they_belong(laptop):
    [face] = answered(laptop, "DetectFaces", Image=raw(photo("Zoë")))["FaceDetails"]
    place = {one["Type"]: (one["X"], one["Y"]) for one in face["Landmarks"]}
    assert len(place) == 5
    assert place["eyeLeft"][0] < place["nose"][0] < place["eyeRight"][0]
    assert place["mouthLeft"][0] < place["mouthRight"][0]
    assert place["eyeLeft"][1] < place["nose"][1] < place["mouthLeft"][1]


def test_all_attributes_are_those_that_are_measured_and_none_is_made_up(laptop, empty):
    image = raw(photo("Zoë"))
    [default] = answered(laptop, "DetectFaces", Image=image)["FaceDetails"]
    assert default.keys() == {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}
    [all_of_them] = answered(laptop, "DetectFaces", Image=image, Attributes=["ALL", "DEFAULT"])[
        "FaceDetails"
    ]
    assert all_of_them.keys() == default.keys()
    place = {one["Type"]: (one["X"], one["Y"]) for one in all_of_them["Landmarks"]}
    assert len(place) == 28
    assert place["leftEyeLeft"][0] < place["eyeLeft"][0] < place["leftEyeRight"][0]
    assert place["leftEyeBrowUp"][1] < place["leftEyeUp"][1] < place["leftEyeDown"][1]
    assert place["mouthUp"][1] < place["mouthDown"][1] < place["chinBottom"][1]
    assert place["upperJawlineLeft"][0] < place["noseLeft"][0] < place["noseRight"][0]
    [single] = answered(laptop, "DetectFaces", Image=image, Attributes=["EMOTIONS", "AGE_RANGE"])[
        "FaceDetails"
    ]
    assert single == default
    asked = {"CollectionId": empty, "Image": image}
    [record] = answered(laptop, "IndexFaces", DetectionAttributes=["ALL"], **asked)["FaceRecords"]
    assert record["FaceDetail"] == all_of_them


def test_a_face_at_the_border_has_a_box_beyond_it(laptop):
    whole = portrait("Zoë")
    [face] = answered(laptop, "DetectFaces", Image=raw(encoded(whole)))["FaceDetails"]
    left = (face["BoundingBox"]["Left"] + 0.2 * face["BoundingBox"]["Width"]) * whole.width
    cut = whole.crop((round(left), 0, whole.width, whole.height))
    [face] = answered(laptop, "DetectFaces", Image=raw(encoded(cut)))["FaceDetails"]
    assert face["BoundingBox"]["Left"] < 0


def test_a_small_face_is_found_beside_a_large_one(rekognition):
    far = from_afar(portrait("Ravi"), 110).crop((180, 30, 330, 210))
    both = portrait("Zoë").copy()
    both.paste(far, (both.width - far.width, 0))
    sizes = [face["BoundingBox"]["Width"] * both.width for face in detected(rekognition, both)]
    assert len(sizes) == 2
    assert sizes[0] > 110 > 80 > sizes[1]


def test_thresholds_and_most_faces_cut_the_matches(laptop, people):
    asked = {"CollectionId": people, "Image": raw(photo("Zoë", 2))}
    everybody = answered(laptop, "SearchFacesByImage", FaceMatchThreshold=0, **asked)["FaceMatches"]
    alike = [match["Similarity"] for match in everybody]
    assert len(alike) == 2
    assert alike == sorted(alike, reverse=True)
    one = answered(laptop, "SearchFacesByImage", FaceMatchThreshold=0, MaxFaces=1, **asked)
    assert one["FaceMatches"] == everybody[:1]
    above = answered(laptop, "SearchFacesByImage", FaceMatchThreshold=100, **asked)
    assert above["FaceMatches"] == []
    assert 0 < above["SearchedFaceConfidence"] <= 100


def test_a_mirrored_face_looks_the_other_way(rekognition):
    image = portrait("Zoë", 2)
    yaw = detected(rekognition, image)[0]["Pose"]["Yaw"]
    mirrored = detected(rekognition, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert mirrored[0]["Pose"]["Yaw"] == pytest.approx(-yaw, abs=6)


def test_a_face_of_fifty_pixels_is_found(rekognition):
    image = portrait("Zoë")
    [face] = detected(rekognition, image)
    scale = 50 / (face["BoundingBox"]["Width"] * image.width)
    small = image.resize((round(image.width * scale), round(image.height * scale)))
    wide = Image.new("RGB", (640, 480), "grey")
    wide.paste(small, (200, 150))
    assert len(detected(rekognition, wide)) == 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"nonsense", "InvalidImageFormatException"),
        (encoded(Image.new("RGB", (300, 79))), "InvalidParameterException"),
        (encoded(Image.new("L", (10_001, 100))), "ImageTooLargeException"),
    ],
)
def test_a_picture_outside_the_limits_is_refused_by_its_error(rekognition, data, error):
    with pytest.raises(rekognition.exceptions.ClientError) as caught:
        rekognition.detect_faces(Image={"Bytes": data})
    assert caught.value.response["Error"]["Code"] == error


def analysis_workers(laptop):
    ours = [str(one.pid) for one in laptop.processes()]
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "-p", ",".join(ours)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return {int(line.split()[0]) for line in listed.splitlines() if "worker.analysis" in line}


def test_workers_that_die_are_replaced(laptop, rekognition):
    detected(rekognition, portrait("Zoë"))
    killed = analysis_workers(laptop)
    assert killed
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    # Each notices at its next job, which the client asks again; and no picture is one of the last.
    for degrees in range(1, 12):
        assert len(detected(rekognition, portrait("Zoë").rotate(degrees / 2))) == 1
        if len(analysis_workers(laptop) - killed) >= len(killed):
            return
    pytest.fail("a worker was not replaced")


@pytest.mark.parametrize("image", [{}, {"Bytes": b"x", "S3Object": {"Bucket": "abc", "Name": "x"}}])
def test_a_picture_is_given_in_one_way(rekognition, image):
    with pytest.raises(rekognition.exceptions.InvalidParameterException):
        rekognition.detect_faces(Image=image)
