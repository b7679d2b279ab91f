"""Limits on what is spent: `maxDollars` of a session, and `maxDollarsMonth` of the stack.

A session's spending is computed from what its row counts. What all sessions of a month spent, by
UTC as AWS bills, is one row to which each adds; a stream processor's session also what it will
spend until its next check. What has no price counts nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.costs.calculator import cost_of
from whosthere.costs.month import add_and_sum, add_to_month, month_end_ms, month_key, month_micros
from whosthere.costs.prices import PriceTable
from whosthere.costs.usage import GB, MINUTE_MS, STREAM_PROCESSOR, Metered, usage_of_session
from whosthere.dynamodb import Row, Table
from whosthere.metrics import add_counts
from whosthere.session_store import Session, session_key

MICROS = 1_000_000
# From this share of a limit on, only one image of two, four, eight or none is searched.
THINNING = ((1.0, 0), (0.95, 8), (0.9, 4), (0.8, 2))
# Money for stopping a stream processor: what it runs on after the decision.
STOP_RESERVE_S = 15.0
VIDEO_GB_A_SECOND = 4_000_000 / 8 / GB  # the edge's highest rate


@dataclass(frozen=True, slots=True)
class Budget:
    """What may still be spent, in dollars: by a session, and by the stack in this month.

    `share` is the part of the nearer limit that is spent, `rate` what the engine costs a second.
    `limits` are both limits and the month: it changes when one of them is raised. `left_out` is
    how many images of the session were not searched because of a limit.
    """

    session_left: float
    month_left: float
    share: float
    rate: float
    month_ends_ms: int
    limits: str = ""
    left_out: int = 0

    @property
    def keep_every(self) -> int:
        """Return of how many images one is searched, 0 for none."""
        return next((every for share, every in THINNING if self.share >= share), 1)

    @property
    def seconds_left(self) -> float:
        """Seconds for which the engine may still run, and be stopped."""
        return self._seconds(min(self.session_left, self.month_left))

    @property
    def is_spent(self) -> bool:
        """Whether the engine has to be stopped now."""
        return self.seconds_left <= 0

    @property
    def resumes_ms(self) -> int:
        """When there is money again: at the end of the month, or 0 if the session has none."""
        return self.month_ends_ms if self._seconds(self.session_left) > 0 else 0

    @property
    def limit_name(self) -> str:
        """The setting that limits what is left."""
        return "maxDollarsMonth" if self.resumes_ms else "maxDollars"

    def _seconds(self, dollars: float) -> float:
        if not self.rate or dollars <= 0:
            return math.inf if dollars > 0 else 0
        return dollars / self.rate - STOP_RESERVE_S


def read_budget(
    table: Table,
    session: Session,
    row: Row,
    prices: PriceTable,
    now_ms: int,
    metered: Metered | None = None,
) -> Budget | None:
    """Return what the session may still spend, or None without a limit; `row` is the session's."""
    most, most_month = session.settings.max_dollars, session.settings.max_dollars_month
    if not most and not most_month:
        return None
    spent = session_micros(session.engine, row, prices, metered)
    month = 0
    if most_month:
        month = month_micros(table, now_ms) + spent - int(row.get("spentMicros", 0))
    limits = [(most, spent), (most_month, month)]
    left = [limit - used / MICROS if limit else math.inf for limit, used in limits]
    share = max(used / MICROS / limit for limit, used in limits if limit)
    rate = _rate(session.engine, prices)
    names = f"{most:g} {most_month:g} {month_key(now_ms)['pk'] if most_month else ''}"
    left_out = int(row.get("counts", {}).get("images_over_limit", 0))
    return Budget(left[0], left[1], share, rate, month_end_ms(now_ms), names, left_out)


def is_month_spent(
    table: Table, engine: str, most_month: float, prices: PriceTable, now_ms: int
) -> bool:
    """Return whether a new session finds the month's money spent."""
    if not most_month:
        return False
    left = most_month - month_micros(table, now_ms) / MICROS
    return Budget(math.inf, left, 0, _rate(engine, prices), 0).is_spent


