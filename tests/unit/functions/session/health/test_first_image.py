"""Why no image comes: found in the stored video, told once, and nothing is guessed."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from edge.media import mkv
from tests.support.session.check_harness import Services, check_context_of
from tests.support.session.facts import MINUTE, NOW, a_session, after, facts
from tests.support.session.stop_harness import refusal
from tests.support.stack.moto_target import running_session
from whosthere.alerts.texts import CANNOT_TAG, MAY_NOT_WRITE, NOTHING_TAGGED
from whosthere.session import check as health_check
from whosthere.session.check import check_session
from whosthere.session.decision import decide
from whosthere.session.health import first_image
from whosthere.session.health.arrivals import Arrived
from whosthere.session.health.first_image import (
    CHUNK_BYTES,
    EFFECTIVE_MS,
    SETTLED_MS,
    FragmentReader,
    is_due,
    with_cause,
)
from whosthere.session.health.records import HealthState, evaluate, health_of
from whosthere.session_store import session_key

EDGE, KVSSINK = b"M\x80\x89whosthereWA\x89whosthere", b"WA\x97Kinesis Video SDK 1.1.0"
TAGGED = b"E\xa3\xa1AWS_KINESISVIDEO_IMAGE_GENERATION"
END = b"AWS_KINESISVIDEO_END_OF_FRAGMENT"
SESSION = a_session("image-search")
PICTURE = bytes(range(256)) * 40


class Video(Services):
    """A camera's stored fragments, by number: when each began, and its bytes."""

    def __init__(self, **stored):
        super().__init__()
        self.stored, self.read, self.endpoints = stored, [], []

    def get_data_endpoint(self, *, APIName, **given):
        self.endpoints.append(APIName)
        return super().get_data_endpoint(**given)

    def get_paginator(self, operation):
        video = self

        class Pages:
            def paginate(self, *, FragmentSelector, **_):
                video.span = FragmentSelector["TimestampRange"]
                return [{"Fragments": video._described()}]

        self._note(operation)
        return Pages() if operation == "list_fragments" else super().get_paginator(operation)

    def _described(self):
        now = datetime.now(UTC)
        return [
            {
                "FragmentNumber": number,
                "FragmentSizeInBytes": len(content),
                "FragmentLengthInMilliseconds": 1000,
                "ServerTimestamp": now - timedelta(seconds=age_s),
            }
            for number, (age_s, content) in self.stored.items()
        ]

    def get_media_for_fragment_list(self, *, StreamName, Fragments):
        assert StreamName == "whosthere-front-door"
        if "get_media" in self.failing:
            raise self.failing["get_media"]
        self.read.append(Fragments)
        return {"Payload": io.BytesIO(b"".join(self.stored[one][1] for one in Fragments))}


def reader(video):
    return FragmentReader(video, lambda _url: video, "whosthere-front-door")


def waiting(minutes=5, **given):
    return HealthState(imageless=NOW - minutes * MINUTE, **given)


def caused(video, health=None):
    return with_cause(health or waiting(), reader(video), "front-door", NOW)


def test_a_tagged_fragment_without_an_image_is_a_missing_right():
    video = Video(a=(60, EDGE + PICTURE), b=(50, EDGE + TAGGED + PICTURE))
    assert caused(video).problem == MAY_NOT_WRITE.format(camera="front-door")
    assert video.endpoints == ["LIST_FRAGMENTS", "GET_MEDIA_FOR_FRAGMENT_LIST"]


def test_what_another_program_sends_without_a_tag_cannot_be_tagged():
    found = caused(Video(a=(60, KVSSINK + PICTURE)))
    assert found.problem == CANNOT_TAG.format(camera="front-door")
    assert "kvssink" in found.problem and "whosthere-edge" in found.problem


def test_what_the_edge_sends_without_a_tag_is_an_empty_door_and_no_problem():
    found = caused(Video(a=(60, EDGE + END + PICTURE)))
    assert (found.problem, found.note) == ("", NOTHING_TAGGED.format(camera="front-door"))


def test_a_missing_right_stays_known_while_nothing_moves():
    known = waiting(problem=MAY_NOT_WRITE.format(camera="front-door"))
    assert caused(Video(a=(60, EDGE + PICTURE)), known).problem == known.problem
    other = waiting(problem=CANNOT_TAG.format(camera="front-door"))
    assert caused(Video(a=(60, EDGE + PICTURE)), other).problem == ""


@pytest.mark.parametrize("cut", [1, 15, len(TAGGED) - 1])
def test_a_tag_is_found_across_two_chunks(cut):
    content = EDGE.ljust(CHUNK_BYTES - cut, b"x") + TAGGED
    assert "tagged" in caused(Video(a=(60, content))).problem


def test_only_the_newest_fragments_of_some_megabytes_are_read():
    large = PICTURE * 2000  # 20 MB
    video = Video(old=(90, TAGGED), large=(80, large), new=(70, EDGE))
    assert caused(video).note
    assert video.read == [["new"]]
    caused(video := Video(only=(70, large + TAGGED)))
    assert video.read == [["only"]]


