"""The verb about strangers: what it moves in S3, and what the functions make of that."""

import json
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from cli.commands import strangers
from cli.errors import InputError
from cli.review import acts
from tests.support.records.alert_harness import LEFT, RIGHT, START, face, received
from tests.support.records.drawn_faces import BLUE, GREEN, RED
from tests.support.records.review_harness import ReviewHarness
from tests.support.records.stranger_harness import BUCKET, somebody
from whosthere.ingest.sqs import ObjectEvent
from whosthere.people.differences import find_differences
from whosthere.strangers import store
from whosthere.strangers.differences import find_moved


@pytest.fixture
def stack(target, monkeypatch):
    """A stack with two strangers in its queue, whose functions run while a verb waits."""
    target.session.client("s3").create_bucket(Bucket=BUCKET)
    object.__setattr__(target, "outputs", {**target.outputs, "BucketName": BUCKET})
    harness = Stack(target)
    monkeypatch.setattr(acts, "time", harness)
    harness.sees(somebody(0), somebody(1))
    for second in (90, 91):
        harness.video.shows(START + 1000 * second, (LEFT, BLUE))
    harness.sees(somebody(90), somebody(91))
    return harness


class Stack(ReviewHarness):
    """Time goes by only while somebody waits; no event is needed."""

    def __init__(self, target):
        super().__init__(target.table(), target.session.client("s3"))
        self.review = replace(self.review, photos=replace(self.review.photos, salt=target.id))
        self.now = 0.0

    def monotonic(self):
        return self.now

    def time_ns(self):
        return 1

    def sleep(self, seconds):
        self.now += seconds
        people = self.review.photos.people
        for key in [*find_differences(people), *find_moved(people)]:
            self.deliver_one(ObjectEvent(key, "", ""))

    @property
    def ids(self):
        return [item["pk"][9:] for item in self.strangers]

    @property
    def statuses(self):
        self.sleep(1)
        return [item["status"] for item in self.strangers]


def test_who_waits_is_listed_with_where_the_pictures_lie(stack, verb):
    code, out = verb(strangers, "--json")
    found = json.loads(out)["strangers"]
    assert code == 0
    assert [one["stranger"] for one in found] == stack.ids[::-1]
    assert found[0]["folder"] == f"s3://{BUCKET}/review/pending/{stack.ids[1]}/"
    assert (found[0]["visits"], found[0]["cameras"]) == (1, ["front-door"])
    _, text = verb(strangers)
    assert text.splitlines()[0].split()[0] == stack.ids[1]
    assert "1 visit" in text


def test_who_keeps_coming_is_listed_as_such(stack, verb):
    for second in (200, 300):
        stack.sees(somebody(second), somebody(second + 1))
    found = json.loads(verb(strangers, "--json")[1])["strangers"]
    assert {one["stranger"]: one["recurring"] for one in found} == dict(
        zip(stack.ids, (True, False), strict=True)
    )
    lines = verb(strangers)[1].splitlines()
    assert ["keeps coming" in line for line in lines] == [True, False]


def test_a_stranger_is_named_with_what_became_of_the_pictures_and_put_back(stack, verb):
    first, _ = stack.ids
    code, out = verb(strangers, first, "--name", "Zoë")
    assert (code, out) == (0, "Zoë: 1 of 1 pictures were good enough\n")
    assert stack.statuses == ["named", "pending"]
    assert "Zoë" in verb(strangers, "--all")[1]
    assert stack.decisions[0]["via"] == "command"
    verb(strangers, first, "--back")
    assert stack.statuses == ["pending", "pending"]
    assert stack.people.faces == {}


def test_strangers_are_ignored_discarded_merged_and_split(stack, verb):
    first, second = stack.ids
    verb(strangers, first, second, "--ignore")
    assert stack.statuses == ["ignored", "ignored"]
    verb(strangers, second, "--discard", "--yes")
    assert stack.statuses == ["ignored", "discarded"]
    verb(strangers, first, second, "--back")
    assert stack.statuses == ["pending", "pending"]
    verb(strangers, first, second, "--merge")
    stack.sleep(1)
    stack.pass_time(61)
    assert sorted(stack.statuses) == ["merged", "pending"]
    picture = [key for key in stack.pictures if first in key][1].rpartition("/")[2]
    _, out = verb(strangers, first, "--split", picture)
    assert out.endswith(f"is another stranger than {first} from now on\n")
    assert stack.row(out.split()[0]) is None  # until the functions look


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["s-none", "--ignore"], "no stranger s-none"),
        (["--ignore"], "which stranger"),
        (["FIRST", "--name", " "], "name"),
        (["FIRST", "--name", "Zoë/Anna"], "slash"),
        (["FIRST", "--merge"], "two strangers"),
        (["FIRST", "--split", "none.jpg"], "no picture none.jpg"),
        (["FIRST"], "say what to do"),
    ],
)
def test_what_cannot_be_done_is_said(stack, verb, given, why):
    with pytest.raises(InputError, match=why):
        verb(strangers, *(stack.ids[0] if one == "FIRST" else one for one in given))


