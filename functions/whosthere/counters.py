"""Counters of a session, in its row."""

from collections.abc import Mapping

from whosthere.dynamodb import Table
from whosthere.session_store import session_key


def add_counts(table: Table, session_id: str, counts: Mapping[str, int], last_ms: int = 0) -> None:
    """Add to the session's counters, at least once per record: a retry may count again.

    `last_ms` is the time of the last record, where there was one.
    """
    wanted = {name: number for name, number in counts.items() if number}
    if not wanted:
        return
    table.update_item(
        Key=session_key(session_id),
        # ADD works on top-level attributes only (DynamoDB, update expressions)
        UpdateExpression="SET "
        + ", ".join(
            f"counts.#{place} = if_not_exists(counts.#{place}, :zero) + :{place}"
            for place in range(len(wanted))
        )
        + (", lastRecord = :last" if last_ms else ""),
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeNames={f"#{place}": name for place, name in enumerate(wanted)},
        ExpressionAttributeValues={":zero": 0}
        | {f":{place}": number for place, number in enumerate(wanted.values())}
        | ({":last": last_ms} if last_ms else {}),
    )
