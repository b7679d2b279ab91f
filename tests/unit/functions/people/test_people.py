"""People: photos put, replaced and removed, with events late, twice and out of order."""

import io
import unicodedata

import boto3
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.support.door import Turnstile, a_table, empty
from tests.support.gallery import BLUE, RED, colours, draw
from whosthere.errors import TryAgainError
from whosthere.people import store as people
from whosthere.people.enroll import Register, settle_photo
from whosthere.people.photos import Studio
from whosthere.people.store import person_id, photo_of

BUCKET = "whosthere-people"
SALT = "arn:aws:cloudformation:us-east-1:111122223333:stack/whosthere/1"
ZOE = person_id("Zoë", SALT)
KEY = "people/Zoë/1.jpg"
FACE = (0.4, 0.2, 0.2, 0.3)


class Rekognition:
    """Detects the coloured faces of drawn photos and keeps them in one collection."""

    def __init__(self, s3):
        self.s3, self.faces, self.made = s3, {}, 0
        self.detail, self.poor = {}, []
        self.knows_images = True  # the same image and person are one face (IndexFaces)

    def detect_faces(self, *, Image):
        self._content(Image)
        return {"FaceDetails": self.detail.get(Image["S3Object"]["Name"], [a_face()])}

    def index_faces(self, *, Image, ExternalImageId, **_given):
        if self.poor:
            return {"FaceRecords": [], "UnindexedFaces": [{"Reasons": self.poor}]}
        seen = colours(self._content(Image)).most_common(1)[0][0]
        for id, kept in self.faces.items():
            if kept == (ExternalImageId, seen) and self.knows_images:
                return {"FaceRecords": [{"Face": {"FaceId": id}}]}
        self.made += 1
        self.faces[f"face-{self.made}"] = (ExternalImageId, seen)
        return {"FaceRecords": [{"Face": {"FaceId": f"face-{self.made}"}}]}

    def delete_faces(self, *, FaceIds, **_given):
        for id in FaceIds:
            self.faces.pop(id, None)

    def _content(self, image):
        try:
            key = image["S3Object"]["Name"]
            return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except ClientError as error:
            gone = {"Code": "InvalidS3ObjectException", "Message": ""}
            raise ClientError({"Error": gone}, "DetectFaces") from error


def a_face(height=0.3, confidence=99.9, left=0.4):
    box = {"Left": left, "Top": 0.2, "Width": 0.2, "Height": height}
    return {"BoundingBox": box, "Confidence": confidence}


@pytest.fixture(scope="module")
def shared():
    with a_table() as table:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield table, s3


class Album:
    """The bucket's people, with what a test asks of table and collection."""

    def __init__(self, table, s3):
        self.table, self.s3, self.rekognition = table, s3, Rekognition(s3)
        self.register = Register(table, Studio(s3, self.rekognition, BUCKET, "people"), SALT)

    def put(self, key=KEY, colour=RED, content=None):
        body = content or draw((FACE, colour))
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def remove(self, key=KEY):
        self.s3.delete_object(Bucket=BUCKET, Key=key)

    def event(self, key=KEY):
        return settle_photo(self.register, key)

    def row(self, file="1.jpg", person=ZOE):
        return people.read_photo(self.table, person, file)

    @property
    def names(self):
        items = self.table.scan()["Items"]
        return sorted(item["name"] for item in items if item["sk"] == "person")


@pytest.fixture
def album(shared):
    table, s3 = shared
    empty(table)
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    return Album(table, s3)


def test_a_photo_enrols_a_person_under_an_id_that_says_nothing(album):
    album.put()
    assert album.event() == "enrolled"
    assert album.rekognition.faces == {"face-1": (ZOE, RED)}
    assert people.name_of(album.table, ZOE) == "Zoë"
    assert album.row().status == "enrolled"
    assert ZOE.isascii() and "zo" not in ZOE.lower()


def test_events_that_come_again_change_nothing(album):
    album.put()
    assert [album.event() for _ in range(3)] == ["enrolled", "unchanged", "unchanged"]
    assert album.rekognition.made == 1


def test_a_replaced_photo_takes_the_old_face_with_it(album):
    album.put()
    album.event()
    album.put(colour=BLUE)
    assert album.event() == "enrolled"
    assert album.rekognition.faces == {"face-2": (ZOE, BLUE)}
    assert album.row().stale == ()


