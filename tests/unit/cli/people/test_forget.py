"""`./whosthere forget`: nothing of them is left, nobody else loses anything, nothing comes back."""

import base64
import copy
import io
import itertools
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from botocore.client import BaseClient
from PIL import Image

from cli.commands import forget
from cli.errors import InputError, VerbError
from cli.forget import removal
from cli.forget.failures import concerns, texts_within, without
from cli.forget.plan import ForgetPlan
from tests.support.records.alert_harness import LEFT, START, Killed, face, match, received
from tests.support.records.drawn_faces import BLUE, GREEN, RED, Rekognition, draw
from tests.support.records.review_harness import ReviewHarness
from tests.support.records.stranger_harness import BUCKET, somebody
from whosthere import dynamodb
from whosthere.alerts.mute import mute
from whosthere.ingest.sqs import ObjectEvent
from whosthere.people.photo_keys import person_id
from whosthere.strangers.look_alikes import LookAlikes
from whosthere.visits.persons import alert_persons

FACE = (0.4, 0.2, 0.2, 0.3)
READS = ("Get", "List", "Head", "Describe", "Query", "Scan", "BatchGet")


class Collections:
    """One Rekognition with both collections, as a verb's client reaches them."""

    def __init__(self, people, strangers, look_alikes):
        self.people, self.strangers, self.calls = people, strangers, []
        self.look_alikes = look_alikes

    def get_paginator(self, operation):
        assert operation == "list_faces"
        return SimpleNamespace(paginate=lambda CollectionId: [{"Faces": self._faces(CollectionId)}])

    def _faces(self, collection):
        kept = self.people.labels if collection.endswith("people") else self.of(collection).faces
        return [{"FaceId": id, "ExternalImageId": one[0]} for id, one in kept.items()]

    def of(self, collection):
        return self.look_alikes if collection == "whosthere-not-persons" else self.strangers

    def detect_faces(self, **given):
        return self.people.detect_faces(**given)

    def search_faces_by_image(self, *, CollectionId, **given):
        return self.of(CollectionId).search_faces_by_image(**given)

    def delete_faces(self, *, CollectionId, FaceIds):
        kept = self.people if CollectionId.endswith("people") else self.of(CollectionId)
        kept.delete_faces(FaceIds=FaceIds)
        self.calls.append("DeleteFaces")


