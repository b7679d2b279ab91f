"""The engine image-search end to end: tagged fragments, images in S3, alerts, nothing left on."""

import json
import time
import urllib.request
import uuid
from collections import Counter
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from demo.draw.curves import linear
from demo.draw.film import develop, looks
from demo.draw.people.figure import draw_person
from demo.draw.people.person import make_person
from demo.draw.pose import Light, Pose
from tests.support.records.data_stream import a_session
from tests.support.records.waiting_strangers import aws_s3
from tests.support.stack.camera import streaming
from tests.support.stack.demo_film import cut, first_appearance, photos_of
from tests.support.stack.deploy import deploy_beside
from tests.support.stack.deployed import subscribed
from tests.support.stack.outages import logged, refused, switched_off
from tests.support.stack.rights import unused
from whosthere.clock import iso, now_ms
from whosthere.costs.usage import PRICE_OF_CALL, usage_of_calls
from whosthere.ingest.image import FRAGMENT, PRODUCER, SERVER
from whosthere.names import images_prefix
from whosthere.people.store import read_people, read_person
from whosthere.strangers.store import read_stranger

NAME = "whosthere-with-the-other-engine"  # so long that the names of its roles are cut
POSES = (
    (Pose(x=218, y=252, width=190, yaw=1, pitch=-8, smile=0.4, roll=-2), Light(x=0.5, y=-0.5)),
    (Pose(x=226, y=250, width=170, yaw=-10, pitch=-3, roll=3), Light(x=-0.6, y=-0.5, key=0.9)),
    (Pose(x=220, y=250, width=150, yaw=9, pitch=2, roll=-3, talk=0.4), Light(x=-0.3, y=-0.6)),
)
# What a function needs only for an event that fails, and after an hour of it.
FAILING = {"sqs:ChangeMessageVisibility", "s3:PutObject"}


@pytest.fixture(scope="module")
def images(laptop, stack):
    """A second stack in the same laptop AWS, of the other engine, of the same template."""
    return deploy_beside(laptop, stack, NAME, Engine="image-search", Dashboard="on")


@pytest.fixture(scope="module")
def seen(laptop, images, tmp_path_factory, wait_until):
    """What a session leaves in which an enrolled person and a stranger come to the door."""
    s3 = laptop.client("s3")
    for photo in photos_of("Zoë"):
        s3.upload_file(str(photo), images.bucket, f"people/Zoë/{photo.name}")
    wait_until(lambda: faces(laptop, f"{NAME}-people") == len(photos_of("Zoë")), 90)
    before = requests_to_rekognition(laptop)
    folder = tmp_path_factory.mktemp("images")
    zoe, stranger = first_appearance("Zoë"), first_appearance("stranger-1")
    # Nobody for three seconds in between: who comes at once would count as Zoë turned away.
    nobody = (zoe[1], zoe[1] + 1.5), (stranger[0] - 1.5, stranger[0])
    film = cut(folder / "film.mp4", (0.6, zoe[1] - 1.5), *nobody, stranger)
    with subscribed(laptop, images) as product:
        settings = {"samplingSeconds": 0.5, "gapSeconds": 5, "tell": ["problem"]}
        settings["silenceSeconds"] = 120  # the film is over before the last alert is out
        arguments = ["--tag", "always", "--hold"]
        with streaming(laptop, folder, *arguments, film=film, stack=NAME) as edge:
            execution = product.start(**settings)
            wait_until(lambda: product.is_watching(execution), 90)
            edge.stdin.write("\n")
            edge.stdin.flush()
            edge.wait(timeout=60)
        alerts = []
        wait_until(lambda: alerts.extend(product.messages()) or len(alerts) >= 2, 180)
        product.stop()
        ended = product.ended(execution)
        alerts += product.messages()
        ended["requests"] = requests_to_rekognition(laptop) - before
        link = next(word for word in alerts[1]["message"].split() if word.startswith("http"))
        with urllib.request.urlopen(link) as answer:
            picture = answer.read()
        yield product, execution, ended, alerts, picture


@pytest.fixture(scope="module", autouse=True)
def left(seen, laptop, images):
    """What the session has left: the keys in the queue, and whose faces are kept.

    Before any test changes it, as they come in any order.
    """
    listed = laptop.client("s3").list_objects_v2(Bucket=images.bucket, Prefix="review/pending/")
    keys = [one["Key"] for one in listed["Contents"]]
    return keys, labels(laptop, f"{NAME}-people"), labels(laptop, f"{NAME}-strangers")


