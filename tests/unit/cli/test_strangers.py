"""The verb about strangers: what it moves in S3, and what the functions make of that."""

import json
from dataclasses import replace

import pytest

from cli.commands import strangers
from cli.errors import InputError
from cli.review import acts
from tests.support.records.alert_harness import LEFT, START
from tests.support.records.drawn_faces import BLUE
from tests.support.records.review_harness import ReviewHarness
from tests.support.records.stranger_harness import BUCKET, somebody
from whosthere.ingest.sqs import ObjectEvent
from whosthere.people.differences import find_differences
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
    assert stack.decisions[0]["via"] == "s3" or stack.decisions[0]["via"] == "command"
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
        (["FIRST", "--merge"], "two strangers"),
        (["FIRST", "--split", "none.jpg"], "no picture none.jpg"),
        (["FIRST"], "say what to do"),
    ],
)
def test_what_cannot_be_done_is_said(stack, verb, given, why):
    with pytest.raises(InputError, match=why):
        verb(strangers, *(stack.ids[0] if one == "FIRST" else one for one in given))


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
