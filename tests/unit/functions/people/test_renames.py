"""Names: of one person in several forms, given anew by moving photos, and of two who are one."""

import random

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.records.alert_harness import a_table, empty
from tests.support.records.drawn_faces import BLUE, RED, draw
from tests.support.records.photo_rekognition import PhotoRekognition
from whosthere.clock import now_ms
from whosthere.errors import TryAgainError
from whosthere.people import photo_keys, photo_store, store
from whosthere.people.differences import find_differences, refused_photos
from whosthere.people.ownership import find_person
from whosthere.people.person_names import MOST_CHARACTERS, folded_name
from whosthere.people.photo_keys import person_id
from whosthere.people.photos import PeopleCollection
from whosthere.people.reconcile import PhotoReconciler

BUCKET, SALT = "whosthere-renames", "salt"
FACE = (0.4, 0.2, 0.2, 0.3)
BOB, ROBERT = person_id("Bob", SALT), person_id("Robert", SALT)
HOUR_MS = 3_600_000


class Folders:
    """The people's folders in S3, and a queue of events that loses and reorders none by itself."""

    def __init__(self, table, s3):
        self.table, self.s3, self.rekognition = table, s3, PhotoRekognition(s3)
        self.later_ms, self.events = 0, []
        self.reconciler = PhotoReconciler(
            table,
            PeopleCollection(s3, self.rekognition, BUCKET, "people"),
            SALT,
            clock=lambda: now_ms() + self.later_ms,
        )

    def put(self, key, colour=RED):
        content = draw((FACE, colour)) + key.encode()  # behind a JPEG's end
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        self.events.append(key)

    def copy(self, key, to):
        self.s3.copy_object(Bucket=BUCKET, Key=to, CopySource={"Bucket": BUCKET, "Key": key})
        self.events.append(to)

    def move(self, key, to):
        self.copy(key, to)
        self.remove(key)

    def remove(self, key):
        self.s3.delete_object(Bucket=BUCKET, Key=key)
        self.events.append(key)

    def handle(self, rounds=20):
        """Handle the events; one that has to be tried again comes after the others."""
        for _ in range(rounds):
            events, self.events = self.events, []
            for key in events:
                try:
                    self.reconciler.reconcile_photo(key)
                except TryAgainError:
                    self.events.append(key)
            if not self.events:
                return

    def compare(self):
        """Handle what differs, as the sweep finds it; return how much that was."""
        self.events = find_differences(self.reconciler.people)
        found = len(self.events)
        self.handle()
        return found

    @property
    def faces(self):
        return sorted(person for person, _ in self.rekognition.faces.values())

    def named(self, person):
        return store.name_of(self.table, person)

    def clear(self):
        empty(self.table)
        for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            self.s3.delete_object(Bucket=BUCKET, Key=item["Key"])
        self.rekognition.labels.clear()
        self.later_ms, self.events = 0, []


@pytest.fixture(scope="module")
def shared():
    with a_table() as table:
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield table, s3


@pytest.fixture
def folders(shared):
    found = Folders(*shared)
    found.clear()
    return found


def enrolled(folders, *keys):
    for key in keys:
        folders.put(key)
    folders.handle()
    assert folders.events == []


def test_names_that_differ_in_case_or_form_are_one_person_shown_as_first_written(folders):
    enrolled(folders, "people/Zoë/1.jpg", "people/ZOË/2.jpg", "people/Zoe\u0308/3.jpg")
    zoe = person_id("zoë", SALT)
    assert store.persons(folders.table) == [zoe]
    assert folders.faces == [zoe] * 3
    assert folders.named(zoe) == "Zoë"
    assert find_person(folders.table, "zOË", SALT) == zoe
    assert find_person(folders.table, "Zoe", SALT) is None
    assert folders.compare() == 0


def test_who_was_enrolled_before_keeps_the_id_of_the_name_as_written(folders):
    old = photo_keys.first_schema_id("Bob", SALT)
    folders.table.put_item(Item=store.person_key(old) | {"name": "Bob", "version": 1})
    enrolled(folders, "people/Bob/1.jpg", "people/bob/2.jpg")
    assert folders.faces == [old, old] != [BOB, BOB]
    assert folders.named(old) == "Bob"


