"""The verbs about people: enroll, people, who."""

import json
from dataclasses import replace

import boto3
import pytest
from PIL import Image

from cli.aws.people import collection_repair
from cli.commands import enroll, people, rebuild, who
from cli.errors import InputError
from tests.support.records.drawn_faces import BLUE, GREEN, RED, draw
from tests.support.records.photo_cloud import FACE
from tests.support.records.photo_rekognition import face_detail
from tests.support.stack.moto_target import BUCKET
from whosthere.people import photo_keys, photo_store, store


def keys():
    listed = boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", ())
    return [item["Key"] for item in listed]


def test_each_photo_gets_its_verdict_and_one_good_one_is_enough(cloud, verb, photo, tmp_path):
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"no picture")
    cloud.rekognition.detail["people/Zoë/two.jpg"] = [face_detail(), face_detail(left=0.1)]
    turned = face_detail() | {"Pose": {"Yaw": -52.3, "Pitch": 3.0, "Roll": 0.0}}
    cloud.rekognition.detail["people/Zoë/turned.jpg"] = [turned]
    files = [photo("two.jpg"), photo("turned.jpg"), photo("good.jpg")]
    code, out = verb(enroll, "Zoë", *files, str(damaged))
    assert code == 0
    assert out.splitlines()[-1] == "Zoë: 2 of 4 photos are enrolled"
    said = {line.partition(": ")[0].rpartition("/")[2]: line for line in out.splitlines()}
    assert "refused: This is not a JPEG or PNG" in said["damaged.jpg"]
    assert "refused: 2 faces were found" in said["two.jpg"]
    assert said["good.jpg"].endswith("enrolled")
    assert "too far left (52°, less than 45° is recommended); add one" in said["turned.jpg"]
    assert "people/Zoë/damaged.jpg" not in keys()  # refused before it was uploaded


def test_no_good_photo_is_no_success_and_json_says_why(cloud, verb, photo):
    cloud.rekognition.poor = ["LOW_SHARPNESS"]
    code, out = verb(enroll, "Zoë", photo("1.jpg"), "--json")
    answer = json.loads(out)
    assert (code, answer["good"]) == (1, 0)
    assert "blurred" in answer["photos"][0]["reason"]


def test_another_case_is_the_same_person_and_no_photo_overwrites_another(cloud, verb, photo):
    first, other = photo("a/1.jpg"), photo("b/1.jpg", BLUE)
    verb(enroll, "Zoë", first)
    assert verb(enroll, "ZOË", first, other)[1].endswith("Zoë: 2 of 2 photos are enrolled\n")
    assert keys() == ["people/Zoë/1-2.jpg", "people/Zoë/1.jpg"]


@pytest.mark.parametrize(
    ("name", "told"),
    [("x" * 101, "at most 100"), (" ", "can be seen"), ("a/b", "slash"), ("Zoë", "no such file")],
)
def test_what_cannot_be_enrolled_is_refused_before_anything_is_asked(verb, name, told):
    with pytest.raises(InputError, match=told):
        verb(enroll, name, "missing.jpg")


def test_photos_that_no_event_told_of_are_sent_again_and_then_named(cloud, verb, photo, target):
    cloud.is_up = False
    code, out = verb(enroll, "Zoë", photo("1.jpg"))
    assert code == 1
    assert "uploaded, but not judged yet" in out
    queue = target.output("ObjectsQueueUrl")
    (message,) = boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["detail"]["object"]["key"] == "people/Zoë/1.jpg"