def test_two_strangers_of_one_frame_lose_no_picture_when_merged_and_parted(stack, target):
    both = [face(), face(box=RIGHT)]
    for second in (200, 201):
        stack.video.shows(START + 1000 * second, (LEFT, RED), (RIGHT, GREEN))
    stack.sees(*(received(second, *both) for second in (200, 201)))
    pair = [stack.ids[0], stack.ids[2]]
    before = [key for key in stack.pictures if any(one in key for one in pair)]
    assert len({key.rpartition("/")[2] for key in before}) < len(before)
    page = acts.Acts(target)
    act = page.merge(pair)
    stack.sleep(1)
    assert len([key for key in stack.pictures if pair[0] in key]) == len(before)
    page.undo(act.id)
    stack.sleep(1)
    stack.pass_time(61)
    assert [key for key in stack.pictures if any(one in key for one in pair)] == before
    assert stack.statuses == ["pending"] * 3


def test_an_act_of_the_page_is_undone_once(stack, target):
    page = acts.Acts(target)
    act = page.merge(stack.ids)
    stack.sleep(1)
    page.undo(act.id)
    stack.sleep(1)
    stack.pass_time(61)
    assert stack.statuses == ["pending", "pending"]
    with pytest.raises(InputError, match="undone already"):
        page.undo(act.id)


@pytest.mark.parametrize(
    "decision", [["--ignore"], ["--discard", "--yes"], ["--name", "Alice"], ["--split", "one.jpg"]]
)
def test_a_name_is_taken_back_before_anything_else_is_decided(stack, verb, decision):
    first, second = stack.ids
    verb(strangers, first, "--name", "Zoë")
    before = stack.keys
    for given in ([first, *decision], [second, first, "--merge"]):
        with pytest.raises(InputError, match=f"take it back: `./whosthere strangers {first}"):
            verb(strangers, *given)
    assert stack.keys == before and stack.statuses == ["named", "pending"]


def test_what_is_moved_by_s3_later_is_not_said_to_be_decided_by_the_command(stack, verb):
    first, _ = stack.ids
    verb(strangers, first, "--ignore")
    assert stack.statuses == ["ignored", "pending"]
    stack.decide("pending", first)  # its copies keep the metadata
    assert stack.statuses == ["pending", "pending"]
    assert [line["via"] for line in stack.decisions] == ["command", "s3"]


def test_an_act_goes_by_what_s3_holds_before_the_row_says_it(stack, verb):
    first, _ = stack.ids
    (key,) = [key for key in stack.pictures if first in key]
    stack.copy(key, "people/Zoë/1.jpg")
    with pytest.raises(InputError, match="has a name"):
        verb(strangers, first, "--ignore")
    verb(strangers, first, "--back")
    assert "people/Zoë/1.jpg" not in stack.keys
    stack.copy(key, "people/Zoë/1.jpg")
    assert stack.statuses == ["named", "pending"]
    verb(strangers, first, "--back")
    verb(strangers, first, "--ignore")  # the row still has the name
    assert stack.statuses == ["ignored", "pending"]


@pytest.mark.parametrize("act", [["--merge"], ["--name", "Zoë"]])
def test_a_stranger_without_a_picture_is_not_lost_by_a_merge_or_a_name(stack, verb, target, act):
    first, second = stack.ids
    known = store.read_stranger(target.table(), second)
    store.save_stranger(target.table(), known, replace(known, pictures=()))
    for key in [key for key in stack.pictures if second in key]:
        stack.s3.delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(InputError, match=f"no picture of {second}"):
        verb(strangers, first, second, *act)
    stack.pass_time(61)
    assert stack.statuses == ["pending", "pending"]


def test_what_is_gone_for_good_is_not_called_undone(stack, target):
    page = acts.Acts(target)
    discarded = page.discard(stack.ids[:1])
    gone, _ = stack.ids
    stack.sleep(1)
    stack.pass_time(acts.UNDO_MINUTES * 60 + 1)
    with pytest.raises(InputError, match=f"too late: {gone} gone for good"):
        page.undo(discarded.id)


def test_an_undo_that_aws_refused_can_be_tried_again(stack, target, monkeypatch):
    page = acts.Acts(target)
    ignored = page.ignore(stack.ids)
    copy, answers = page._copy, [True, EndpointConnectionError(endpoint_url="https://s3")]

    def copies_once(key, to):
        if answers and isinstance(answer := answers.pop(0), Exception):
            raise answer
        return copy(key, to)

    monkeypatch.setattr(page, "_copy", copies_once)
    with pytest.raises(EndpointConnectionError):
        page.undo(ignored.id)
    assert page.undo(ignored.id).text == "undone"
    assert stack.statuses == ["pending", "pending"]
    assert not [key for key in stack.keys if "ignored" in key]
