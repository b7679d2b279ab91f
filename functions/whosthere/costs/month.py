"""What the sessions of a calendar month have spent, by UTC as AWS bills: one row."""

from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from whosthere import dynamodb
from whosthere.dynamodb import KEEP_ROWS_S, Row, Table


def month_key(now_ms: int) -> dict[str, str]:
    """Return the key of the row with what a month's sessions have spent.

    One row, so that an image reads one, however many cameras there are. It is written once for an
    image and once for a check. DynamoDB takes 1,000 such writes a second to one partition;
    Rekognition searches 50 faces a second for an account (their quotas).
    """
    return {"pk": f"bill#{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m}", "sk": "bill"}


def month_end_ms(now_ms: int) -> int:
    """Return when the month is over, in UTC."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    year, month = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)
    return round(datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000)


def month_micros(table: Table, now_ms: int) -> int:
    """Return what the sessions of this month have spent, in millionths of a dollar."""
    return int((dynamodb.read(table, month_key(now_ms)) or {}).get("micros", 0))


def add_to_month(table: Table, now_ms: int, micros: int) -> int:
    """Add to what the month's sessions have spent; return what was added.

    A refusal is no reason to fail: what was not added is added by the session's next check.
    """
    return micros if micros and add_and_sum(table, now_ms, micros) is not None else 0


def add_and_sum(table: Table, now_ms: int, micros: int) -> int | None:
    """Add to what the month's sessions have spent; return the sum, or None if that is refused."""
    try:
        answer = table.update_item(
            Key=month_key(now_ms),
            UpdateExpression="SET expires = :expires, schemaVersion = :schema ADD micros :micros",
            ExpressionAttributeValues={
                ":micros": micros,
                ":expires": month_end_ms(now_ms) // 1000 + KEEP_ROWS_S,
                ":schema": dynamodb.SCHEMA,
            },
            ReturnValues="UPDATED_NEW",
        )
    except (BotoCoreError, ClientError):
        return None
    row: Row = answer["Attributes"]
    return int(row["micros"])