class Home(ReviewHarness):
    """A stack that knows Alice, who was a stranger first, Bob who looks like her, and a stranger.

    `after` is called after each call of the verb; time goes by only while it sleeps.
    """

    def __init__(self, target):
        super().__init__(target.table(), target.session.client("s3"), strangers="queue")
        self.not_persons = Rekognition()
        files = replace(self.files, rekognition=self.not_persons)
        self.review = replace(
            self.review,
            photos=replace(self.review.photos, salt=target.id),
            look_alikes=LookAlikes(self.table, files, target.id),
        )
        self.sqs, self.queue = boto3.client("sqs"), target.output("DeadLetterQueueUrl")
        self.alice, self.bob = (person_id(name, target.id) for name in ("Alice", "Bob"))
        self.slept, self.after = 0.0, lambda _operation: None
        self.rows, self.objects, self.faces, self.letters = [], {}, (), []

    def fill(self):
        self._people()
        self._strangers()
        self._visits()
        self._failures()
        self.table.delete_item(Key={"pk": "camera#front-door", "sk": "lock"})  # no session runs
        return self.remember()

    def _people(self):
        self.people.similar[frozenset((RED, GREEN))] = 84.0
        for key, colour in (("people/Alice/1.jpg", RED), ("people/Bob/1.jpg", GREEN)):
            self.put(key, draw((FACE, colour)) + key.encode())
            self.deliver_one(ObjectEvent(key, "", ""))
        self.people.labels["unknown-to-rows"] = (f"{self.alice}:0123456789abcdef", RED)

    def _strangers(self):
        self.sees(somebody(0), somebody(1))
        (first,) = [key for key in self.pictures if key.startswith("review/")]
        self.named = first.split("/")[2]
        for second in (90, 91):
            self.video.shows(START + 1000 * second, (LEFT, BLUE))
        self.sees(somebody(90), somebody(91))
        self.copy(first, "people/Alice/door.jpg")
        self.deliver()
        self.waiting_one = next(id for id in self.ids if id != self.named)
        for who, colour in ((self.alice, BLUE), (self.bob, RED)):  # and these were not they
            self.taken_for(who, self.waiting_one if colour == BLUE else "", colour)

    def taken_for(self, person, stranger, colour):
        key = f"people-not/{person}/1.jpg"
        content, facts = draw((FACE, colour)), {"stranger": stranger}
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content, Metadata=facts)
        self.deliver_one(ObjectEvent(key, "", ""))

    def _visits(self):
        def seen(second, *who):
            matches = [match(f"{one}:{second}", 98.5) for one in who]
            return received(second, face(*matches))

        for start in (200, 400):  # a closed visit, and the current one
            frames = [seen(start, self.alice), seen(start + 1, self.alice)]
            alert_persons(self.worker(), self.session, frames)
        both = [seen(600, self.bob, self.alice), seen(601, self.bob, self.alice)]
        alert_persons(self.worker(), self.session, both)
        for who in (self.alice, self.bob, self.waiting_one):
            mute(self.table, who, START)

    def _failures(self):
        alice, bob = (failed_record(one) for one in (self.alice, self.bob))
        self.put("failures/records/1.json", as_json({"reason": "any", "given": alice}))
        self.put("failures/records/2.json", as_json({"reason": "any", "given": bob}))
        self.put("aws/lambda/a.json", as_json({"payload": json.dumps({"Records": [alice, bob]})}))
        for number, name in enumerate(("Alice", "Bob")):
            event = json.dumps({"detail": {"object": {"key": f"people/{name}/1.jpg"}}})
            given = {"given": {"body": event, "eventSourceARN": "arn:any"}}
            self.put(f"failures/events/{number}.json", as_json(given))
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=event)

    def put(self, key, content):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def body(self, key):
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    @property
    def ids(self):
        return [item["pk"][9:] for item in self.strangers]

    def sleep(self, seconds):
        self.slept += seconds
        self.after("sleep")
        # moto's clock is the real one: who was killed had them hidden for two minutes
        self.bring_back_letters()

    def bring_back_letters(self):
        for queue in moto_queues():
            for message in queue._messages:
                message.visible_at = 0

    def remember(self):
        """Keep everything there is now, to begin with it again."""
        self.rows = self.table.scan()["Items"]
        self.objects = {key: self.body(key) for key in self.keys}
        self.faces = copy.deepcopy(
            (self.people.labels, self.rekognition.faces, self.not_persons.faces)
        )
        self.letters = [one for queue in moto_queues() for one in queue._messages]
        return self

    def restore(self):
        with self.table.batch_writer() as batch:
            for row in self.all:
                batch.delete_item(Key={"pk": row["pk"], "sk": row["sk"]})
        with self.table.batch_writer() as batch:
            for row in self.rows:
                batch.put_item(Item=row)
        for key, content in self.objects.items():
            self.put(key, content)
        kept = copy.deepcopy(self.faces)
        self.people.labels, self.rekognition.faces, self.not_persons.faces = kept
        for queue in moto_queues():
            queue._messages.clear()
        for message in self.letters:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=message.body)

    def traces(self, *words):
        """Where any of these words still stands, in whatever it is wrapped."""
        kept = {str(row["pk"]) + str(row["sk"]): json.dumps(row, default=str) for row in self.all}
        kept |= {key: [key, *texts_within(json.loads(self.body(key)))] for key in self.json_keys}
        kept |= {key: key for key in self.pictures}
        kept["faces"] = str([self.people.labels, self.rekognition.faces, self.not_persons.faces])
        kept["letters"] = str([m.body for queue in moto_queues() for m in queue._messages])
        return {
            place
            for place, text in kept.items()
            if not place.startswith("decisions/") and any(word in str(text) for word in words)
        }

    @property
    def all(self):
        return self.table.scan()["Items"]

    @property
    def json_keys(self):
        return [key for key in self.keys if key.endswith(".json")]

    def of_others(self):
        """What is kept of Bob and of the stranger who waits."""
        words = (self.bob, self.waiting_one, "people/Bob/")
        places = self.traces(*words) - {"faces", "letters"}
        own = (self.alice, self.named, "Alice")
        return {place for place in places if not any(one in place for one in own)}


def moto_queues():
    from moto.sqs.models import sqs_backends

    return [
        queue
        for account in sqs_backends.values()
        for backend in account.values()
        for queue in backend.queues.values()
        if queue.name == "whosthere-dead-letters"
    ]


def failed_record(who):
    data = base64.b64encode(as_json({"FaceSearchResponse": [face(match(f"{who}:1"))]})).decode()
    return {"kinesis": {"data": data, "sequenceNumber": "1"}, "eventSourceARN": "arn:any"}


def as_json(value):
    return json.dumps(value).encode()