def test_the_event_of_a_replaced_photo_that_comes_late_changes_nothing(album):
    album.put()
    album.put(colour=BLUE)
    assert [album.event(), album.event()] == ["enrolled", "unchanged"]
    assert album.rekognition.faces == {"face-1": (ZOE, BLUE)}


def test_a_removed_photo_takes_its_face_and_the_last_one_the_person(album):
    album.put()
    album.put("people/Zoë/2.jpg", BLUE)
    album.event()
    album.event("people/Zoë/2.jpg")
    album.remove()
    assert album.event() == "forgotten"
    assert album.rekognition.faces == {"face-2": (ZOE, BLUE)}
    assert album.names == ["Zoë"]
    album.remove("people/Zoë/2.jpg")
    assert album.event("people/Zoë/2.jpg") == "forgotten"
    assert album.rekognition.faces == {}
    assert album.table.scan()["Items"] == []


def test_a_deletion_that_comes_after_the_photo_was_put_again_changes_nothing(album):
    album.put()
    album.event()
    album.remove()
    album.put()
    assert album.event() == "unchanged"
    assert album.rekognition.faces


def test_the_event_of_a_photo_that_is_gone_enrols_nobody(album):
    assert album.event() == "unchanged"
    assert album.table.scan()["Items"] == []


def test_only_the_photos_own_face_is_deleted(album):
    album.rekognition.faces["somebody-elses"] = ("p-x", RED)
    album.put()
    album.event()
    album.remove()
    album.event()
    assert album.rekognition.faces == {"somebody-elses": ("p-x", RED)}


REFUSALS = [
    ([], "No face was found"),
    ([a_face(confidence=40)], "No face was found"),
    ([a_face(), a_face(left=0.1)], "2 faces were found"),
    ([a_face(height=0.1)], "too small: 48 pixels high, at least 50"),
]


@pytest.mark.parametrize(("detail", "reason"), REFUSALS)
def test_a_photo_without_one_usable_face_is_refused_with_the_reason(album, detail, reason):
    album.put()
    album.rekognition.detail[KEY] = detail
    assert album.event() == "refused"
    assert reason in album.row().reason
    assert album.rekognition.faces == {}
    assert album.names == ["Zoë"]


def test_a_face_far_behind_is_no_second_one(album):
    album.put()
    album.rekognition.detail[KEY] = [a_face(), a_face(height=0.1, left=0.1)]
    assert album.event() == "enrolled"


def test_a_poor_photo_is_refused_in_plain_words(album):
    album.put()
    album.rekognition.poor = ["EXTREME_POSE", "LOW_SHARPNESS"]
    assert album.event() == "refused"
    assert "the head is turned too far and the face is blurred" in album.row().reason


@pytest.mark.parametrize("content", [b"GIF89a", b"no image at all", draw()[:20]])
def test_what_is_no_image_is_refused(album, content):
    album.put(content=content)
    assert album.event() == "refused"
    assert "JPEG or PNG" in album.row().reason


def test_a_photo_that_lies_on_its_side_is_measured_upright(album):
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (640, 160), RED).save(out, "JPEG", exif=exif)
    album.put(content=out.getvalue())
    assert album.event() == "enrolled"  # 0.3 of 640 and not of 160 pixels


def test_a_refused_photo_that_is_replaced_by_a_good_one_is_enrolled(album):
    album.put()
    album.rekognition.detail[KEY] = []
    album.event()
    album.rekognition.detail = {}
    album.put(colour=BLUE)
    assert album.event() == "enrolled"
    assert album.row().reason == ""


def test_one_refused_photo_does_not_keep_the_others_out(album):
    album.put()
    album.put("people/Zoë/2.jpg", BLUE)
    album.rekognition.detail["people/Zoë/2.jpg"] = []
    assert [album.event(), album.event("people/Zoë/2.jpg")] == ["enrolled", "refused"]
    assert album.rekognition.faces == {"face-1": (ZOE, RED)}


class Meddler:
    """S3 or Rekognition, where something happens right before one of its calls."""

    def __init__(self, client, call, do):
        self._client, self._call, self._do = client, call, do

    def __getattr__(self, name):
        call = getattr(self._client, name)

        def meddled(**given):
            if name == self._call and self._do:
                do, self._do = self._do, None
                do()
            return call(**given)

        return meddled


def meddled(album, call, do):
    rekognition = Meddler(album.rekognition, call, do)
    studio = Studio(album.s3, rekognition, BUCKET, "people")
    return Register(album.table, studio, SALT)


