"""People: photos put, replaced and removed, with events late, twice and out of order."""

import io
import unicodedata

import boto3
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.support.records.alert_harness import RacingTable, a_table, empty
from tests.support.records.drawn_faces import BLUE, RED, draw
from tests.support.records.photo_rekognition import PhotoRekognition, face_detail
from whosthere.errors import TryAgainError
from whosthere.people import photo_keys, photo_store, store
from whosthere.people.photo_keys import parse_photo_key, person_id
from whosthere.people.photos import MAX_PIXELS, PeopleCollection
from whosthere.people.reconcile import PhotoReconciler

BUCKET = "whosthere-people"
SALT = "arn:aws:cloudformation:us-east-1:111122223333:stack/whosthere/1"
ZOE = person_id("Zoë", SALT)
KEY = "people/Zoë/1.jpg"
FACE = (0.4, 0.2, 0.2, 0.3)
OWNED = {"pk", "sk", "expires", "refused", "schemaVersion", "version"}


@pytest.fixture(scope="module")
def shared():
    with a_table() as table:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield table, s3


class People:
    """The bucket's people, with what a test asks of table and collection."""

    def __init__(self, table, s3):
        self.table, self.s3, self.rekognition = table, s3, PhotoRekognition(s3)
        self.collection = PeopleCollection(s3, self.rekognition, BUCKET, "people")
        self.reconciler = PhotoReconciler(table, self.collection, SALT)

    def put(self, key=KEY, colour=RED, content=None):
        body = content or draw((FACE, colour))
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def remove(self, key=KEY):
        self.s3.delete_object(Bucket=BUCKET, Key=key)

    def event(self, key=KEY):
        return self.reconciler.reconcile_photo(key)

    def row(self, file="1.jpg", person=ZOE):
        return photo_store.read_photo(self.table, person, f"people/Zoë/{file}")

    @property
    def rows(self):
        """The rows but those that soon expire: which content was whose, without a name."""
        items = self.table.scan()["Items"]
        gone = [item for item in items if item["pk"].startswith("photo#") and "expires" in item]
        assert all(item.keys() <= OWNED for item in gone)
        return [item for item in items if item not in gone]

    @property
    def names(self):
        items = self.table.scan()["Items"]
        return sorted(item["name"] for item in items if item["pk"] == "people")


@pytest.fixture
def people(shared):
    table, s3 = shared
    empty(table)
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    return People(table, s3)


def test_a_photo_enrolls_a_person_under_an_id_that_says_nothing(people):
    people.put()
    assert people.event() == "enrolled"
    assert people.rekognition.faces == {"face-1": (ZOE, RED)}
    assert store.name_of(people.table, ZOE) == "Zoë"
    assert people.row().status == "enrolled"
    assert ZOE.isascii() and "zo" not in ZOE.lower()


def test_redelivered_events_change_nothing(people):
    people.put()
    assert [people.event() for _ in range(3)] == ["enrolled", "unchanged", "unchanged"]
    assert people.rekognition.made == 1


def test_a_replaced_photo_takes_the_old_face_with_it(people):
    people.put()
    people.event()
    people.put(colour=BLUE)
    assert people.event() == "enrolled"
    assert people.rekognition.faces == {"face-2": (ZOE, BLUE)}
    assert people.row().orphaned_faces == ()


def test_the_event_of_a_replaced_photo_that_comes_late_changes_nothing(people):
    people.put()
    people.put(colour=BLUE)
    assert [people.event(), people.event()] == ["enrolled", "unchanged"]
    assert people.rekognition.faces == {"face-1": (ZOE, BLUE)}


def test_a_removed_photo_takes_its_face_and_the_last_one_the_person(people):
    people.put()
    people.put("people/Zoë/2.jpg", BLUE)
    people.event()
    people.event("people/Zoë/2.jpg")
    people.remove()
    assert people.event() == "forgotten"
    assert people.rekognition.faces == {"face-2": (ZOE, BLUE)}
    assert people.names == ["Zoë"]
    people.remove("people/Zoë/2.jpg")
    assert people.event("people/Zoë/2.jpg") == "forgotten"
    assert people.rekognition.faces == {}
    assert people.rows == []


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, KEY) for form in ("NFC", "NFD"))


