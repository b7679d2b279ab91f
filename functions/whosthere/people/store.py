"""Rows of people: who is enrolled, under an opaque id that stands in for the name elsewhere.

A person who is now known as another keeps a row that says so.
"""

import unicodedata
from dataclasses import dataclass, field

from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table
from whosthere.people.person_names import folded_name

PEOPLE = "people"
NAMELESS = "Somebody you know"
MOST_MERGES = 10


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody enrolled: the name shown, and the names of the folders that the photos lie in.

    Without a name it is what is left of a person who is now known as another: `merged_into`.
    `look_alikes` are the labels of faces that were taken for this person's.
    """

    id: str
    name: str
    folders: frozenset[str] = field(default=frozenset())
    merged_into: str = ""
    look_alikes: frozenset[str] = field(default=frozenset())

    def is_called(self, name: str) -> bool:
        """Return whether a name is this person's, but for case and Unicode form."""
        wanted = folded_name(name)
        return any(folded_name(known) == wanted for known in {self.name, *self.folders} if known)


def name_of(table: Table, person: str) -> str:
    """Return the name of a person; NAMELESS if the last photo has just been removed."""
    return read_person(table, person).name


def read_person(table: Table, person: str) -> Person:
    """Read a person, or whom that person has been merged into; one without photos is NAMELESS."""
    row = dynamodb.read(table, person_key(person))
    if row is None:
        row = dynamodb.read(table, first_schema_key(person))
    elif "name" not in row:
        row = _final_row(table, person)
    if row is None or "name" not in row:
        return Person(person, NAMELESS)
    id = person if row["sk"] == "person" else str(row["sk"])  # else of the first schema
    return Person(id, str(row["name"]), look_alikes=frozenset(row.get("lookAlikes", ())))


def note_look_alike(table: Table, person: str, label: str) -> None:
    """Note in a person's row that a face of this label is somebody else's, if there is a row."""
    _change_look_alikes(table, person, "ADD", label)


def drop_look_alike(table: Table, person: str, label: str) -> None:
    """Take the label of a look-alike's face out of a person's row."""
    _change_look_alikes(table, person, "DELETE", label)


def _change_look_alikes(table: Table, person: str, change: str, label: str) -> None:
    try:
        table.update_item(
            Key=person_key(current_id(table, person)),
            UpdateExpression=f"{change} lookAlikes :labels",
            ConditionExpression="attribute_exists(#name)",
            ExpressionAttributeNames={"#name": "name"},
            ExpressionAttributeValues={":labels": {label}},
        )
    except ClientError as error:
        if not dynamodb.is_lost(error):
            raise


def current_id(table: Table, person: str) -> str:
    """Return the id under which a person is known now: another one after a merge."""
    row = _final_row(table, person)
    return str(row["sk"]) if row else person


def _final_row(table: Table, person: str) -> Row | None:
    """Return the row of a person, or of whom that person has been merged into."""
    row = dynamodb.read(table, person_key(person))
    for _ in range(MOST_MERGES):
        if not row or not row.get("mergedInto"):
            break
        row = dynamodb.read(table, person_key(row["mergedInto"]))
    return row


def person_key(person: str) -> dict[str, str]:
    """Return the key of the one row that holds the person's name."""
    return {"pk": PEOPLE, "sk": person}


def first_schema_key(person: str, key: str = "") -> dict[str, str]:
    """Return the key that a row of the first schema has: a person's, or of the photo of a key."""
    file = unicodedata.normalize("NFC", key.rpartition("/")[2])
    return {"pk": f"person#{person}", "sk": f"photo#{file}" if file else "person"}


def has_first_schema(table: Table, person: str) -> bool:
    """Return whether there is a row of a person, or of a photo, of the first schema."""
    return bool(dynamodb.query(table, Key("pk").eq(first_schema_key(person)["pk"])))


def persons(table: Table) -> list[str]:
    """Return the ids of everybody who has a photo with a row."""
    return [person.id for person in read_people(table) if not person.merged_into]


def read_people(table: Table) -> list[Person]:
    """Read everybody who has a photo with a row, and who was merged, by id."""
    rows = dynamodb.query(table, Key("pk").eq(PEOPLE))
    return [
        Person(
            id=str(row["sk"]),
            name=str(row.get("name", "")),
            folders=frozenset(row.get("folders", ())),
            merged_into=str(row.get("mergedInto", "")),
            look_alikes=frozenset(row.get("lookAlikes", ())),
        )
        for row in rows
    ]


def merge_if_gone(table: Table, person: str, heir: str) -> None:
    """Say that a person without a photo is another one now; whoever has photos stays."""
    if dynamodb.read(table, person_key(person)) is None:
        dynamodb.write(table, dynamodb.put(person_key(person) | {"mergedInto": heir}, 0))