def test_people_says_who_how_many_photos_which_are_refused_and_who_is_alike(cloud, verb, photo):
    assert "nobody is enrolled" in verb(people)[1]
    cloud.rekognition.similar[frozenset((RED, BLUE))] = 84.2
    cloud.rekognition.detail["people/Alice/bad.jpg"] = []
    verb(enroll, "Beth", photo("beth.jpg"))
    code, out = verb(enroll, "Alice", photo("1.jpg", BLUE), photo("bad.jpg"))
    assert "1.jpg: enrolled, looks like Beth (84 %)" in out
    boto3.client("s3").put_object(Bucket=BUCKET, Key="people/astray.jpg", Body=b"")
    boto3.client("s3").put_object(Bucket=BUCKET, Key="people/Beth/new.jpg", Body=b"")
    code, out = verb(people)
    first, second, *rest = out.splitlines()
    assert first.split("  ") == [
        *("Alice", "1 good photo, 1 refused", "never seen", "looks like Beth (84 %)")
    ]
    assert second.startswith("Beth   1 good photo ")
    assert [line.partition(":")[0] for line in rest] == [
        *("Alice/bad.jpg", "Beth/new.jpg", "people/astray.jpg")
    ]
    assert "No face was found" in rest[0]
    assert "not judged yet" in rest[1]
    _, out = verb(people, "beth", "--json")
    (beth,) = json.loads(out)["people"]
    assert (beth["name"], beth["good"], beth["lastSeen"]) == ("Beth", 1, None)
    with pytest.raises(InputError, match="there are: Alice, Beth"):
        verb(people, "Carl")


def test_a_person_is_renamed_with_all_photos_and_keeps_the_id(cloud, verb, photo, table, target):
    verb(enroll, "Bob", photo("1.jpg"), photo("2.jpg", BLUE))
    (bob,) = store.persons(table)
    code, out = verb(people, "--rename", "bob", "Robert")
    assert (code, out) == (0, "bob is Robert from now on: 2 photos moved, and all visits stay\n")
    assert keys() == ["people/Robert/1.jpg", "people/Robert/2.jpg"]
    cloud.sleep(1)
    assert store.persons(table) == [bob]
    assert store.name_of(table, bob) == "Robert"
    with pytest.raises(InputError, match="nobody is enrolled as 'Bob'"):
        verb(people, "--rename", "Bob", "Rob")


def test_two_persons_become_one_only_if_that_is_said(cloud, verb, photo, table):
    verb(enroll, "Bob", photo("a/1.jpg"))
    verb(enroll, "Robert", photo("b/1.jpg", BLUE))
    with pytest.raises(InputError, match="say --merge"):
        verb(people, "--rename", "Bob", "Robert")
    assert len(store.persons(table)) == 2
    code, out = verb(people, "--rename", "Bob", "ROBERT", "--merge", "--yes")
    assert out.startswith("Bob is Robert from now on")
    cloud.sleep(1)
    assert (code, len(store.persons(table))) == (0, 1)
    assert keys() == ["people/Robert/1-2.jpg", "people/Robert/1.jpg"]


def test_a_rename_that_was_cut_off_goes_on_where_it_was(cloud, verb, photo, table):
    verb(enroll, "Bob", photo("1.jpg"), photo("2.jpg", BLUE))
    source = {"Bucket": BUCKET, "Key": "people/Bob/1.jpg"}
    boto3.client("s3").copy_object(Bucket=BUCKET, Key="people/Robert/1.jpg", CopySource=source)
    verb(people, "--rename", "Bob", "Robert")
    assert keys() == ["people/Robert/1.jpg", "people/Robert/2.jpg"]
    cloud.sleep(1)
    (bob,) = store.persons(table)
    assert store.name_of(table, bob) == "Robert"


def test_what_differs_is_sent_when_asked(cloud, verb, target):
    assert "agree" in verb(people, "--reconcile")[1]
    boto3.client("s3").put_object(Bucket=BUCKET, Key="people/Zoë/1.jpg", Body=draw((FACE, RED)))
    assert "1 photos differ" in verb(people, "--reconcile")[1]
    queue = target.output("ObjectsQueueUrl")
    assert len(boto3.client("sqs").receive_message(QueueUrl=queue)["Messages"]) == 1


def test_a_photo_is_told_whom_it_shows_and_who_comes_next_and_is_kept_nowhere(
    cloud, verb, photo, table
):
    cloud.rekognition.similar[frozenset((RED, BLUE))] = 61.0
    verb(enroll, "Beth", photo("beth.jpg", BLUE))
    verb(enroll, "Alice", photo("alice.jpg"))
    before = keys(), table.scan()["Items"], dict(cloud.rekognition.labels)
    assert verb(who, photo("door.jpg")) == (0, "Alice 100 %, next Beth 61 %\n")
    assert "nobody you know" in verb(who, photo("green.jpg", GREEN))[1]
    cloud.rekognition.similar[frozenset((GREEN, RED))] = 84.0
    answer = verb(who, photo("green.jpg", GREEN))[1]
    assert answer.startswith("Alice 84 %, next Beth 0 % (unsure: below 90 %")
    assert (keys(), table.scan()["Items"], dict(cloud.rekognition.labels)) == before