@pytest.mark.parametrize("kept", [COMPOSED, DECOMPOSED], ids=["composed", "decomposed"])
@pytest.mark.parametrize("colour", [RED, BLUE], ids=["a copy", "another picture"])
def test_of_two_keys_of_one_name_the_one_that_is_left_keeps_the_person(people, kept, colour):
    """What looks like one folder may be two: macOS and Linux write the same ë differently."""
    people.put(COMPOSED)
    people.put(DECOMPOSED, colour)
    assert [people.event(COMPOSED), people.event(DECOMPOSED)] == ["enrolled", "enrolled"]
    (gone,) = {COMPOSED, DECOMPOSED} - {kept}
    people.remove(gone)
    assert people.event(gone) == "forgotten"
    assert people.names == ["Zoë"]
    row = photo_store.read_photo(people.table, ZOE, kept)
    assert people.rekognition.faces == {row.face_id: (ZOE, RED if kept == COMPOSED else colour)}
    people.remove(kept)
    assert people.event(kept) == "forgotten"
    assert people.rekognition.faces == {}
    assert people.rows == []


def test_a_photo_that_is_moved_keeps_its_face_whatever_comes_first(people):
    """A copy and a deletion, at once: IndexFaces stores one face for one external id."""
    people.put()
    people.event()
    people.put("people/Zoë/moved.jpg")
    people.remove()
    # The old row and its face go between the copy's IndexFaces and its row.
    table = RacingTable(people.table, 1, people.event)
    mover = PhotoReconciler(table, people.collection, SALT)
    assert mover.reconcile_photo("people/Zoë/moved.jpg") == "enrolled"
    assert people.row("moved.jpg").face_id in people.rekognition.faces
    assert len(people.rekognition.faces) == 1


@pytest.mark.parametrize("kept", [True, False], ids=["the photo is there", "it was removed"])
def test_a_photo_of_the_first_schema_moves_to_the_new_rows_with_a_face_of_its_own(people, kept):
    people.put()
    old = photo_keys.first_schema_id("Zoë", SALT)
    etag = people.s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"]
    people.rekognition.labels["old-face"] = (old, RED)
    photo = {"key": KEY, "etag": etag, "faceId": "old-face", "status": "enrolled", "reason": ""}
    row = {"pk": f"person#{old}", "version": 1}
    people.table.put_item(Item=row | photo | {"sk": "photo#1.jpg", "stale": []})
    people.table.put_item(Item=row | {"sk": "person", "name": "Zoë"})
    assert store.name_of(people.table, old) == "Zoë"
    assert photo_store.read_photos(people.table, old) == []  # so that who compares sends it
    if not kept:
        people.remove()
    assert people.event() == ("enrolled" if kept else "forgotten")
    assert people.names == (["Zoë"] if kept else [])
    assert list(people.rekognition.faces) == (["face-1"] if kept else [])
    assert {item["sk"] for item in people.rows if not item["pk"].startswith("photo#")} == (
        {old, "photo#Zoë/1.jpg"} if kept else set()
    )
    assert people.event() == "unchanged"


def test_a_key_as_long_as_s3_takes_it_has_a_row(people):
    key = "people/Zoë/".ljust(1019, "x") + ".jpg"
    assert len(key.encode()) == 1024
    people.put(key)
    assert people.event(key) == "enrolled"


def test_a_deletion_that_comes_after_the_photo_was_put_again_changes_nothing(people):
    people.put()
    people.event()
    people.remove()
    people.put()
    assert people.event() == "unchanged"
    assert people.rekognition.faces


def test_the_event_of_a_photo_that_is_gone_enrolls_nobody(people):
    assert people.event() == "unchanged"
    assert people.rows == []


def test_only_the_face_of_the_photo_is_deleted(people):
    people.rekognition.labels["somebody-elses"] = ("p-x", RED)
    people.put()
    people.event()
    people.remove()
    people.event()
    assert people.rekognition.faces == {"somebody-elses": ("p-x", RED)}


