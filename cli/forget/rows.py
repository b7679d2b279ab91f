"""Rows of the table that are of somebody who is forgotten, or name them."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from cli.forget.plan import ForgetPlan
from whosthere import dynamodb
from whosthere.dynamodb import Row, Table
from whosthere.strangers import look_alikes

# Kinds of rows, by the beginning of their partition key, that are named by the id in it.
BY_PARTITION = ("person", "stranger", "visits")
BY_SORT_KEY = ("people", "strangers", "mute", "photo")
BY_STRANGER = ("picture", "place", "merged")


def is_theirs(row: Row, plan: ForgetPlan) -> bool:
    """Return whether a row is of somebody who is forgotten, and of nobody else."""
    kind, _, rest = row["pk"].partition("#")
    ids = plan.ids
    if kind in BY_PARTITION:
        return rest in ids
    if kind in BY_SORT_KEY:
        return row["sk"] in ids
    if kind in BY_STRANGER:
        return row.get("stranger") in ids
    if kind == look_alikes.ROWS:
        key = f"{look_alikes.PREFIX}{row['sk']}"
        return key in plan.keys or look_alikes.person_of_key(key) in ids
    part = row["sk"].split("#")
    if part[0] == "look-alike":
        return part[1] in ids or row["stranger"] in ids
    return row.get("who") in ids or (part[0] == "past" and part[1] in ids)


def changes_of(row: Row, plan: ForgetPlan, labels: set[str]) -> dict[str, Any]:
    """Return the attributes of somebody else's row that would still name them; None: gone."""
    ids = plan.ids
    changes: dict[str, Any] = {}
    if row["sk"] == "tracks":
        left = [one for one in row["tracks"] if not ids & {one["who"], one["id"]}]
        if len(left) < len(row["tracks"]):
            changes["tracks"] = left
        faces = row.get("image", {}).get("faces", "")
        if "image" in row and (changes or any(one in faces for one in ids)):
            changes["image"] = None  # the next one is searched
    if ids.intersection(row.get("persons", ())):
        changes["persons"] = [one for one in row["persons"] if one not in ids]
    if labels.intersection(noted := set(row.get("lookAlikes", ()))):
        changes["lookAlikes"] = noted - labels or None
    if row.get("heir") in ids:
        changes["heir"] = None
    if row.get("alike") and row["alike"]["person"] in ids:
        changes["alike"] = None
    return changes


def change_row(table: Table, row: Row, changes: Mapping[str, Any]) -> None:
    """Write changes unless the row has changed meanwhile: then the next pass does."""
    names = {f"#{number}": name for number, name in enumerate(changes)}
    values = {f":{number}": value for number, value in enumerate(changes.values())}
    kept = [number for number, value in enumerate(changes.values()) if value is not None]
    lost = [number for number, value in enumerate(changes.values()) if value is None]
    update = "SET " + ", ".join(f"#{one} = :{one}" for one in kept) if kept else ""
    update += " REMOVE " + ", ".join(f"#{one}" for one in lost) if lost else ""
    given = {name: value for name, value in values.items() if value is not None}
    try:
        table.update_item(
            Key={"pk": row["pk"], "sk": row["sk"]},
            UpdateExpression=f"{update} ADD version :one",
            ConditionExpression="version = :version",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={**given, ":one": 1, ":version": row["version"]},
        )
    except ClientError as error:
        if not dynamodb.is_lost(error):
            raise
