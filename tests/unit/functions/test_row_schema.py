"""Rows of other versions: older ones are upgraded where they are read, newer ones refused."""

import pytest

from tests.support.records.alert_harness import AlertHarness, face, match, open_session, received
from whosthere import dynamodb
from whosthere.alerts.mute import mute, mutes
from whosthere.dynamodb import SCHEMA
from whosthere.errors import NewerRowError
from whosthere.people.photo_keys import PhotoObject
from whosthere.people.photo_store import PhotoRow, write_photo
from whosthere.people.store import name_of
from whosthere.session import lock as locks
from whosthere.session_store import (
    cancel,
    end_session,
    last_begun,
    latest_session,
    mark_told,
    read_session,
    session_key,
)
from whosthere.strangers.store import note_place, read_stranger, save_stranger
from whosthere.strangers.stranger import Stranger
from whosthere.visits.store import current_visits, read_current

ALICE = "p-alice"


def change(table, key, **values):
    table.put_item(Item=table.get_item(Key=key)["Item"] | values)


def every_kind_of_row(table):
    """A harness with a session and one row of whatever the functions write."""
    harness = AlertHarness(table, open_session(table))
    photo = PhotoObject("people/Alice/1.jpg", "Alice")
    write_photo(table, ALICE, photo, PhotoRow(photo.key, "e", "hash", "f", "enrolled", "", (), 0))
    stranger = Stranger("s-1", ("front-door",), 1, 1, 0, 0, "pending")
    save_stranger(table, None, stranger, new_picture="hash")
    note_place(table, "people/Alice/1.jpg", "s-1")
    mute(table, "s-1", 2)
    cancel(table, "never-opened", 1)
    locks.close_camera(table, "back-door")
    for second in (0, 1, 100):  # the second visit closes the first
        harness.sees(received(second, face(match(ALICE))))
    return harness


def is_index(row):
    return row["pk"].startswith(("day#", "visits#"))


def test_every_row_says_its_schema(table):
    every_kind_of_row(table)
    rows = table.scan()["Items"]
    kinds = {row["sk"].partition("#")[0] for row in rows if not is_index(row)}
    assert kinds == {
        *("lock", "session", "visit", ALICE, "photo", "stranger", "s-1"),
        *("picture", "place"),
    }
    assert {row["pk"].partition("#")[0] for row in rows if is_index(row)} == {"day", "visits"}
    assert {row["sk"]: row.get("schemaVersion") for row in rows} == {
        row["sk"]: SCHEMA for row in rows
    }


READS = {
    "visit": [
        lambda table: read_current(table, "front-door", ALICE),
        lambda table: current_visits(table, "front-door"),
    ],
    "lock": [lambda table: latest_session(table, "front-door")],
    "session": [
        lambda table: read_session(table, "one"),
        lambda table: latest_session(table, "front-door"),
        lambda table: last_begun(table, "front-door", 10**13 - 2),
    ],
    ALICE: [lambda table: name_of(table, ALICE)],
    "stranger": [lambda table: read_stranger(table, "s-1")],
    "s-1": [lambda table: list(mutes(table))],
}


@pytest.mark.parametrize("kind", READS)
def test_a_newer_row_is_refused_by_name_wherever_it_is_read(table, kind):
    every_kind_of_row(table)
    for row in table.scan()["Items"]:
        if row["sk"].partition("#")[0] == kind:
            table.put_item(Item=row | {"schemaVersion": SCHEMA + 1})
    for read in READS[kind]:
        with pytest.raises(NewerRowError, match=rf"'{kind}' of .* has schema {SCHEMA + 1}"):
            read(table)


def test_a_newer_row_of_a_photo_is_refused_without_the_files_name(table):
    every_kind_of_row(table)
    key = {"pk": f"person#{ALICE}", "sk": "photo#Alice/1.jpg"}
    change(table, key, schemaVersion=SCHEMA + 1)
    with pytest.raises(NewerRowError) as raised:
        dynamodb.read(table, key)
    assert "1.jpg" not in str(raised.value)


def test_persons_in_a_session_of_a_newer_version_are_tried_again_and_not_alerted_wrongly(table):
    harness = every_kind_of_row(table)
    told = len(harness.subscriber.alerts)
    change(table, {"pk": "camera#front-door", "sk": f"visit#{ALICE}"}, schemaVersion=SCHEMA + 1)
    with pytest.raises(NewerRowError):
        harness.sees(received(101, face(match(ALICE))))
    assert len(harness.subscriber.alerts) == told


@pytest.mark.parametrize("told", [True, False])
def test_an_older_session_whose_end_was_told_has_its_report(table, told):
    session = open_session(table)
    end_session(table, session, "stop", session.started_ms + 1)
    locks.unlock(table, session)
    if told:
        mark_told(table, "one")
    row = table.get_item(Key=session_key("one"))["Item"]
    for later in ("schemaVersion", "reported"):  # noted since
        row.pop(later, None)
    table.put_item(Item=row)
    assert latest_session(table, "front-door").is_closed is told


def test_a_session_without_settings_is_stopped_if_a_newer_version_wrote_it(table):
    session, key = open_session(table, gapSeconds=7), session_key("one")
    row = table.get_item(Key=key)["Item"]
    del row["settings"]
    table.put_item(Item=row)
    with pytest.raises(KeyError, match="settings"):
        read_session(table, "one", to_stop=True)
    table.put_item(Item=row | {"schemaVersion": SCHEMA + 1})
    found = read_session(table, "one", to_stop=True)
    assert (found.id, found.held) == (session.id, True)
    assert found.settings.gap_ms != session.settings.gap_ms
