"""Counts of a stranger's sightings and visits, which no other write of the row touches."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.dynamodb import Attributes, Table, WriteRequest
from whosthere.strangers.stranger import Stranger, expires_at, listed_key, stranger_key

if TYPE_CHECKING:
    pass


def count_sightings(
    table: Table,
    stranger: Stranger,
    last_ms: int,
    sightings: int,
    *,
    visits: int,
    camera: str,
    is_recurring: bool | None = None,
) -> None:
    """Add sightings and visits at a camera to a stranger's row, if there is one.

    Without `is_recurring` that mark stays as it was read.
    """
    last_ms = max(last_ms, stranger.last_ms)
    expires = expires_at(stranger, last_ms)
    _update_if_there(
        table,
        stranger_key(stranger.id),
        "SET lastSeen = :last, recurring = :recurring, expires = :expires"
        " ADD sightings :more, visits :visits, cameras :cameras",
        {
            ":last": last_ms,
            ":expires": expires,
            ":more": sightings,
            ":visits": visits,
            ":cameras": {camera},
            ":recurring": stranger.is_recurring if is_recurring is None else is_recurring,
        },
    )
    if visits:
        _update_if_there(
            table, listed_key(stranger.id), "SET expires = :expires", {":expires": expires}
        )


def count_merged(other: Stranger, merged: Stranger, sign: int) -> list[WriteRequest]:
    """Return what counts a merged stranger's visits as another's, or with -1 no longer.

    To be written at once with the merged one's row, so that no crash loses or doubles a visit.
    """
    last_ms = max(other.last_ms, merged.last_ms)
    expires = expires_at(other, last_ms)
    counts: WriteRequest = {
        "Update": {
            "Key": stranger_key(other.id),
            "UpdateExpression": "SET lastSeen = :last, expires = :expires"
            " ADD sightings :more, visits :visits, cameras :cameras",
            "ConditionExpression": "version = :version AND sightings = :read",
            "ExpressionAttributeValues": {
                ":version": other.version,
                ":read": other.sightings,
                ":last": last_ms,
                ":expires": expires,
                ":more": sign * merged.sightings,
                ":visits": sign * merged.visits,
                ":cameras": set(merged.cameras),
            },
        }
    }
    listing = listed_key(other.id) | {"status": other.status}
    return [counts, dynamodb.put({**listing, "expires": expires}, None)]


def _update_if_there(table: Table, key: Mapping[str, str], change: str, values: Attributes) -> None:
    try:
        table.update_item(
            Key=key,
            UpdateExpression=change,
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues=values,
        )
    except ClientError as error:
        if not dynamodb.is_lost(error):
            raise