REFUSALS = [
    ([], "No face was found"),
    ([face_detail(confidence=40)], "No face was found"),
    ([face_detail(), face_detail(left=0.1)], "2 faces were found"),
    ([face_detail(height=0.1)], "too small: 48 pixels high, at least 50"),
]


@pytest.mark.parametrize(("detail", "reason"), REFUSALS)
def test_a_photo_without_one_usable_face_is_refused_with_the_reason(people, detail, reason):
    people.put()
    people.rekognition.detail[KEY] = detail
    assert people.event() == "refused"
    assert reason in people.row().reason
    assert people.rekognition.faces == {}
    assert people.names == ["Zoë"]


def test_a_face_far_behind_is_no_second_one(people):
    people.put()
    people.rekognition.detail[KEY] = [face_detail(), face_detail(height=0.1, left=0.1)]
    assert people.event() == "enrolled"


def test_a_poor_photo_is_refused_in_plain_words(people):
    people.put()
    people.rekognition.poor = ["EXTREME_POSE", "LOW_SHARPNESS"]
    assert people.event() == "refused"
    assert "the head is turned too far and the face is blurred" in people.row().reason


@pytest.mark.parametrize("content", [b"GIF89a", b"no image at all", draw()[:20]])
def test_what_is_no_image_is_refused(people, content):
    people.put(content=content)
    assert people.event() == "refused"
    assert "JPEG or PNG" in people.row().reason


def test_a_photo_that_lies_on_its_side_is_measured_upright(people):
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (640, 160), RED).save(out, "JPEG", exif=exif)
    people.put(content=out.getvalue())
    assert people.event() == "enrolled"  # 0.3 of 640 and not of 160 pixels


def test_a_photo_with_damaged_exif_data_counts_as_upright(people):
    out = io.BytesIO()
    Image.open(io.BytesIO(draw((FACE, RED)))).save(out, "PNG", exif=b"Exif\0\0no TIFF header")
    people.put(content=out.getvalue())
    assert people.event() == "enrolled"


def png_with_much_text():
    """A PNG that Pillow gives up with a ValueError: its texts are too long together."""
    info = PngInfo()
    for number in range(80):
        info.add_text(f"text {number}", "x" * 1_000_000, zip=True)
    out = io.BytesIO()
    Image.new("RGB", (640, 480), RED).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def test_a_photo_that_pillow_cannot_read_for_whatever_reason_is_refused(people):
    people.put(content=png_with_much_text())
    assert people.event() == "refused"
    assert "JPEG or PNG" in people.row().reason