@pytest.fixture
def home(target, monkeypatch):
    target.session.client("s3").create_bucket(Bucket=BUCKET)
    object.__setattr__(target, "outputs", {**target.outputs, "BucketName": BUCKET})
    found = Home(target).fill()
    collections = Collections(found.people, found.rekognition, found.not_persons)
    client = target.session.client
    monkeypatch.setattr(
        target.session,
        "client",
        lambda name, **more: collections if name == "rekognition" else client(name, **more),
    )
    clock = SimpleNamespace(monotonic=lambda: found.slept, sleep=found.sleep)
    monkeypatch.setattr(removal, "time", clock)
    monkeypatch.setattr(forget, "time", clock)
    plain = BaseClient._make_api_call

    def call(self, operation, given):
        if operation == "ReceiveMessage":
            given = {**given, "WaitTimeSeconds": 0}
        answer = plain(self, operation, given)
        after, found.after = found.after, lambda _operation: None
        try:  # whatever that calls itself is not the verb's
            after(operation)
        finally:
            found.after = after
        return answer

    def deleted(**given):
        found_before = Collections.delete_faces(collections, **given)
        found.after("DeleteFaces")
        return found_before

    collections.delete_faces = deleted
    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return found


def test_nothing_of_a_person_is_left_and_everything_of_the_others(home, verb):
    others = home.of_others()
    code, out = verb(forget, "alice", "--yes", "--json")
    answer = json.loads(out)
    assert code == 0
    assert home.traces(home.alice, home.named, "Alice") == set()
    assert home.of_others() == others
    assert {who.partition(":")[0] for who, _ in home.people.labels.values()} == {home.bob}
    assert {who for who, _ in home.rekognition.faces.values()} == {home.waiting_one}
    assert {key: answer["removed"][key] for key in answer["removed"] if key != "rows"} == {
        **{"facesOfPeople": 3, "facesOfStrangers": 1, "photos": 2, "pictures": 2, "queueItems": 1},
        # The stranger's, how it went on as Alice's once he was named, and two of hers.
        **{
            "facesOfLookAlikes": 1,
            "visits": 4,
            "failures": 3,
            "deadLetters": 1,
            "picturesOfDecisions": 1,
        },
    }
    batch = json.loads(home.body("aws/lambda/a.json"))
    assert json.loads(batch["payload"])["Records"] == [failed_record(home.bob)]
    (bobs,) = [row for row in home.all if row.get("who") == home.bob and "persons" in row]
    assert bobs["persons"] == [home.bob]
    assert home.decisions[0]["pictures"] == []
    assert {row["pk"] for row in home.all} & {"forget"} == set()


def test_the_faces_that_are_followed_are_gone_too(home, verb):
    key, table = {"pk": "camera#front-door", "sk": "tracks"}, home.table
    shown = json.dumps([{"matches": [{"Face": {"ExternalImageId": home.alice}}]}])
    row = {"tracks": [], "frames": [], "image": {"faces": shown}, "version": 1}
    table.put_item(Item={**key, **dynamodb.STAMP, **row})
    assert verb(forget, "alice", "--yes")[0] == 0
    assert "image" not in table.get_item(Key=key)["Item"]


def test_the_receipt_says_what_was_removed_and_what_expires_when(home, verb):
    _, out = verb(forget, "Alice", "--yes")
    assert out.startswith("Alice is forgotten. Removed:\n  2   photos\n")
    for part in ("VideoRetentionHours", "LogRetentionDays", "Kinesis Data Streams", "already sent"):
        assert part in out
    assert verb(forget, "Alice", "--yes") == (0, "nothing is kept of Alice; enrolled are: Bob\n")


def test_a_stranger_is_forgotten_by_the_beginning_of_the_id(home, verb):
    one = home.waiting_one
    code, out = verb(forget, one[:8], "--yes")
    assert (code, out.splitlines()[0]) == (0, f"{one} is forgotten. Removed:")
    assert home.traces(one) == set()
    assert home.ids == [home.named] and home.people.labels
    for again in (one[:8], one):
        code, out = verb(forget, again, "--yes")
        assert (code, out) == (0, f"nothing is kept of {again}; enrolled are: Alice, Bob\n")


def test_who_is_a_person_by_now_is_forgotten_under_the_name_only(home, verb):
    with pytest.raises(InputError, match="was named Alice: forget Alice"):
        verb(forget, home.named, "--yes")
    with pytest.raises(InputError, match="say whom"):
        verb(forget)


def test_it_asks_before_it_removes_on_aws(home, verb):
    with pytest.raises(InputError, match="say --yes"):
        verb(forget, "Alice")
    assert home.all == home.rows