def test_only_video_counts_of_which_an_image_must_have_come():
    video = Video(a=(60, EDGE))
    health = caused(video)
    span = [round(moment.timestamp() * 1000) for moment in video.span.values()]
    assert span == [health.imageless + EFFECTIVE_MS, NOW - SETTLED_MS]


def test_without_a_fragment_nothing_is_known():
    found = caused(Video())
    assert (found.problem, found.note) == ("", "")


def test_the_next_look_comes_after_twice_the_time():
    health, looks = HealthState(), []
    for minute in range(12 * 60):
        now_ms = NOW + minute * MINUTE
        health = evaluate(health, Arrived(), 0, session=SESSION, searching=True, now_ms=now_ms)
        if is_due(health, SESSION, now_ms):
            looks.append(minute)
            health = with_cause(health, reader(Video(a=(60, EDGE))), "front-door", now_ms)
    assert looks == [3, 6, 12, 24, 48, 96, 192, 384]


def test_the_first_image_ends_the_wait_and_a_pause_begins_it_again():
    health = waiting(problem="No image.", note="")
    given = {"session": SESSION, "now_ms": NOW}
    came = evaluate(health, Arrived(records=1, faces=1), 1, searching=True, **given)
    assert (came.imageless, came.problem, came.note) == (0, "", "")
    later = evaluate(came, Arrived(), 1, searching=True, **given)
    assert not later.imageless
    paused = evaluate(health, Arrived(), 0, searching=False, **given)
    assert (paused.imageless, paused.problem) == (0, "No image.")
    assert evaluate(paused, Arrived(), 0, searching=True, **given).imageless == NOW


def test_the_owner_is_told_once_and_the_next_session_tells_nothing_new():
    problem = MAY_NOT_WRITE.format(camera="front-door")
    found, told = facts(engine="image-search"), []
    for minute in range(60):
        known = "" if minute < 3 else problem
        # After half an hour another session begins, which has seen nothing yet.
        known = "" if 30 <= minute < 33 else known
        found = after(found, decision := decide(found))
        told += [one.alert for one in decision.notices]
        now_ms = NOW + (minute + 1) * MINUTE
        assert now_ms < found.session.deadline_ms + MINUTE
        found = replace(found, now_ms=now_ms, records_problem=known, awaits_image=True)
    (alert,) = told
    assert alert.subject == "Faces are not searched at front-door"
    assert "s3:PutObject" in alert.text and "a new session" not in alert.text


@pytest.fixture
def checked(table, monkeypatch):
    """Check a session of image-search so many seconds later; give its row and what was sent."""
    monkeypatch.setattr(health_check.time, "sleep", lambda _seconds: None)
    running_session(table, tell=["problem"])
    key = session_key("one")
    table.put_item(Item=table.get_item(Key=key)["Item"] | {"engine": "image-search"})
    sent, clock = [], {"ms": health_check.now_ms()}
    monkeypatch.setattr(health_check, "now_ms", lambda: clock["ms"])
    images = {"Status": "ENABLED"}
    images["DestinationConfig"] = {"Uri": "s3://bucket/frames/whosthere-front-door"}

    def check(video, seconds):
        clock["ms"] += 1000 * seconds
        described = {"ImageGenerationConfiguration": images}
        video.describe_image_generation_configuration = lambda StreamName: described
        video.list_objects_v2 = lambda **_: {"IsTruncated": False}
        context = check_context_of(table, video, sent.append)
        answer = check_session(context, "one", "front-door", failed_checks=0, retries=0)
        return answer, health_of(table.get_item(Key=key)["Item"]), [one.subject for one in sent]

    return check


def live(content):
    return Video(a=(-3600, content))  # however late it is checked, it has just come


def test_a_check_looks_at_the_video_when_images_could_come_for_two_minutes(checked):
    video = live(EDGE + TAGGED)
    for seconds in (0, 1, 100, 79):
        _, health, sent = checked(video, seconds)
        assert (health.problem, video.read, sent) == ("", [], [])
    _, health, sent = checked(video, 5)
    assert (health.problem, len(video.read)) == (MAY_NOT_WRITE.format(camera="front-door"), 1)
    assert sent == ["Faces are not searched at front-door"]
    assert checked(video, 60)[2] == sent


@pytest.mark.parametrize("error", [refusal("AccessDeniedException"), ConnectionError()])
def test_a_look_that_fails_fails_no_check_and_is_tried_again(checked, error):
    video = live(KVSSINK)
    for seconds in (0, 1, 1):
        checked(video, seconds)
    video.failing["get_media"] = error
    answer, health, _ = checked(video, 240)
    assert (answer["next"], answer["failedChecks"], health.problem) == ("sleep", 0, "")
    video.failing.clear()
    assert "kvssink" in checked(video, 60)[1].problem


def test_the_tag_and_the_program_are_those_that_the_edge_writes():
    assert first_image.TAG in mkv.image_generation({})
    assert mkv.APPLICATION.encode() == first_image.EDGE