def test_two_persons_of_earlier_rows_whose_names_differ_in_case_become_one(folders):
    ids = sorted(photo_keys.first_schema_id(name, SALT) for name in ("Bob", "BOB"))
    enrolled(folders, "people/Bob/1.jpg", "people/BOB/2.jpg")
    folders.clear()
    for id, name in zip(ids, ("Bob", "BOB"), strict=True):
        photo = photo_keys.PhotoObject(f"people/{name}/1.jpg", name)
        folders.put(photo.key)
        folders.rekognition.labels[f"old {name}"] = (f"{id}:1", RED)
        row = photo_store.PhotoRow(photo.key, "older", "", f"old {name}", "enrolled", "", (), 0)
        photo_store.write_photo(folders.table, id, photo, row)
    folders.events = []
    assert folders.compare() == 2
    assert folders.faces == [ids[0]] * 2
    assert store.persons(folders.table) == [ids[0]]
    assert store.current_id(folders.table, ids[1]) == ids[0]
    assert folders.compare() == 0


def test_a_name_that_is_too_long_or_cannot_be_seen_is_refused_with_the_reason(folders):
    longest = "é" * MOST_CHARACTERS
    long, hidden = f"people/{longest}é/1.jpg", "people/\u200b/1.jpg"
    enrolled(folders, f"people/{longest}/1.jpg", long, hidden)
    assert folders.faces == [person_id(longest, SALT)]
    reasons = dict(refused_photos(folders.reconciler.people))
    assert reasons.keys() == {long, hidden}
    assert "at most 100 characters, and this one has 101" in reasons[long]
    assert "can be seen" in reasons[hidden]