def test_the_visits_of_somebody_whose_photos_are_gone_are_found_by_the_name(home, verb):
    for key in [key for key in home.keys if "/Alice/" in key]:
        home.remove(key)
    home.deliver()
    assert home.traces(home.alice)
    verb(forget, "Alice", "--yes")
    assert home.traces(home.alice) == set()


def test_all_versions_go_and_none_comes_up_again(home, verb):
    home.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    home.put("people/Alice/1.jpg", b"newer")
    home.put("people/Alice/2.jpg", b"gone")
    home.s3.delete_object(Bucket=BUCKET, Key="people/Alice/2.jpg")
    seen = []
    home.after = lambda _operation: seen.append("people/Alice/1.jpg" in home.keys)
    verb(forget, "Alice", "--yes")
    home.after = lambda _operation: None
    first_gone = seen.index(False)
    assert not any(seen[first_gone:])
    listed = home.s3.list_object_versions(Bucket=BUCKET)
    left = [*listed["Versions"], *listed.get("DeleteMarkers", ())]
    assert not [one["Key"] for one in left if one["Key"].startswith("people/Alice/")]
    assert not [one["Key"] for one in left if f"/{home.named}/" in one["Key"]]
    assert all(one["IsLatest"] for one in left if one["Key"].startswith(("decisions", "aws")))


def test_whatever_the_functions_do_meanwhile_nothing_comes_back(home, verb):
    """After each call that changes something they get an event of every key there was."""
    events = [ObjectEvent(key, "", "", "owner") for key in home.objects]

    def work(operation):
        if not operation.startswith(READS):
            for event in events:
                home.deliver_one(event)

    home.after = work
    assert verb(forget, "Alice", "--yes")[0] == 0
    home.after = lambda _operation: None
    for _ in range(3):
        home.pass_time(700)
        for event in events:
            home.deliver_one(event)
    assert home.traces(home.alice, home.named) == set()
    assert home.waiting_one in home.ids


def test_while_a_session_runs_it_looks_again_for_what_workers_wrote_late(home, verb):
    home.table.put_item(
        Item={"pk": "camera#front-door", "sk": "lock", "held": True, **dynamodb.STAMP}
    )
    late = []

    def work(operation):
        if operation == "sleep" and not late:
            late.append(home.slept)
            frames = [
                received(800, face(match(home.alice))),
                received(801, face(match(home.alice))),
            ]
            alert_persons(home.worker(), home.session, frames)
            assert home.traces(home.alice)

    home.after = work
    verb(forget, "Alice", "--yes")
    assert late == [removal.GRACE_SECONDS]
    assert home.traces(home.alice) == set()


def test_what_never_ends_is_said(home, verb):
    def work(operation):
        if operation == "BatchWriteItem":
            mute(home.table, home.alice, START)

    home.after = work
    with pytest.raises(VerbError, match="all the time"):
        verb(forget, "Alice", "--yes")


@pytest.mark.timeout(240)  # with --long some forty runs
def test_killed_after_any_call_that_changes_something_the_next_run_ends_it(home, verb, request):
    """After each such call with --long, else after every third."""
    is_long = request.config.getoption("--long")
    others, deaths = home.of_others(), []
    for nth in itertools.count(1, 1 if is_long else 3):
        home.restore()
        changes = []

        def die(operation, changes=changes, nth=nth):
            if not operation.startswith(READS) and operation != "sleep":
                changes.append(operation)
                if len(changes) == nth:
                    raise Killed

        home.after = die
        try:
            verb(forget, "Alice", "--yes")
        except Killed:
            deaths.append(changes[-1])
        else:
            break
        home.after = lambda _operation: None
        verb(forget, "Alice", "--yes")
        assert home.traces(home.alice, home.named, "Alice") == set(), deaths
        assert home.of_others() == others
    assert len(deaths) > 5
    if is_long:
        wanted = {"PutItem", "DeleteFaces", "BatchWriteItem", "UpdateItem", "DeleteObjects"}
        wanted |= {"PutObject", "ReceiveMessage", "DeleteMessage", "DeleteItem"}
        assert wanted <= {*deaths}


def test_what_was_begun_is_ended_by_the_next_call_whomever_it_is_about(home, verb):
    def die(operation):
        if operation == "BatchWriteItem":
            raise Killed

    home.after = die
    with pytest.raises(Killed):
        verb(forget, "Alice", "--yes")
    home.after = lambda _operation: None
    assert "people/Alice/1.jpg" in home.keys
    verb(forget, home.waiting_one, "--yes")
    assert home.traces(home.alice, home.named, "Alice", home.waiting_one) == set()


