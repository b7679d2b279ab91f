"""A check of a session: what it reads first, what it notes, and that it tells at least once."""

import importlib
import sys
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.support.session.check_harness import Services, check_context_of
from tests.support.session.stop_harness import refusal
from tests.support.stack.moto_target import running_session
from whosthere.clock import now_ms
from whosthere.dynamodb import SCHEMA, RowChangedError
from whosthere.session import check as health_check
from whosthere.session import lock as locks
from whosthere.session import notes
from whosthere.session import requests as wishes
from whosthere.session.check import check_session
from whosthere.session.health.hysteresis import read_camera_health, write_camera_health
from whosthere.session_store import lock_key, session_key


class Watched:
    """A table that notes which keys are read."""

    def __init__(self, table, asked):
        self._table, self._asked = table, asked

    def __getattr__(self, name):
        return getattr(self._table, name)

    def get_item(self, Key, ConsistentRead=False):
        assert ConsistentRead
        self._asked.append(Key["sk"])
        return self._table.get_item(Key=Key, ConsistentRead=True)


@pytest.fixture
def services():
    return Services()


@pytest.fixture
def sent():
    return []


@pytest.fixture
def context(table, services, sent):
    return check_context_of(Watched(table, services.asked), services, sent.append)


@pytest.fixture(autouse=True)
def slept(monkeypatch):
    found = []
    monkeypatch.setattr(health_check.time, "sleep", found.append)
    return found


def check(context, **given):
    given = {"failed_checks": 0, "retries": 0} | given
    return check_session(context, "one", "front-door", **given)


def row(table):
    return table.get_item(Key=session_key("one"))["Item"]


def lock(table):
    return table.get_item(Key=lock_key("front-door"))["Item"]


def test_lock_and_requests_are_read_first_and_once_in_one_consistent_read(table, context, services):
    running_session(table)
    check(context)
    assert services.asked[0] == "lock"
    assert services.asked.count("lock") == 1


def test_the_answer_covers_the_requests_that_were_read(table, context):
    running_session(table)
    wishes.request_pause(table, None, "front-door", now_ms() - 1)
    answer = check(context)
    assert (answer["next"], answer["requests"]) == ("sleep", "1")


def test_a_session_that_searches_is_noted_and_told_once(table, context, sent):
    running_session(table, tell=["start"])
    assert [check(context)["next"] for _ in range(2)] == ["sleep", "sleep"]
    assert [one.subject for one in sent] == ["Session started at front-door"]
    first = row(table)["runningAt"]
    check(context)
    assert row(table)["runningAt"] == first


def test_a_message_that_sns_refuses_is_tried_at_the_next_check(table, context, sent):
    running_session(table, tell=["start"])

    def refuse(_alert):
        raise refusal("Throttled")

    assert check(replace(context, publish=refuse))["next"] == "sleep"
    assert "runningAt" in row(table)
    check(context)
    assert [one.subject for one in sent] == ["Session started at front-door"]


def test_a_check_that_dies_before_its_mark_tells_again_and_loses_nothing(
    table, context, sent, monkeypatch
):
    running_session(table, tell=["start"])
    with monkeypatch.context() as patch:
        patch.setattr(notes, "_write", lambda *_: sys.exit())
        with pytest.raises(SystemExit):
            check(context)
    check(context)
    assert len(sent) == 2


def test_a_check_that_can_note_nothing_answers_nevertheless(table, context, sent, monkeypatch):
    running_session(table, tell=["start"])
    with monkeypatch.context() as patch:
        patch.setattr(notes, "_write", lambda *_: 1 / 0)
        assert check(context)["failedChecks"] == 1
    assert check(context)["next"] == "sleep"


@pytest.mark.parametrize("what", ["media", "list_fragments", "engine"])
def test_a_stop_is_heard_although_other_services_fail(table, context, services, what):
    running_session(table)
    services.failing[what] = refusal("InternalFailure")
    assert check(context)["next"] == "sleep"
    wishes.request_stop(table, None, "front-door")
    answer = check(context)
    assert (answer["next"], answer["ending"]["endedBy"]) == ("end", "stop")


@pytest.mark.parametrize("what", ["media", "list_fragments"])
def test_a_pause_is_heard_although_video_cannot_be_read(table, context, services, what):
    running_session(table)
    services.failing[what] = refusal("InternalFailure")
    wishes.request_pause(table, None, "front-door", now_ms() + 60_000)
    assert check(context)["next"] == "stop-engine"


@pytest.mark.parametrize("error", [refusal("InternalFailure"), ZeroDivisionError()])
def test_a_check_that_fails_answers_with_the_requests_that_it_has_read(
    table, context, services, error
):
    """Without them the machine's sleep would be refused, and the next check come at once."""
    running_session(table)
    wishes.request_pause(table, None, "front-door", now_ms() - 1)
    services.failing["engine"] = error
    for failed in range(2):
        answer = check(context, failed_checks=failed)
        assert (answer["next"], answer["requests"]) == ("sleep", "1")
        assert (answer["sleepSeconds"], answer["failedChecks"]) == (120 * 2**failed, failed + 1)
    assert check(context, failed_checks=9)["next"] == "end"
    services.failing.clear()
    assert check(context, failed_checks=2)["failedChecks"] == 0


