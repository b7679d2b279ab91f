"""Whose an id in a row of a visit is: a person's, a stranger's, or of whom the owner said it is.

Rows of visits keep the id that was seen. A stranger whom the owner has named, or merged with
somebody, is read as that one, and is himself again once the decision is undone.
"""

from collections.abc import Iterable, Sequence
from itertools import chain

from boto3.dynamodb.conditions import Key

from whosthere import dynamodb
from whosthere.dynamodb import Row, Table
from whosthere.names import STRANGER_PREFIX
from whosthere.people.store import NAMELESS, PEOPLE, person_key
from whosthere.visits.store import StoredVisit

# Of all strangers, by id, the status that the owner's decision has given them.
STRANGERS, NAMED, MERGED = "strangers", "named", "merged"


class Identities:
    """Whose an id is by what the owner decided, and what the person is called."""

    def __init__(self, table: Table) -> None:
        """Begin without a row."""
        self._table = table
        self._rows: dict[str, Row] = {}
        self._asked: set[str] = set()

    def read(self, ids: Iterable[str]) -> None:
        """Read the rows of ids and of whom they stand for, each once."""
        wanted = set(ids) - self._asked
        while wanted:
            self._asked |= wanted
            keys = [_identity_key(one) for one in wanted]
            rows = {_id_of(row): row for row in dynamodb.read_many(self._table, keys)}
            self._rows |= rows
            wanted = {other for row in rows.values() if (other := _successor(row))} - self._asked

    def resolve(self, one: str) -> str:
        """Return the id that an id stands for, often itself."""
        passed = {one}
        while (other := _successor(self._rows.get(one, {}))) and other not in passed:
            passed.add(other)
            one = other
        return one

    def ids_of(self, who: str) -> set[str]:
        """Return all ids that stand for the same as this one, itself too; by two queries."""
        people = dynamodb.query(self._table, Key("pk").eq(PEOPLE))
        strangers = dynamodb.query(self._table, Key("pk").eq(STRANGERS))
        decided = (row for row in strangers if row["status"] in (NAMED, MERGED))
        self.read({who, *(str(row["sk"]) for row in chain(people, decided))})
        meant = self.resolve(who)
        return {meant, *(one for one in self._rows if self.resolve(one) == meant)}

    def names(self, who: str, rows: Sequence[StoredVisit]) -> tuple[str, ...]:
        """Return who it may have been in all of these rows; nobody for a stranger."""
        if who.startswith(STRANGER_PREFIX):
            return ()
        possible = [
            [self.resolve(one) for one in row.visit.persons or (row.visit.who,)] for row in rows
        ]
        in_all = [one for one in possible[0] if all(one in others for others in possible)]
        return tuple(
            str(self._rows.get(one, {}).get("name", NAMELESS))
            for one in dict.fromkeys(in_all or [who])
        )

    def picture_key(self, rows: Sequence[StoredVisit]) -> str:
        """Return the key in S3 of a picture of the stranger that rows are of, or nothing."""
        ids = [one for row in rows for one in (row.visit.who, self.resolve(row.visit.who))]
        found = (self._rows.get(one, {}).get("pictureKey") for one in ids)
        return next((str(key) for key in found if key), "")


def _identity_key(one: str) -> dict[str, str]:
    """Return the key of the row of a person, or of a stranger."""
    if one.startswith(STRANGER_PREFIX):
        return {"pk": f"stranger#{one}", "sk": "stranger"}
    return person_key(one)


def _id_of(row: Row) -> str:
    return str(row["sk"] if row["pk"] == PEOPLE else row["pk"].partition("#")[2])


def _successor(row: Row) -> str:
    """Return whom a row's id stands for, or nothing."""
    named = row.get("person") if row.get("status") == NAMED else None
    return str(row.get("mergedInto") or named or "")