def test_whose_selfie_matches_is_no_stranger_any_more_and_stays_a_person(home, verb, tmp_path):
    others = home.traces(home.alice, home.bob)
    selfie = tmp_path / "selfie.jpg"
    selfie.write_bytes(draw((FACE, BLUE)))
    verb(forget, "--face", str(selfie), "--yes")
    assert home.traces(home.waiting_one) == set()
    selfie.write_bytes(draw((FACE, RED)))  # Alice, who was a stranger first
    verb(forget, "--face", str(selfie), "--yes")
    assert home.rekognition.faces == {} and home.ids == []
    assert {"people/Alice/1.jpg", "people/Alice/door.jpg"} <= {*home.keys}
    # Both were taken for somebody too, and that is gone with them.
    left = {one for one in others if home.named not in one and "people-not" not in one}
    assert home.traces(home.alice, home.bob) == left
    assert home.not_persons.faces == {}


def test_a_selfie_gets_one_answer_in_one_time_whether_it_matches_or_not(
    home, verb, tmp_path, monkeypatch
):
    told, times, now = [], [], forget.now_ms()
    monkeypatch.setattr(forget, "now_ms", lambda: now)  # the answer says until when, to the minute
    for colour in (GREEN, BLUE, BLUE):  # nobody, the stranger, nobody any more
        selfie = tmp_path / f"{len(told)}.jpg"
        selfie.write_bytes(draw((FACE, colour)))
        before = home.slept
        told.append(verb(forget, "--face", str(selfie), "--yes"))
        times.append(home.slept - before)
    assert home.waiting_one not in home.ids
    assert told[0] == told[1] == told[2]
    assert told[0][1].startswith(forget.ANSWER)
    assert times == [forget.STEP_SECONDS] * 3


opened = []
sys.addaudithook(lambda event, args: opened.append(args) if event == "open" and opened else None)


def test_a_selfie_turned_by_exif_is_searched_and_never_written(home, verb, tmp_path):
    image = Image.open(io.BytesIO(draw((FACE, BLUE))))
    exif = Image.Exif()
    exif[0x0112] = 6
    selfie = tmp_path / "selfie.jpg"
    image.save(selfie, exif=exif)
    sent = []
    search = home.rekognition.search_faces_by_image
    home.rekognition.search_faces_by_image = lambda **given: sent.append(given) or search(**given)
    before = set(home.keys)
    opened.append(("begin", "r", 0))
    try:
        verb(forget, "--face", str(selfie), "--yes")
    finally:
        files, opened[:] = opened[1:], []
    assert [path for path, mode, flags in files if is_writing(mode, flags)] == []
    assert any(path == str(selfie) or path == selfie for path, _, _ in files)
    assert Image.open(io.BytesIO(sent[0]["Image"]["Bytes"])).size == (480, 640)
    assert set(home.keys) < before
    assert home.waiting_one not in home.ids


def is_writing(mode, flags):
    return bool(set(mode or "") & set("wax+")) or bool(flags & 3 if isinstance(flags, int) else 0)


def test_a_photo_without_a_face_is_refused_whoever_is_known(home, verb, tmp_path):
    selfie = tmp_path / "selfie.jpg"
    selfie.write_bytes(b"no picture")
    with pytest.raises(InputError, match="not a JPEG"):
        verb(forget, "--face", str(selfie), "--yes")


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b'{"a": "s-0123456789ab"}', b""),
        (b"not JSON s-0123456789ab", b""),
        (b"not JSON", None),
        (b'{"a": "s-0123456789ab-2", "b": "s-0123456789abc", "c": "people/Bob/1.jpg"}', None),
        (b'{"given": {"body": "{\\"key\\": \\"people/Zo\\\\u00eb/1.jpg\\"}"}}', b""),
        (b'{"payload": {"Records": [{"a": "s-0123456789ab"}]}}', b""),
        (b'{"payload": {"Records": [{"a": 1}, {"a": "s-0123456789ab"}]}}',
         b'{"payload": {"Records": [{"a": 1}]}}'),
        (b'{"payload": {"x": "s-0123456789ab", "Records": [{"a": 1}]}}', b""),
        (b'{"payload": {"x": "s-0123456789ab"}}', b""),
        (b'["' + b"[" * 9 + b'"]', None),
    ],
)  # fmt: skip
def test_a_failure_loses_what_concerns_somebody_and_nothing_else(body, left):
    plan = ForgetPlan(frozenset({"s-0123456789ab"}), frozenset({"people/Zoë/"}))
    assert without(body, concerns(plan)) == left


def test_a_plan_of_nobody_concerns_nothing():
    assert not concerns(ForgetPlan())("anything")
