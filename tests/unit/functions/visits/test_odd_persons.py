"""Odd records among good ones: each good neighbour is alerted, and nothing is retried."""

import json
from functools import partial

import pytest
from hypothesis import strategies

from tests.support.records.alert_harness import (
    RIGHT,
    AlertHarness,
    a_table,
    empty,
    face,
    match,
    open_session,
    record,
)
from tests.support.records.given_many import given_many
from tests.support.records.odd_batches import SIZE, OddBatches, odd_contents
from whosthere.visits.persons import alert_persons

BETH = "p-beth"


@pytest.fixture
def batches():
    with a_table() as table:

        def harness():
            empty(table)
            made = AlertHarness(table, open_session(table))
            made.name(BETH, "Beth")
            return made

        made = OddBatches(harness, lambda one: partial(alert_persons, one.worker()))
        yield made
        made.check_report()


@given_many(20_000, odd_contents, strategies.integers(0, SIZE), size=SIZE)
def test_every_good_neighbour_of_an_odd_record_is_alerted(batches, contents, place):
    second = batches.next_second()
    good = [record(second + n, face(match(BETH), box=RIGHT)) for n in range(2)]
    written = [json.dumps(one).encode() for one in good]
    batches.harness.subscriber.alerts.clear()
    batches.deliver([*contents[:place], written[0], *contents[place:], written[1]])
    alerts = [one for one in batches.harness.subscriber.alerts if one.facts["name"] == "Beth"]
    assert len(alerts) == 1