@given(st.text(min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_folded_name_is_the_same_for_every_way_to_write_it(name):
    for same in (name.upper(), name.lower(), folded_name(name), f" {name} "):
        if name.upper().casefold() == name.casefold() == name.lower().casefold():
            assert folded_name(same) == folded_name(name)


MOVES = [(f"people/Bob/{number}.jpg", f"people/Robert/{number}.jpg") for number in range(3)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("copies_first", [True, False])
def test_a_moved_folder_keeps_the_person_whatever_order_its_events_come_in(
    folders, seed, copies_first
):
    chance = random.Random(seed)  # noqa: S311 (an order, no secret)
    enrolled(folders, *(key for key, _ in MOVES))
    assert folders.faces == [BOB] * 3
    contents = {key: folders.s3.get_object(Bucket=BUCKET, Key=key) for key, _ in MOVES}
    steps = chance.sample(MOVES, len(MOVES))
    for key, to in steps:
        if copies_first:
            folders.move(key, to)
        else:  # as a file manager may do it: the old ones go before the new ones come
            folders.remove(key)
        if chance.random() < 0.5:
            chance.shuffle(folders.events)
            folders.handle(rounds=1)
            # What is gone in S3 is forgotten; what is only elsewhere is known all the time.
            assert set(folders.faces) <= {BOB}
            assert len(folders.faces) >= (len(MOVES) if copies_first else 0)
    for key, to in () if copies_first else steps:
        folders.s3.put_object(Bucket=BUCKET, Key=to, Body=contents[key]["Body"].read())
        folders.events.append(to)
    folders.events += chance.choices(sum(MOVES, ()), k=3)  # late, and some for the second time
    chance.shuffle(folders.events)
    folders.handle()
    assert folders.events == []
    assert folders.faces == [BOB] * 3
    assert (folders.named(BOB), store.persons(folders.table)) == ("Robert", [BOB])
    assert folders.compare() == 0


JUNK = b"what a file manager leaves in every folder"


@pytest.mark.parametrize("first", [True, False])
def test_a_refused_file_that_moves_along_changes_nothing_about_the_person(folders, first):
    for name in ("Alice", "Bob"):
        folders.s3.put_object(Bucket=BUCKET, Key=f"people/{name}/.store", Body=JUNK)
        folders.put(f"people/{name}/1.jpg")
        folders.handle()
    folders.events = ["people/Alice/.store", "people/Bob/.store"]
    folders.handle()
    moves = [(f"people/Bob/{file}", f"people/Robert/{file}") for file in (".store", "1.jpg")]
    for key, to in moves if first else reversed(moves):
        folders.move(key, to)
        folders.handle(rounds=2)
    folders.handle()
    assert folders.events == []
    alice = person_id("Alice", SALT)
    assert (folders.faces, folders.named(BOB)) == (sorted([alice, BOB]), "Robert")
    assert store.persons(folders.table) == sorted([alice, BOB])


@pytest.mark.parametrize("first", [True, False])
def test_a_refused_file_makes_nobody_another_person(folders, first):
    for name in ("Alice", "Bob", "Robert"):
        folders.s3.put_object(Bucket=BUCKET, Key=f"people/{name}/.store", Body=JUNK)
        folders.put(f"people/{name}/1.jpg")
        folders.handle()
    folders.events = [f"people/{name}/.store" for name in ("Alice", "Bob", "Robert")]
    folders.handle()
    removed = ["people/Bob/.store", "people/Bob/1.jpg"]
    folders.copy("people/Bob/1.jpg", "people/Robert/bob.jpg")
    for key in removed if first else reversed(removed):
        folders.remove(key)
    folders.handle()
    assert store.current_id(folders.table, BOB) == ROBERT
    for key in ("people/Robert/.store", "people/Robert/1.jpg", "people/Robert/bob.jpg"):
        folders.remove(key)
    folders.handle()
    assert store.persons(folders.table) == [person_id("Alice", SALT)]
    assert store.current_id(folders.table, ROBERT) == ROBERT  # and not Alice


def test_whoever_gets_a_name_that_is_free_again_is_somebody_else(folders):
    enrolled(folders, "people/Bob/1.jpg")
    folders.move("people/Bob/1.jpg", "people/Robert/1.jpg")
    folders.handle()
    enrolled(folders, "people/Bob/new.jpg")
    (other,) = {*store.persons(folders.table)} - {BOB}
    assert (folders.named(BOB), folders.named(other)) == ("Robert", "Bob")
    assert sorted(folders.faces) == sorted([BOB, other])


def test_a_photo_moved_out_of_the_wrong_folder_is_of_another_person_after_a_minute(folders):
    enrolled(folders, "people/Alice/1.jpg", "people/Alice/bob.jpg")
    alice = person_id("Alice", SALT)
    folders.move("people/Alice/bob.jpg", "people/Bob/bob.jpg")
    folders.handle(rounds=3)
    assert folders.faces == [alice, alice]  # it may still be that all of Alice's are moved
    folders.later_ms = 61_000
    folders.handle()
    assert (folders.events, folders.faces) == ([], sorted([alice, BOB]))
    assert store.persons(folders.table) == sorted([alice, BOB])


def test_a_photo_copied_to_another_name_makes_another_person_after_a_minute(folders):
    enrolled(folders, "people/Bob/1.jpg")
    folders.copy("people/Bob/1.jpg", "people/Robert/1.jpg")
    folders.handle(rounds=2)
    assert folders.faces == [BOB]
    folders.later_ms = 61_000
    folders.handle()
    assert folders.faces == sorted([BOB, ROBERT])


@pytest.mark.parametrize("copies_first", [True, False])
def test_two_persons_that_are_one_are_merged_and_can_be_parted_again(folders, copies_first):
    enrolled(folders, "people/Bob/1.jpg", "people/Robert/1.jpg")
    content = folders.s3.get_object(Bucket=BUCKET, Key="people/Bob/1.jpg")["Body"].read()
    if not copies_first:
        folders.remove("people/Bob/1.jpg")
        folders.handle()
    folders.s3.put_object(Bucket=BUCKET, Key="people/Robert/bob.jpg", Body=content)
    folders.events += ["people/Robert/bob.jpg"]
    if copies_first:
        folders.remove("people/Bob/1.jpg")
        folders.events.reverse()
    folders.handle()
    assert folders.faces == [ROBERT, ROBERT]
    assert store.persons(folders.table) == [ROBERT]
    assert store.current_id(folders.table, BOB) == ROBERT
    assert folders.named(BOB) == folders.named(ROBERT) == "Robert"
    folders.move("people/Robert/bob.jpg", "people/Bob/1.jpg")
    folders.later_ms = 61_000
    folders.handle()
    assert folders.faces == sorted([BOB, ROBERT])
    assert (store.current_id(folders.table, BOB), folders.named(BOB)) == (BOB, "Bob")


def test_what_is_forgotten_for_longer_is_a_new_person_under_another_name(folders):
    enrolled(folders, "people/Bob/1.jpg")
    content = folders.s3.get_object(Bucket=BUCKET, Key="people/Bob/1.jpg")["Body"].read()
    folders.remove("people/Bob/1.jpg")
    folders.handle()
    assert (folders.faces, store.persons(folders.table)) == ([], [])
    folders.later_ms = HOUR_MS
    folders.s3.put_object(Bucket=BUCKET, Key="people/Robert/1.jpg", Body=content)
    folders.events = ["people/Robert/1.jpg"]
    folders.handle()
    assert folders.faces == [ROBERT]


def test_who_looks_like_somebody_else_is_noted_with_the_number(folders):
    folders.rekognition.similar[frozenset((RED, BLUE))] = 84.2
    enrolled(folders, "people/Beth/1.jpg")
    folders.put("people/Alice/1.jpg", BLUE)
    folders.put("people/Alice/2.jpg", BLUE)  # more like her other photo than like Beth
    folders.handle()
    alice, beth = person_id("Alice", SALT), person_id("Beth", SALT)
    first, second = photo_store.read_photos(folders.table, alice)
    assert first.alike == second.alike
    assert (first.alike.person, first.alike.similarity) == (beth, 84.2)
    assert photo_store.read_photos(folders.table, beth)[0].alike is None