def test_each_face_of_a_photo_is_told_from_left_to_right(cloud, verb, photo):
    verb(enroll, "Alice", photo("alice.jpg"))
    verb(enroll, "Beth", photo("beth.jpg", BLUE))
    both = photo("both.jpg", RED, ((0.05, 0.2, 0.2, 0.3), BLUE))
    cloud.rekognition.detail[""] = [face_detail(), face_detail(left=0.05)]
    _, out = verb(who, both)
    assert [line[: line.index(" %")] for line in out.splitlines()] == [
        *("1. from the left: Beth 100", "2. from the left: Alice 100")
    ]


def test_a_photo_without_a_face_and_what_is_no_photo_are_told(cloud, verb, photo, tmp_path):
    cloud.rekognition.detail[""] = []
    assert verb(who, photo("door.jpg")) == (1, "no face was found in this photo\n")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(InputError, match="JPEG or PNG"):
        verb(who, str(broken))


def test_a_photo_on_its_side_is_searched_upright(cloud, verb, tmp_path):
    """Rekognition's boxes are of the upright picture, and the faces are cut by them."""
    seen = []
    cloud.rekognition.search_faces_by_image = lambda **given: (
        seen.append(given["Image"]["Bytes"]) or {"FaceMatches": []}
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (640, 160), RED).save(tmp_path / "side.jpg", exif=exif)
    verb(who, str(tmp_path / "side.jpg"))
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(seen[0])
    with Image.open(cut) as image:
        assert image.height > image.width  # 0.6 of 640 by 0.4 of 160 pixels


def test_missing_faces_come_back_and_only_those_without_a_photo_go(cloud, verb, photo):
    verb(enroll, "Alice", photo("1.jpg"), photo("2.jpg", BLUE))
    labels = cloud.rekognition.labels
    before = sorted(labels.values())
    assert "0 were missing, 0 photos" in verb(rebuild)[1]
    labels.pop(min(labels))
    labels["left over"] = ("p-nobody:1", GREEN)
    code, out = verb(rebuild, "--yes")
    assert (code, sorted(labels.values())) == (0, before)
    assert "1 were missing, 1 photos were enrolled again, 1 faces without a photo" in out
    assert "0 were missing, 0 photos" in verb(rebuild)[1]


def test_no_face_goes_while_photos_wait_to_be_enrolled_again(cloud, verb, photo, monkeypatch):
    monkeypatch.setattr(collection_repair, "GIVE_UP_SECONDS", 3)
    verb(enroll, "Alice", photo("1.jpg"), photo("2.jpg", BLUE))
    labels = cloud.rekognition.labels
    labels.pop(min(labels))
    labels["left over"] = ("p-nobody:1", GREEN)
    cloud.is_up = False
    code, out = verb(rebuild, "--yes")
    assert (code, "left over" in labels) == (1, True)
    assert "0 faces without a photo were deleted; not all photos are judged yet" in out


def test_a_face_that_is_being_enrolled_is_not_left_over(cloud, verb, photo, monkeypatch):
    verb(enroll, "Alice", photo("1.jpg"))
    labels = cloud.rekognition.labels
    (face,) = labels
    labels["new"] = ("p-soon:1", GREEN)
    table = cloud.reconciler.table
    row = photo_store.read_photos(table, store.persons(table)[0])[0]

    def written(_seconds):
        photo_key = photo_keys.parse_photo_key("people/Soon/1.jpg")
        soon = replace(row, key=photo_key.key, face_id="new", version=0)
        photo_store.write_photo(cloud.reconciler.table, "p-soon", photo_key, soon)

    monkeypatch.setattr(collection_repair.time, "sleep", written)
    verb(rebuild, "--yes")
    assert labels.keys() == {face, "new"}
