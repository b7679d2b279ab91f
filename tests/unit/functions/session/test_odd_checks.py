"""Whatever a check finds of a session: it answers, and always hears a request to stop."""

import json
from datetime import UTC, datetime
from functools import partial

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import strategies

from tests.support.records.alert_harness import a_table, empty
from tests.support.records.given_many import given_many
from tests.support.records.odd_batches import silent
from tests.support.records.odd_records import odd_values
from tests.support.session.check_harness import Services, check_context_of
from tests.support.session.stop_harness import CheckingTopic, refusal
from tests.support.stack.moto_target import running_session
from whosthere.alerts.message import publish
from whosthere.clock import now_ms
from whosthere.dynamodb import SCHEMA
from whosthere.session import check as health_check
from whosthere.session.check import check_session
from whosthere.session.health.hysteresis import camera_health_key
from whosthere.session.open import MOST_FAILED_CHECKS
from whosthere.session_store import lock_key, session_key

DEADLINE_S = 3600
errors = [refusal(code) for code in ("AccessDeniedException", "ValidationException", "Unheard")]
errors += [ReadTimeoutError(endpoint_url="u"), KeyError("Status"), TypeError(), RecursionError()]
failing = strategies.dictionaries(
    strategies.sampled_from(["media", "list_fragments", "list_shards", "engine"]),
    strategies.sampled_from(errors),
    max_size=2,
)
statuses = strategies.sampled_from(["RUNNING", "STARTING", "STOPPING", "STOPPED", "FAILED", None])
odd_fragments = strategies.lists(
    strategies.fixed_dictionaries(
        {},
        optional={
            "ServerTimestamp": strategies.just(datetime.now(UTC)) | odd_values(),
            "FragmentLengthInMilliseconds": strategies.integers(0, 10**12) | odd_values(),
        },
    ),
    max_size=2,
)
moments = strategies.sampled_from([0, 1, 10**13]) | strategies.integers(0, 10**13)
progresses = strategies.fixed_dictionaries(
    {"checked": moments},
    optional={
        **dict.fromkeys(["seen", "silent_since", "failed_since"], moments),
        **dict.fromkeys(["ran", "stuck", "start_told"], strategies.booleans()),
        **dict.fromkeys(["starts", "attempt", "video_stops"], strategies.integers(0, 20)),
    },
)
requests = strategies.fixed_dictionaries(
    {},
    optional={
        "stopRequested": strategies.booleans(),
        "pausedUntil": moments,
        "requests": strategies.integers(0, 10**9),
    },
)
healths = strategies.sampled_from([None, {"health": "other"}, {"version": 3}])
given = strategies.fixed_dictionaries(
    {
        "failed_checks": strategies.integers(0, MOST_FAILED_CHECKS - 1),
        "retries": strategies.integers(0, 6),
    }
)


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(health_check.time, "sleep", silent)
    with a_table() as made:
        yield made


@given_many(
    2_000,
    strategies.tuples(failing, statuses | strategies.text(), odd_fragments | strategies.none()),
    strategies.tuples(progresses, requests, healths),
    given,
)
def test_a_check_answers_whatever_it_finds_and_hears_a_stop(table, found, rows, given):
    services = Services()
    services.failing, services.status, services.fragments = found
    write(table, *rows)
    deadline_s = (now_ms() + 1000 * DEADLINE_S) / 1000
    topic = CheckingTopic()
    context = check_context_of(table, services, partial(publish, topic, "arn"))
    answer = check_session(context, "one", "front-door", **given)
    assert json.dumps(answer)
    assert answer["next"] in ("start", "sleep", "stop-engine", "end")
    assert 1 <= answer["sleepSeconds"] <= max(1, deadline_s - now_ms() / 1000 + 1)
    assert answer["requests"].isdigit()
    if rows[1].get("stopRequested"):
        assert (answer["next"], answer["ending"]["endedBy"]) == ("end", "stop")
    if answer["next"] == "end":
        assert answer["ending"]["endedBy"] in ("stop", "no-media", "silence", "problem")


def write(table, progress, asked, health):
    """Write rows of a session under way, of this version's schema and of a newer one's."""
    empty(table)
    running_session(table, minutes=DEADLINE_S / 60)
    for key, more in ((session_key("one"), {"check": progress}), (lock_key("front-door"), asked)):
        table.put_item(Item=table.get_item(Key=key)["Item"] | more)
    if health is not None:
        newer = {"schemaVersion": SCHEMA + 1}
        table.put_item(Item=camera_health_key("front-door") | health | newer)
