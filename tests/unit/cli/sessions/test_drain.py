"""When the demo takes a film's records for processed."""

import pytest

from cli.demo import drain
from cli.demo.drain import DrainMonitor

SESSION = {"pk": "session#demo-1", "sk": "session", "counts": {"records": 3}, "check": 1}


class Table:
    """Rows that a test sets."""

    def __init__(self, *rows):
        self.rows = list(rows)

    def scan(self, **_):
        return {"Items": [dict(row) for row in self.rows]}


class Laptop:
    """Has clients that nobody calls: without a data stream only the table is looked at."""

    def client(self, _):
        return None


@pytest.fixture
def table(monkeypatch):
    made = Table(SESSION, {"pk": "camera#front-door", "sk": "lock", "held": True})
    monkeypatch.setattr(drain, "table_of", lambda *_: made)
    return made


@pytest.fixture
def clock(monkeypatch):
    seconds = [100.0]
    monkeypatch.setattr(drain.time, "monotonic", lambda: seconds[0])
    return seconds


def drained_after(table, clock, change):
    """Whether it is drained, a second at a time: seconds until it is."""
    monitor = DrainMonitor(Laptop(), None, "demo-1", "image-search")
    for second in range(30):
        if monitor.is_drained(0.0):
            return second
        change(second)
        clock[0] += 1
    raise AssertionError("it is never drained")


def test_what_health_checks_write_is_no_record(table, clock):
    health = {"pk": "camera#front-door", "sk": "health", "video": 0}
    table.rows.append(health)

    def check(second):
        table.rows[0] = SESSION | {"check": second, "watch": {"used": second}, "lastRecord": second}
        table.rows[1]["token"] = health["video"] = second

    assert drained_after(table, clock, check) == drain.QUIET_SECONDS["image-search"] + 1


def test_a_record_that_is_counted_is_waited_for(table, clock):
    def count(second):
        if second < 4:
            table.rows[0] = SESSION | {"counts": {"records": second}}

    assert drained_after(table, clock, count) == 4 + drain.QUIET_SECONDS["image-search"] + 1


def test_what_never_ends_is_given_up(table, clock):
    def count(second):
        table.rows[0] = SESSION | {"counts": {"records": second}}

    assert drained_after(table, clock, count) == drain.DRAIN_TIMEOUT_SECONDS + 1