def test_a_check_is_tried_three_times_before_it_has_failed(table, context, services, slept):
    running_session(table)
    services.failing["engine"] = refusal("InternalFailure")
    check(context)
    assert (services.asked.count("engine"), slept) == (3, [1.0, 2.0])


def test_an_endpoint_that_hangs_holds_no_check_until_the_function_is_killed(aws, monkeypatch):
    for name in ("STACK", "BUCKET", "TOPIC_ARN", "TABLE"):
        monkeypatch.setenv(name, "any")
    context = importlib.import_module("check_session").context
    sources = context.sources
    archived = sources.archived_media("https://one")
    clients = [sources.kinesis, sources.kinesisvideo, sources.rekognition, sources.s3, archived]
    for client in [*clients, context.table.meta.client, context.publish.args[0]]:
        config = client.meta.config
        assert (config.connect_timeout, config.read_timeout) == (3, 8)
        assert config.retries["total_max_attempts"] == 2


def test_a_check_that_hangs_is_not_tried_again(table, context, services, slept, monkeypatch):
    monkeypatch.setattr(health_check, "LONGEST_TRY_S", -1)
    running_session(table)
    services.failing["engine"] = refusal("InternalFailure")
    assert check(context)["failedChecks"] == 1
    assert (services.asked.count("engine"), slept) == (1, [])


def test_the_third_failed_check_in_a_row_is_told_while_it_lasts(table, context, services, sent):
    running_session(table, tell=["problem"])
    services.failing["media"] = refusal("AccessDeniedException")
    for failed in range(4):
        check(context, failed_checks=failed)
        assert len(sent) == (failed >= 2)
    services.failing.clear()
    check(context, failed_checks=4)
    assert [one.subject for one in sent] == ["Session at front-door was not checked"]


@pytest.mark.parametrize("what", ["media", "list_fragments"])
def test_without_its_video_stream_a_session_ends_at_once(table, context, services, what):
    running_session(table)
    services.failing[what] = refusal("ResourceNotFoundException")
    answer = check(context)
    assert answer["next"] == "end"
    assert answer["ending"] == {
        "endedBy": "problem",
        "Error": "VideoStreamGoneError",
        "Cause": "there is no video stream whosthere-front-door",
    }


@pytest.mark.parametrize("error", [refusal("InternalFailure"), ZeroDivisionError()])
def test_records_that_cannot_be_read_fail_no_check(table, context, services, error):
    running_session(table)
    check(context)
    services.failing["list_shards"] = error
    assert check(context)["next"] == "sleep"
    wishes.request_stop(table, None, "front-door")
    assert check(context)["ending"]["endedBy"] == "stop"


def test_a_lost_lock_is_an_answer(table, context):
    session = running_session(table)
    locks.unlock(table, session)
    running_session(table, session_id="two")
    before = row(table)
    answer = check(context)
    assert answer["next"] == "end"
    assert answer["ending"] == {
        "endedBy": "problem",
        "Error": "LockLostError",
        "Cause": "the session does not hold its camera any more",
    }
    assert row(table) == before
    assert check_session(context, "x", "front-door", failed_checks=0, retries=0)["next"] == "end"


def test_a_lock_without_a_count_of_requests_can_be_slept_beside(table, context):
    running_session(table)
    table.update_item(Key=lock_key("front-door"), UpdateExpression="REMOVE requests")
    assert check(context)["requests"] == str(lock(table)["requests"]) == "0"


def test_checks_that_answer_the_same_at_once_are_a_second_apart(table, context, services, slept):
    running_session(table)
    check(context)
    assert slept == []
    check(context)
    assert slept == [1.0]
    wishes.request_pause(table, None, "front-door", now_ms() - 1)
    check(context)
    assert slept == [1.0]  # a request is answered at once


def test_of_two_copies_of_a_check_one_is_told_to_try_again(table, context, services, monkeypatch):
    running_session(table)
    check(context)
    asked = services.describe_stream_processor

    def meanwhile(Name):
        monkeypatch.setattr(services, "describe_stream_processor", asked)
        check(context)
        return asked(Name)

    monkeypatch.setattr(services, "describe_stream_processor", meanwhile)
    with pytest.raises(RowChangedError):
        check(context)


def test_what_could_not_be_checked_is_told_at_the_first_check_that_works(table, context, sent):
    running_session(table, tell=["problem"])
    check(context, failed_checks=4)
    assert "4 failed in a row" in sent[0].text
    check(context)
    assert len(sent) == 1


def test_retries_make_the_sleep_longer(table, context):
    running_session(table, minutes=600, healthCheckSeconds=60)
    assert check(context)["sleepSeconds"] == 60
    assert check(context, retries=3)["sleepSeconds"] == 120