def _rate(engine: str, prices: PriceTable) -> float:
    """Return the dollars of a second of a stream processor; images are limited one by one."""
    if engine != STREAM_PROCESSOR:
        return 0
    second = {"face-search": 1000 / MINUTE_MS}
    second |= dict.fromkeys(("video-in", "video-read"), VIDEO_GB_A_SECOND)
    return cost_of(second, prices).dollars


def session_micros(
    engine: str, row: Row, prices: PriceTable, metered: Metered | None = None
) -> int:
    """Return what a session has spent, in millionths of a dollar, as its row counts it."""
    counts: Mapping[str, int] = row.get("counts", {})
    return _micros(engine, counts, metered or Metered.of(row), prices)


def _micros(engine: str, counts: Mapping[str, int], metered: Metered, prices: PriceTable) -> int:
    numbers = {name: int(number) for name, number in counts.items()}
    usage = usage_of_session(engine, numbers, numbers, metered)
    return round(MICROS * cost_of(usage, prices).dollars)


def allows_image(
    table: Table, session: Session, image_ms: int, prices: PriceTable, now_ms: int
) -> bool:
    """Return whether an image may be searched; always without a limit, and then nothing is read.

    Which images are left out depends on their time alone, so a retry decides the same. As many in
    a row as confirm a visit are searched: of single ones, seconds apart, nobody would be told. The
    limit is exceeded at most by the images that are searched at the same time.
    """
    settings = session.settings
    if not settings.max_dollars and not settings.max_dollars_month:
        return True
    row = dynamodb.read(table, session_key(session.id)) or {}
    budget = read_budget(table, session, row, prices, now_ms)
    assert budget is not None
    number = round(image_ms / (1000 * settings.sampling_seconds))
    row_of_images = number // settings.confirm_sightings
    return bool(budget.keep_every) and row_of_images % budget.keep_every == 0


def count_image(
    table: Table,
    session: Session,
    counts: Mapping[str, int],
    prices: PriceTable,
    now_ms: int,
    last_ms: int = 0,
    waited: Mapping[str, int] | None = None,
) -> None:
    """Add an image's counts to its session, and its cost to the session and the month."""
    micros = _micros(session.engine, counts, Metered(), prices)
    added = add_to_month(table, now_ms, micros)
    add_counts(table, session.id, counts, last_ms, waited=waited, spent_micros=added)


def reserve(
    table: Table, session: Session, prices: PriceTable, spent: int, seconds: float, now_ms: int
) -> tuple[int, float]:
    """Add to the month what was spent, and what the engine will spend for so many seconds.

    Return what was added, in millionths of a dollar, and for how many seconds there is money. So
    the sessions of many cameras, each of which reads what is left, do not spend it all: of those
    that read at the same moment each sees what the ones before it have added.
    """
    most, rate = session.settings.max_dollars_month, MICROS * _rate(session.engine, prices)
    if not most or not rate or not seconds:
        return add_to_month(table, now_ms, spent), seconds
    ahead = round(rate * (seconds + STOP_RESERVE_S))
    total = add_and_sum(table, now_ms, spent + ahead)
    if total is None:
        return 0, seconds
    over = min(ahead, max(0, total - round(MICROS * most)))
    if not over:
        return spent + ahead, seconds
    given_back = add_to_month(table, now_ms, -over)
    return spent + ahead + given_back, max(0.0, (ahead - over) / rate - STOP_RESERVE_S)


def settle(table: Table, session: Session, prices: PriceTable, now_ms: int) -> None:
    """Add to the month, once, what an ended session spent since its last check."""
    row = dynamodb.read(table, session_key(session.id)) or {}
    metered = Metered.of(row, session.ended_ms)
    spent = session_micros(session.engine, row, prices, metered)
    rest = spent - int(row.get("spentMicros", 0))
    try:
        table.update_item(
            Key=session_key(session.id),
            UpdateExpression="SET settled = :true ADD spentMicros :rest",
            ConditionExpression="attribute_exists(pk) AND attribute_not_exists(settled)",
            ExpressionAttributeValues={":true": True, ":rest": rest},
        )
    except ClientError as error:
        if dynamodb.condition_failed(error):
            return
        raise
    add_to_month(table, now_ms, rest)