def put_images_of(product, visit):
    """Put two of a visit's images, as if they were made now."""
    s3, bucket = product.client("s3"), product.stack.bucket
    folder = images_prefix(product.stack.name, "front-door")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=folder)["Contents"]
    told = {one["Key"]: s3.head_object(Bucket=bucket, Key=one["Key"])["Metadata"] for one in listed}
    keys = [key for key in told if visit["first"] <= moment(told[key]) <= visit["last"]]
    for number, key in enumerate(keys[:2]):
        at = str(now_ms() + 500 * number)
        s3.copy_object(
            Bucket=bucket,
            Key=f"{folder}again_{at}_{uuid.uuid4()}.jpg",
            CopySource={"Bucket": bucket, "Key": key},
            Metadata=told[key] | {PRODUCER: at, SERVER: at},
            MetadataDirective="REPLACE",
        )


def moment(metadata):
    return iso(int(metadata[PRODUCER]))


def is_empty(product, queue):
    """Whether no message waits in a queue of the stack, or is being worked on."""
    url = product.client("sqs").get_queue_url(QueueName=f"{product.stack.name}-{queue}")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = product.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return not any(int(number) for number in found["Attributes"].values())


def requests_to_rekognition(laptop):
    """How many requests the service has answered, well or not, by what they are billed as."""
    now, found = datetime.now(UTC), Counter()
    for call, (billed, _) in PRICE_OF_CALL.items():
        for metric in ("SuccessfulRequestCount", "UserErrorCount", "ServerErrorCount"):
            points = laptop.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/Rekognition",
                MetricName=metric,
                Dimensions=[{"Name": "Operation", "Value": call.partition(":")[2]}],
                StartTime=now - timedelta(hours=2),
                EndTime=now + timedelta(minutes=1),
                Period=86_400,
                Statistics=["Sum"],
            )["Datapoints"]
            found[billed] += sum(round(one["Sum"]) for one in points)
    return found


def faces(laptop, collection):
    return len(labels(laptop, collection))


def labels(laptop, collection):
    found = laptop.client("rekognition").list_faces(CollectionId=collection)["Faces"]
    return [face["ExternalImageId"] for face in found]


def test_the_session_ends_as_asked(seen):
    _, _, ended, _, _ = seen
    assert json.loads(ended["output"])["endedBy"] == "stop"


def test_each_visit_has_one_alert(seen):
    _, _, _, alerts, _ = seen
    assert [alert["kind"] for alert in alerts] == ["person", "stranger"]
    assert alerts[0]["name"] == "Zoë"
    assert alerts[0]["similarity"] >= 90


def test_the_strangers_picture_is_behind_the_link(seen):
    _, _, _, _, picture = seen
    assert picture.startswith(b"\xff\xd8\xff")


def test_the_stranger_waits_in_the_review_queue(seen, left):
    _, _, _, alerts, _ = seen
    keys, *_ = left
    assert all(key.startswith(f"review/pending/{alerts[1]['name']}/") for key in keys)
    assert any(key.endswith(".jpg") for key in keys)


def test_strangers_are_never_in_the_peoples_collection(seen, left):
    _, _, _, alerts, _ = seen
    _, people, strangers = left
    assert len(people) == len(photos_of("Zoë"))
    assert set(strangers) == {alerts[1]["name"]}


def test_image_generation_is_off_again(seen, laptop):
    found = laptop.client("kinesisvideo").describe_image_generation_configuration(
        StreamName=f"{NAME}-front-door"
    )
    assert found["ImageGenerationConfiguration"]["Status"] == "DISABLED"


def test_the_report_counts_the_images(seen):
    product, execution, _, _, _ = seen
    report = product.report(execution)
    assert report["engine"] == "image-search"
    assert report["counts"]["records"] > 10
    assert (len(report["visits"]), len(report["strangers"])) == (1, 1)


def test_the_bill_counts_each_request_that_rekognition_has_answered(seen):
    product, execution, ended, _, _ = seen
    billed = usage_of_calls(product.report(execution)["calls"])
    on_the_wire = ended["requests"]
    assert on_the_wire["detect-faces"] > 5 and on_the_wire["search-faces"] > 2
    assert {name: billed[name] for name in on_the_wire if on_the_wire[name]} == on_the_wire


def test_this_engine_has_no_idle_shard(images, laptop):
    assert f"{NAME}-front-door" not in laptop.client("kinesis").list_streams()["StreamNames"]


def test_only_the_stack_that_asks_for_a_dashboard_has_one_and_it_is_of_what_is_there(
    images, laptop, stack
):
    cloudwatch, sqs = laptop.client("cloudwatch"), laptop.client("sqs")
    names = [one["DashboardName"] for one in cloudwatch.list_dashboards()["DashboardEntries"]]
    assert (NAME in names, stack.name in names) == (True, False)
    body = json.loads(cloudwatch.get_dashboard(DashboardName=NAME)["DashboardBody"])
    rows = [row for one in body["widgets"] for row in one["properties"]["metrics"]]
    places = {one for row in rows for one in row if isinstance(one, str) and one.startswith(NAME)}
    queues = {url.rpartition("/")[2] for url in sqs.list_queues(QueueNamePrefix=NAME)["QueueUrls"]}
    functions = laptop.client("lambda").list_functions()["Functions"]
    there = {one["FunctionName"] for one in functions} | queues | {f"{NAME}-alerts", NAME}
    assert places <= there
    assert {f"{NAME}-{queue}" for queue in ("frames", "dead-letters")} <= places