def test_nothing_is_searched_without_a_processor(table, context, services):
    running_session(table, mediaWaitSeconds=3600)
    services.status = None
    services.is_live = False
    assert check(context)["next"] == "sleep"
    assert "runningAt" not in row(table)
    services.is_live = True
    assert check(context)["next"] == "start"


GONE, GONE_TWICE = ["No video from front-door"], ["No video from front-door"] * 2


@pytest.fixture
def without_video(table, context, services):
    """A session that searched, and whose camera sends nothing any more."""
    running_session(table, silenceSeconds=10)
    check(context)
    services.is_live = False


def subjects(sent):
    return [one.subject for one in sent]


def test_a_health_message_is_noted_with_the_camera_and_told_once(
    table, context, sent, without_video
):
    for _ in range(3):
        assert check(context)["next"] == "sleep"
    health = read_camera_health(table, "front-door")
    assert subjects(sent) == GONE
    assert (health.video.told, health.video.session_stops, len(health.sent)) == ("stopped", 1, 1)
    assert row(table)["check"]["video_stops"] == 1


def test_a_check_that_dies_before_it_sends_loses_no_message(table, context, sent, without_video):
    with pytest.raises(SystemExit):
        check(replace(context, publish=lambda _alert: sys.exit()))
    assert len(read_camera_health(table, "front-door").sent) == 1  # counted before it is sent
    check(context)
    check(context)
    assert subjects(sent) == GONE


def test_checks_that_die_after_they_sent_tell_again_but_never_more_than_a_camera_may_have(
    table, context, sent, without_video
):
    def send_and_die(alert):
        sent.append(alert)
        sys.exit()

    for _ in range(6):
        with suppress(SystemExit):
            check(replace(context, publish=send_and_die))
    assert subjects(sent) == GONE * 3


def test_a_health_message_that_sns_refuses_does_not_count(table, context, sent, without_video):
    def refuse(_alert):
        raise refusal("Throttled")

    for _ in range(5):
        assert check(replace(context, publish=refuse))["next"] == "sleep"
    assert read_camera_health(table, "front-door").sent == ()
    check(context)
    assert subjects(sent) == GONE


def test_a_mark_that_is_refused_fails_no_check_and_the_next_check_tells_again(
    table, context, sent, monkeypatch, without_video
):
    writes = iter([write_camera_health, refuse_write])
    with monkeypatch.context() as patch:
        patch.setattr(notes, "write_camera_health", lambda *given: next(writes)(*given))
        assert check(context)["failedChecks"] == 0
    assert subjects(sent) == GONE
    check(context)
    check(context)
    assert subjects(sent) == GONE_TWICE


def test_what_cannot_be_counted_is_not_sent_and_is_told_later(
    table, context, sent, monkeypatch, without_video
):
    with monkeypatch.context() as patch:
        patch.setattr(notes, "write_camera_health", refuse_write)
        assert check(context)["failedChecks"] == 1
        assert subjects(sent) == []
    check(context)
    assert subjects(sent) == ["Session at front-door was not checked", *GONE]


def refuse_write(*_):
    raise refusal("ProvisionedThroughputExceededException")


def test_of_two_copies_of_a_check_that_have_read_the_same_one_sends(
    table, context, sent, monkeypatch, without_video
):
    known = read_camera_health(table, "front-door")
    check(context)
    monkeypatch.setattr(health_check, "read_camera_health", lambda *_: known)
    with pytest.raises(RowChangedError):
        check(context)
    assert subjects(sent) == GONE


def test_a_stop_needs_no_health_of_the_camera(table, context, services, monkeypatch):
    running_session(table)
    wishes.request_stop(table, None, "front-door")
    assert check(context)["next"] == "end"
    assert "health" not in services.asked


@pytest.mark.parametrize("key", [lock_key("front-door"), session_key("one")])
def test_a_session_whose_rows_a_newer_version_wrote_ends_by_that_name(context, table, sent, key):
    running_session(table)
    newer = table.get_item(Key=key)["Item"] | {"schemaVersion": SCHEMA + 1}
    table.put_item(Item=newer)
    answer = check(context)
    assert (answer["next"], answer["ending"]["Error"]) == ("end", "NewerRowError")
    assert f"has schema {SCHEMA + 1}" in answer["ending"]["Cause"]
    assert table.get_item(Key=key)["Item"] == newer
    assert sent == []


def images_go_to(uri):
    images = {"Status": "ENABLED", "DestinationConfig": {"Uri": uri}}
    return {"ImageGenerationConfiguration": images}


@pytest.mark.parametrize(
    ("uri", "following"),
    [("s3://bucket/frames/whosthere-front-door", "sleep"), ("s3://somebody/else/", "start")],
)
def test_images_that_go_elsewhere_are_not_the_sessions(table, context, services, uri, following):
    running_session(table)
    key = session_key("one")
    table.put_item(Item=table.get_item(Key=key)["Item"] | {"engine": "image-search"})
    services.describe_image_generation_configuration = lambda StreamName: images_go_to(uri)
    # What switches them on was answered, but its own answer was lost.
    assert check(context)["next"] == "start"
    assert check(context)["next"] == following
