"""What a check of a session does with its decision: it tells the owner, bills and notes."""

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from whosthere import dynamodb
from whosthere.alerts.message import Alert
from whosthere.costs.limits import reserve, session_micros
from whosthere.costs.month import add_to_month
from whosthere.costs.usage import Metered
from whosthere.dynamodb import Attributes, Row, RowChangedError, Table
from whosthere.errors import loggable
from whosthere.metrics import add_counts
from whosthere.session.facts import Facts
from whosthere.session.health.hysteresis import CameraHealth, write_camera_health
from whosthere.session.notices import Notice
from whosthere.session.progress import END, as_row
from whosthere.session.sources import CheckContext
from whosthere.session.steps import Decision
from whosthere.session_store import session_key

# Two checks in a row that answer the same without a sleep are at least so far apart.
SHORTEST_LOOP_S = 1.0


def _bill(context: CheckContext, facts: Facts, decision: Decision, row: Row) -> tuple[int, int]:
    """Add to the month what the session has spent, and will until the next check.

    Return how much that is more than was added before, and for how many seconds it may sleep.
    """
    progress, seconds = decision.progress, decision.sleep_s
    metered = Metered(progress.engine_ms, progress.video_bytes)
    try:
        spent = session_micros(facts.session.engine, row, context.prices, metered)
        spent -= int(row.get("spentMicros", 0))
        ahead_s = seconds if progress.is_started else 0
        added, left_s = reserve(
            context.table, facts.session, context.prices, spent, ahead_s, facts.now_ms
        )
    except Exception as error:  # an amount is no reason to fail
        context.logger.warning("cost not noted", extra=loggable(error))
        return 0, seconds
    return added, max(1, math.floor(left_s)) if left_s < ahead_s else seconds


def note(context: CheckContext, facts: Facts, decision: Decision, row: Row) -> Decision:
    """Send the messages that are due, then note them, and slow down a loop that does not sleep.

    Return the decision, with a shorter sleep where other sessions have just spent the month.
    """
    if decision.next == END:
        return decision
    health = _claim(context, facts, decision)
    sent = [notice for notice in decision.notices if _is_sent(context, notice.alert)]
    _settle(context, facts, decision.health or facts.health, health, sent)
    progress = decision.progress
    for notice in sent:
        progress = replace(progress, **notice.marks)
    before, answer = facts.progress, f"{decision.next} {facts.requests.count}"
    began = {"runningAt": facts.now_ms} if progress.ran and "runningAt" not in row else {}
    noted = replace(progress, answer=answer, checked=facts.now_ms)
    spent, sleep_s = _bill(context, facts, replace(decision, progress=noted), row)
    try:
        _write(context.table, facts, as_row(noted), began, spent)
    except Exception:
        add_to_month(context.table, facts.now_ms, -spent)
        raise
    with suppress(BotoCoreError, ClientError):  # a count is no reason to fail
        add_counts(context.table, facts.session.id, {"sns:Publish": len(sent)})
    since_s = (facts.now_ms - before.checked) / 1000
    if before.answer == answer and since_s < SHORTEST_LOOP_S:
        time.sleep(SHORTEST_LOOP_S)
    return replace(decision, sleep_s=sleep_s)


def _claim(context: CheckContext, facts: Facts, decision: Decision) -> CameraHealth:
    """Write the camera's health, if it has changed, with the messages that will be sent about it.

    A message counts before it is sent: whatever fails after that, a camera has no more of them
    than it may have.
    """
    count = sum(bool(notice.signal) for notice in decision.notices)
    health = (decision.health or facts.health).with_sent(count, facts.now_ms)
    if health == facts.health:
        return health
    return write_camera_health(context.table, facts.session.camera, health, facts.now_ms)


def _settle(
    context: CheckContext,
    facts: Facts,
    before: CameraHealth,
    claimed: CameraHealth,
    sent: list[Notice],
) -> None:
    """Note with the camera what was told; what SNS has refused does not count.

    A refusal is no error: raised, it would let each further try tell the owner again.
    """
    health = before.with_sent(sum(notice.counts for notice in sent), facts.now_ms)
    for notice in sent:
        if notice.signal:
            health = health.with_told(notice.signal, notice.told)
    health = replace(health, version=claimed.version)
    if health == claimed:
        return
    try:
        write_camera_health(context.table, facts.session.camera, health, facts.now_ms)
    except (BotoCoreError, ClientError, RowChangedError) as error:
        context.logger.warning("message not noted", extra=loggable(error))


def _is_sent(context: CheckContext, alert: Alert) -> bool:
    try:
        context.publish(alert)
    except (BotoCoreError, ClientError) as error:
        # No reason to stop searching; the next check tries again.
        context.logger.warning("owner not told", extra=loggable(error))
        return False
    return True


def _write(
    table: Table, facts: Facts, progress: Attributes, began: Mapping[str, int], spent: int
) -> None:
    """Write the progress, unless another copy of this check has; then that one's answer counts."""
    values: dict[str, Attributes | int] = {":check": progress, ":checked": facts.progress.checked}
    update = "SET #check = :check"
    if began:
        update += ", runningAt = if_not_exists(runningAt, :now)"
        values[":now"] = began["runningAt"]
    if spent:
        update += " ADD spentMicros :spent"
        values[":spent"] = spent
    try:
        table.update_item(
            Key=session_key(facts.session.id),
            UpdateExpression=update,
            ConditionExpression="attribute_not_exists(#check) OR #check.checked = :checked",
            ExpressionAttributeNames={"#check": "check"},
            ExpressionAttributeValues=values,
        )
    except ClientError as error:
        if dynamodb.condition_failed(error):
            raise RowChangedError from error
        raise
