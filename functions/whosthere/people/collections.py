"""Which collections hold the people's faces: one, or two while one replaces the other.

Rekognition ties a collection to the face model of the day it was created. So a newer model needs
another collection, which has a number: 1 is the template's. While there are two, every photo is
enrolled into both.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.dynamodb import Table

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient

KEY = {"pk": "collections", "sk": "people"}
FIRST = 1


@dataclass(frozen=True, slots=True)
class PeopleCollections:
    """The numbers of the collections; 0 stands for none.

    `in_use` is searched, `building` will be, and `retiring` was: a session that began before may
    still search it.
    """

    in_use: int = FIRST
    building: int = 0
    retiring: int = 0
    version: int = 0

    @property
    def all(self) -> tuple[int, ...]:
        """Return the numbers of all that hold faces, the one in use first."""
        return tuple(filter(None, (self.in_use, self.building, self.retiring)))

    @property
    def unused(self) -> int:
        """Return the number of the next collection."""
        return max(self.all) + 1

    def switched(self) -> "PeopleCollections":
        """Return them once the one that was built is in use."""
        return replace(self, in_use=self.building, building=0, retiring=self.in_use)


def collection_name(first: str, number: int) -> str:
    """Return the id of a collection, given the first one's.

    No stack's name has a dot, so no other stack's collection is called so.
    """
    return first if number == FIRST else f"{first}.{number}"


def read_collections(table: Table) -> PeopleCollections:
    """Read which collections there are; without a row only the template's own."""
    row = dynamodb.read(table, KEY)
    if row is None:
        return PeopleCollections()
    numbers = (int(row[name]) for name in ("inUse", "building", "retiring", "version"))
    return PeopleCollections(*numbers)


def write_collections(table: Table, found: PeopleCollections) -> None:
    """Write which collections there are; RowChangedError if that has changed since it was read."""
    numbers = {"inUse": found.in_use, "building": found.building, "retiring": found.retiring}
    dynamodb.write(table, dynamodb.put({**KEY, **numbers}, found.version))


def collection_in_use(table: Table, first: str) -> str:
    """Return the id of the collection to be searched."""
    return collection_name(first, read_collections(table).in_use)


def delete_collection(rekognition: "RekognitionClient", name: str) -> None:
    """Delete a collection with its faces; one that is not there is no error."""
    try:
        rekognition.delete_collection(CollectionId=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