def test_no_log_of_the_laptop_aws_holds_a_name(seen, laptop):
    log = (laptop.directory / "laptop.log").read_text()
    assert "SearchFrame" in log
    assert "Zoë" not in log


@pytest.mark.parametrize(
    ("role", "rare"),
    [
        # a picture that a better one replaces: test_decisions.py
        (
            "SearchFrameFunctionRole",
            {"rekognition:DeleteFaces", "dynamodb:DeleteItem", "s3:DeleteObject"} | FAILING,
        ),
        # a photo that is replaced or removed, a stranger who is forgotten: test_people.py
        (
            "ReconcileObjectFunctionRole",
            {"rekognition:DeleteFaces", "dynamodb:DeleteItem", "dynamodb:Query", "s3:DeleteObject"}
            | FAILING,
        ),
        ("PictureRole", set()),
    ],
)
def test_this_engine_uses_every_right_of_its_roles(seen, laptop, role, rare):
    assert unused(laptop, NAME, role) <= rare


def test_the_next_visit_follows_what_was_decided_by_the_aws_cli(seen, wait_until):
    """Ignored: counted without an alert. Named: the alert of a person. Taken back: as before."""
    product, execution, _, alerts, _ = seen
    stranger, root = alerts[1]["stranger"], f"s3://{product.stack.bucket}"
    pending, ignored = (f"{root}/review/{status}/{stranger}/" for status in ("pending", "ignored"))
    photo = f"{root}/people/Yann/1.jpg"

    def row():
        return read_stranger(product.table, stranger)

    def comes_back():
        """What the owner is told of the next visit of the same face."""
        visits = row().visits
        with a_session(product.table, gapSeconds=1):
            put_images_of(product, product.report(execution)["strangers"][0])
            told = []
            wait_until(lambda: told.extend(product.messages()) or told or row().visits > visits, 60)
        return [(one["kind"], one["name"]) for one in told]

    aws_s3(product.laptop, "mv", "--recursive", pending, ignored)
    wait_until(lambda: row().status == "ignored", 30)
    assert comes_back() == []
    aws_s3(product.laptop, "mv", "--recursive", ignored, pending)
    wait_until(lambda: row().status == "pending", 30)
    best = f"{pending}{row().pictures[0].file}"
    aws_s3(product.laptop, "cp", best, photo)
    wait_until(lambda: row().status == "named", 30)
    assert faces(product.laptop, f"{NAME}-people") == len(photos_of("Zoë")) + 1
    assert comes_back() == [("person", "Yann")]
    aws_s3(product.laptop, "rm", photo)
    wait_until(lambda: row().status == "pending", 30)
    wait_until(
        lambda: faces(product.laptop, f"{NAME}-people") == len(photos_of("Zoë")),
        30,
    )
    assert stranger in labels(product.laptop, f"{NAME}-strangers")


def refuse_images(product, execution, wait_until, action, seconds=0.0):
    """What the owner was told of images that came while a service refused."""
    before = len(logged(product, "SearchFrame", "event failed"))
    with a_session(product.table, gapSeconds=1):
        with refused(product, action, "SearchFrame"):
            until = time.monotonic() + seconds
            put_images_of(product, product.report(execution)["visits"][0])
            wait_until(
                lambda: len(logged(product, "SearchFrame", "event failed")) >= before + 4, 60
            )
            wait_until(lambda: time.monotonic() > until, seconds + 10)
            assert not is_empty(product, "frames")
        wait_until(lambda: is_empty(product, "frames"), 180)
        return [one["kind"] for one in product.messages()]


def test_images_that_come_while_dynamodb_refuses_are_searched_after_it(seen, wait_until):
    """Each is tried at least twice in vain; how often does not matter, only for how long."""
    product, execution, *_ = seen
    assert refuse_images(product, execution, wait_until, "dynamodb:*") == ["person"]


@pytest.mark.long  # five minutes each
@pytest.mark.parametrize("action", ["sns:Publish", "dynamodb:*", "s3:GetObject"])
def test_five_minutes_of_refusals_lose_and_double_no_image(seen, wait_until, action):
    product, execution, *_ = seen
    assert refuse_images(product, execution, wait_until, action, 300) == ["person"]