@pytest.mark.parametrize("times", [1, 3, 4], ids=["ours", "Pillow warns", "Pillow refuses"])
def test_a_photo_of_too_many_pixels_is_refused_before_it_is_decoded(people, times):
    out = io.BytesIO()
    Image.new("1", (10_000, times * MAX_PIXELS // 10_000 + 1)).save(out, "PNG")
    people.put(content=out.getvalue()[:200])  # the size is at the beginning
    assert people.event() == "refused"
    assert "too many pixels" in people.row().reason


def test_a_refused_photo_that_is_replaced_by_a_good_one_is_enrolled(people):
    people.put()
    people.rekognition.detail[KEY] = []
    people.event()
    people.rekognition.detail = {}
    people.put(colour=BLUE)
    assert people.event() == "enrolled"
    assert people.row().reason == ""


def test_one_refused_photo_does_not_keep_the_others_out(people):
    people.put()
    people.put("people/Zoë/2.jpg", BLUE)
    people.rekognition.detail["people/Zoë/2.jpg"] = []
    assert [people.event(), people.event("people/Zoë/2.jpg")] == ["enrolled", "refused"]
    assert people.rekognition.faces == {"face-1": (ZOE, RED)}


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


def meddled(people, call, do):
    rekognition = Meddler(people.rekognition, call, do)
    collection = PeopleCollection(people.s3, rekognition, BUCKET, "people")
    return PhotoReconciler(people.table, collection, SALT)


def test_a_photo_removed_while_it_is_enrolled_leaves_nothing(people):
    def removed():
        people.remove()
        assert people.event() == "unchanged"  # its event comes before the row is written

    people.put()
    content = people.s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    people.rekognition.content_of = lambda image: content
    meddled(people, "index_faces", removed).reconcile_photo(KEY)
    assert people.rekognition.faces == {}
    assert people.rows == []


def test_a_photo_replaced_while_it_is_enrolled_ends_with_the_new_face(people):
    def replaced():
        people.put(colour=BLUE)
        people.event()

    people.put()
    meddled(people, "index_faces", replaced).reconcile_photo(KEY)
    assert list(people.rekognition.faces.values()) == [(ZOE, BLUE)]
    assert people.row().face_id in people.rekognition.faces


@pytest.mark.parametrize("knows", [True, False], ids=["the same face", "another face"])
def test_two_workers_on_one_event_leave_one_face(people, knows):
    people.rekognition.knows_images = knows
    people.put()
    meddled(people, "index_faces", people.event).reconcile_photo(KEY)
    assert len(people.rekognition.faces) == 1
    assert people.row().face_id in people.rekognition.faces


def test_two_photos_of_a_person_enrolled_at_once_both_stay(people):
    def other():
        people.put("people/Zoë/2.jpg", BLUE)
        people.event("people/Zoë/2.jpg")

    people.put()
    meddled(people, "index_faces", other).reconcile_photo(KEY)
    assert len(people.rekognition.faces) == 2
    assert people.row() and people.row("2.jpg")


def test_the_last_two_photos_removed_at_once_take_the_person_with_them(people):
    people.put()
    people.put("people/Zoë/2.jpg", BLUE)
    people.event()
    people.event("people/Zoë/2.jpg")
    people.remove()
    people.remove("people/Zoë/2.jpg")
    # The other worker is through right before the row of the first photo is removed.
    table = RacingTable(people.table, 1, lambda: people.event("people/Zoë/2.jpg"))
    PhotoReconciler(table, people.collection, SALT).reconcile_photo(KEY)
    assert people.rows == []


def test_a_crash_before_the_old_face_is_deleted_leaves_it_to_the_retry(people):
    people.put()
    people.event()
    people.put(colour=BLUE)

    def crash():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        meddled(people, "delete_faces", crash).reconcile_photo(KEY)
    assert people.row().orphaned_faces == ("face-1",)
    people.event()
    assert people.rekognition.faces == {"face-2": (ZOE, BLUE)}


def test_a_photo_that_changes_all_the_time_is_retried(people):
    people.put()
    shade = iter(range(100))
    head = people.s3.head_object

    class Restless:
        def __getattr__(self, name):
            return getattr(people.s3, name)

        def head_object(self, **given):
            return head(**given) | {"ETag": str(next(shade))}

    collection = PeopleCollection(Restless(), people.rekognition, BUCKET, "people")
    with pytest.raises(TryAgainError):
        PhotoReconciler(people.table, collection, SALT).reconcile_photo(KEY)


KEYS = [
    ("people/Zoë/1.jpg", "Zoë"),
    ("people/" + unicodedata.normalize("NFD", "Zoë") + "/1.jpg", "Zoë"),
    ("people/李雷/photo 1+1%.png", "李雷"),
    ("people/ Anna /1.jpg", "Anna"),
]


@pytest.mark.parametrize(("key", "name"), KEYS)
def test_a_key_says_who_and_which_photo(key, name):
    photo = parse_photo_key(key)
    assert (photo.name, photo.key) == (name, key)


@pytest.mark.parametrize(
    "key", ["people/Zoë/", "people/Zoë", "people//1.jpg", "people/a/b/c.jpg", "review/x/1.jpg"]
)
def test_another_key_is_no_photos(people, key):
    assert parse_photo_key(key) is None
    assert people.event(key) == "ignored"


def test_ids_differ_by_name_and_stack_and_fit_rekognition():
    names = ["Zoë", "Zoe", "Zoé", "李雷", "x" * 500]
    ids = {person_id(name, salt) for name in names for salt in ("a", "b")}
    assert len(ids) == 10
    assert all(id.startswith("p-") and len(id) < 100 for id in ids)
    for same in ("zoë", "ZOË", unicodedata.normalize("NFD", "Zoë"), " Ｚｏｅ\u0308 "):
        assert person_id("Zoë", "a") == person_id(same, "a")