def test_a_photo_removed_while_it_is_enrolled_leaves_nothing(album):
    def removed():
        album.remove()
        assert album.event() == "unchanged"  # its event comes before the row is written

    album.put()
    content = album.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    album.rekognition._content = lambda image: content
    settle_photo(meddled(album, "index_faces", removed), KEY)
    assert album.rekognition.faces == {}
    assert album.table.scan()["Items"] == []


def test_a_photo_replaced_while_it_is_enrolled_ends_with_the_new_face(album):
    def replaced():
        album.put(colour=BLUE)
        album.event()

    album.put()
    settle_photo(meddled(album, "index_faces", replaced), KEY)
    assert list(album.rekognition.faces.values()) == [(ZOE, BLUE)]
    assert album.row().face_id in album.rekognition.faces


@pytest.mark.parametrize("knows", [True, False], ids=["the same face", "another face"])
def test_two_workers_on_one_event_leave_one_face(album, knows):
    album.rekognition.knows_images = knows
    album.put()
    settle_photo(meddled(album, "index_faces", album.event), KEY)
    assert len(album.rekognition.faces) == 1
    assert album.row().face_id in album.rekognition.faces


def test_two_photos_of_a_person_enrolled_at_once_both_stay(album):
    def other():
        album.put("people/Zoë/2.jpg", BLUE)
        album.event("people/Zoë/2.jpg")

    album.put()
    settle_photo(meddled(album, "index_faces", other), KEY)
    assert len(album.rekognition.faces) == 2
    assert album.row() and album.row("2.jpg")


def test_the_last_two_photos_removed_at_once_take_the_person_with_them(album):
    album.put()
    album.put("people/Zoë/2.jpg", BLUE)
    album.event()
    album.event("people/Zoë/2.jpg")
    album.remove()
    album.remove("people/Zoë/2.jpg")
    # The other worker is through right before the row of the first photo is removed.
    table = Turnstile(album.table, 1, lambda: album.event("people/Zoë/2.jpg"))
    settle_photo(Register(table, album.register.studio, SALT), KEY)
    assert album.table.scan()["Items"] == []


def test_a_crash_before_the_old_face_is_deleted_leaves_it_to_the_retry(album):
    album.put()
    album.event()
    album.put(colour=BLUE)

    def crash():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        settle_photo(meddled(album, "delete_faces", crash), KEY)
    assert album.row().stale == ("face-1",)
    album.event()
    assert album.rekognition.faces == {"face-2": (ZOE, BLUE)}


def test_a_photo_that_changes_all_the_time_comes_again(album):
    album.put()
    shade = iter(range(100))
    head = album.s3.head_object

    class Restless:
        def __getattr__(self, name):
            return getattr(album.s3, name)

        def head_object(self, **given):
            return head(**given) | {"ETag": str(next(shade))}

    studio = Studio(Restless(), album.rekognition, BUCKET, "people")
    with pytest.raises(TryAgainError):
        settle_photo(Register(album.table, studio, SALT), KEY)


KEYS = [
    ("people/Zoë/1.jpg", "Zoë", "1.jpg"),
    ("people/" + unicodedata.normalize("NFD", "Zoë") + "/1.jpg", "Zoë", "1.jpg"),
    ("people/李雷/photo 1+1%.png", "李雷", "photo 1+1%.png"),
    ("people/ Anna /1.jpg", "Anna", "1.jpg"),
]


@pytest.mark.parametrize(("key", "name", "file"), KEYS)
def test_a_key_says_who_and_which_photo(key, name, file):
    photo = photo_of(key)
    assert (photo.name, photo.file, photo.key) == (name, file, key)


@pytest.mark.parametrize(
    "key", ["people/Zoë/", "people/Zoë", "people//1.jpg", "people/a/b/c.jpg", "review/x/1.jpg"]
)
def test_another_key_is_no_photos(album, key):
    assert photo_of(key) is None
    assert album.event(key) == "ignored"


def test_ids_differ_by_name_and_stack_and_fit_rekognition():
    names = ["Zoë", "Zoe", "zoë", "李雷", "x" * 500]
    ids = {person_id(name, salt) for name in names for salt in ("a", "b")}
    assert len(ids) == 10
    assert all(id.startswith("p-") and len(id) < 100 for id in ids)
    assert person_id("Zoë", "a") == person_id(unicodedata.normalize("NFD", "Zoë"), "a")