@pytest.mark.long  # waits for the retries of two queues
def test_a_photo_put_or_removed_while_a_service_refuses_is_settled_after_it(seen, wait_until):
    product, *_ = seen
    s3, key = product.client("s3"), "people/Ravi/1.jpg"
    collection = f"{NAME}-people"
    before = faces(product.laptop, collection)
    with refused(product, "dynamodb:*", "ReconcileObject"):
        s3.upload_file(str(photos_of("Ravi")[0]), product.stack.bucket, key)
        wait_until(lambda: len(logged(product, "ReconcileObject", "event failed")) >= 2, 60)
    wait_until(lambda: faces(product.laptop, collection) == before + 1, 60)
    with refused(product, "rekognition:DeleteFaces", "ReconcileObject"):
        s3.delete_object(Bucket=product.stack.bucket, Key=key)
        wait_until(lambda: len(logged(product, "ReconcileObject", "event failed")) >= 2, 60)
    wait_until(lambda: faces(product.laptop, collection) == before, 60)
    wait_until(lambda: is_empty(product, "objects"), 60)


@pytest.mark.long  # waits until records are missed for half a minute
def test_images_that_nobody_searches_are_told_and_so_is_their_end(
    images, laptop, tmp_path, wait_until
):
    # Longer than the function's first start takes, when nothing is searched either.
    limits = {"healthCheckSeconds": 2, "recordsMissingSeconds": 30, "silenceSeconds": 60}
    inbox = []

    def told():
        inbox.extend(one["subject"] for one in product.messages() if one["kind"] == "problem")
        return inbox

    with (
        subscribed(laptop, images) as product,
        streaming(laptop, tmp_path, "--tag", "always", stack=NAME),
    ):
        execution = product.start(5, **limits)
        wait_until(lambda: (product.row(execution) or {}).get("watch", {}).get("used"), 120)
        with switched_off(product, "SearchFrame"):
            wait_until(lambda: told() == ["Faces are not searched at front-door"], 120)
            assert "none of them is searched" in product.row(execution)["watch"]["problem"]
        wait_until(lambda: told()[1:] == ["Faces are searched again at front-door"], 120)
        product.stop()
        product.ended(execution, 120)
    assert product.report(execution)["watch"]["records"] > 3


def test_who_was_taken_for_her_is_a_stranger_another_day_and_she_is_herself(seen, wait_until):
    """Faces drawn and compared by a real network: each time in another pose and light."""
    product, *_ = seen
    s3, bucket = product.client("s3"), product.stack.bucket
    her = looks()["Zoë"]
    him = half_way(her, looks()["Ravi"])
    with a_session(product.table, gapSeconds=2):
        assert told(product, wait_until, him, 0) == ["person"]  # the wrong match
        person = next(one.id for one in read_people(product.table) if one.name == "Zoë")
        s3.put_object(Bucket=bucket, Key=f"people-not/{person}/him.jpg", Body=portrait(him, 0))
        wait_until(lambda: read_person(product.table, person).look_alikes, 60)
        assert told(product, wait_until, him, 1) == ["stranger"]
        assert told(product, wait_until, her, 2) == ["person"]
        assert told(product, wait_until, him, 2) == ["stranger"]
        assert faces(product, f"{NAME}-not-persons") == 1
        s3.delete_object(Bucket=bucket, Key=f"people-not/{person}/him.jpg")
        wait_until(lambda: not read_person(product.table, person).look_alikes, 60)
        wait_until(lambda: faces(product, f"{NAME}-not-persons") == 0, 60)
    product.forget_messages()


def half_way(look, other):
    """Somebody who looks like both: every measure of the face lies between theirs."""
    measures = {
        one.name: (getattr(look, one.name) + getattr(other, one.name)) / 2
        for one in fields(look)
        if isinstance(getattr(look, one.name), float)
    }
    return replace(look, **measures)


def portrait(look, number):
    """A portrait of somebody, as JPEG."""
    pose, light = POSES[number]
    wall = np.broadcast_to(linear((196, 190, 180)), (560, 440, 3)).astype(np.float32)
    picture = develop(draw_person(wall.copy(), make_person(look), pose, light), seed=number)
    return cv2.imencode(".jpg", picture[:, :, ::-1])[1].tobytes()


def told(product, wait_until, look, number):
    """The kinds of alerts after somebody was seen for a second."""
    time.sleep(4)  # longer than the gap: another visit
    content = portrait(look, number)
    start_ms = now_ms()
    for step in range(3):
        at = str(start_ms + 500 * step)
        product.client("s3").put_object(
            Bucket=product.stack.bucket,
            Key=f"{images_prefix(product.stack.name, 'front-door')}{at}_{uuid.uuid4()}.jpg",
            Body=content,
            Metadata={PRODUCER: at, SERVER: at, FRAGMENT: "1"},
        )
    alerts = []
    wait_until(lambda: alerts.extend(product.messages()) or alerts, 90)
    wait_until(lambda: is_empty(product, "frames"), 60)
    return [one["kind"] for one in alerts + product.messages()]
