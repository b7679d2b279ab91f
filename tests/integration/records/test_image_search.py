"""The engine image-search end to end: tagged fragments, images in S3, alerts, nothing left on."""

import json
import time
import urllib.request
import uuid

import pytest

from tests.support.camera import streaming
from tests.support.outages import logged, refused, switched_off
from tests.support.owner import subscribed
from tests.support.records import a_session
from tests.support.rights import unused
from tests.support.scenes import cut, first_appearance, photos_of
from tests.support.stacks import deploy_beside
from whosthere.clock import iso, now_ms
from whosthere.ingest.image import PRODUCER, SERVER

NAME = "whosthere-with-the-other-engine"  # so long that the names of its roles are cut
# What a function needs only for an event that fails, and after an hour of it.
FAILING = {"sqs:ChangeMessageVisibility", "s3:PutObject"}


@pytest.fixture(scope="module")
def images(laptop, stack):
    """A second stack in the same laptop AWS, of the other engine, of the same template."""
    return deploy_beside(laptop, stack, NAME, Engine="image-search")


@pytest.fixture(scope="module")
def seen(laptop, images, tmp_path_factory, wait_until):
    """What a session leaves in which an enrolled person and a stranger come to the door."""
    s3 = laptop.client("s3")
    for photo in photos_of("Zoë"):
        s3.upload_file(str(photo), images.bucket, f"people/Zoë/{photo.name}")
    folder = tmp_path_factory.mktemp("images")
    zoe, stranger = first_appearance("Zoë"), first_appearance("stranger-1")
    # Nobody for three seconds in between: who comes at once would count as Zoë turned away.
    nobody = (zoe[1], zoe[1] + 1.5), (stranger[0] - 1.5, stranger[0])
    film = cut(folder / "film.mp4", (0.6, zoe[1] - 1.5), *nobody, stranger)
    with subscribed(laptop, images) as door:
        settings = {"samplingSeconds": 0.5, "gapSeconds": 5, "tell": ["problem"]}
        settings["silenceSeconds"] = 120  # the film is over before the last alert is out
        arguments = ["--tag", "always", "--hold"]
        with streaming(laptop, folder, *arguments, film=film, stack=NAME) as edge:
            execution = door.start(**settings)
            wait_until(lambda: door.is_watching(execution), 90)
            wait_until(lambda: faces(laptop, f"{NAME}-people") == len(photos_of("Zoë")), 90)
            edge.stdin.write("\n")
            edge.stdin.flush()
            edge.wait(timeout=60)
        alerts = []
        wait_until(lambda: alerts.extend(door.messages()) or len(alerts) >= 2, 180)
        door.stop()
        ended = door.ended(execution)
        alerts += door.messages()
        link = next(word for word in alerts[1]["message"].split() if word.startswith("http"))
        with urllib.request.urlopen(link) as answer:
            picture = answer.read()
        yield door, execution, ended, alerts, picture


def put_images_of_zoe(door, report):
    """Two of the session's images of her, as if they were made now."""
    s3, bucket = door.client("s3"), door.stack.bucket
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="frames/front-door/")["Contents"]
    told = {one["Key"]: s3.head_object(Bucket=bucket, Key=one["Key"])["Metadata"] for one in listed}
    visit = report["visits"][0]
    keys = [key for key in told if visit["first"] <= moment(told[key]) <= visit["last"]]
    for number, key in enumerate(keys[:2]):
        at = str(now_ms() + 500 * number)
        s3.copy_object(
            Bucket=bucket,
            Key=f"frames/front-door/again_{at}_{uuid.uuid4()}.jpg",
            CopySource={"Bucket": bucket, "Key": key},
            Metadata=told[key] | {PRODUCER: at, SERVER: at},
            MetadataDirective="REPLACE",
        )


def moment(metadata):
    return iso(int(metadata[PRODUCER]))


def is_empty(door, queue):
    """Whether no message waits in a queue of the stack, or is being worked on."""
    url = door.client("sqs").get_queue_url(QueueName=f"{door.stack.name}-{queue}")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = door.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return not any(int(number) for number in found["Attributes"].values())


def faces(laptop, collection):
    found = laptop.client("rekognition").list_faces(CollectionId=collection)["Faces"]
    return len(found)


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


def test_the_stranger_waits_in_the_review_queue(seen, laptop, images):
    _, _, _, alerts, _ = seen
    listed = laptop.client("s3").list_objects_v2(Bucket=images.bucket, Prefix="review/pending/")
    keys = [one["Key"] for one in listed["Contents"]]
    assert all(key.startswith(f"review/pending/{alerts[1]['name']}/") for key in keys)
    assert any(key.endswith(".jpg") for key in keys)


def test_strangers_are_never_in_the_peoples_collection(seen, laptop):
    assert faces(laptop, f"{NAME}-people") == len(photos_of("Zoë"))
    assert faces(laptop, f"{NAME}-strangers") == 1


def test_image_generation_is_off_again(seen, laptop):
    found = laptop.client("kinesisvideo").describe_image_generation_configuration(
        StreamName=f"{NAME}-front-door"
    )
    assert found["ImageGenerationConfiguration"]["Status"] == "DISABLED"


def test_the_report_counts_the_images(seen):
    door, execution, _, _, _ = seen
    report = door.report(execution)
    assert report["engine"] == "image-search"
    assert report["counts"]["records"] > 10
    assert (len(report["visits"]), len(report["strangers"])) == (1, 1)


def test_this_engine_has_no_idle_shard(images, laptop):
    assert f"{NAME}-front-door" not in laptop.client("kinesis").list_streams()["StreamNames"]


def test_no_log_of_the_laptop_aws_holds_a_name(seen, laptop):
    log = (laptop.directory / "laptop.log").read_text()
    assert "SearchFrame" in log
    assert "Zoë" not in log


@pytest.mark.parametrize(
    ("role", "rare"),
    [
        ("SearchFrameFunctionRole", FAILING),
        # a photo that is replaced or removed: test_people.py
        (
            "EnrollPhotoFunctionRole",
            {"rekognition:DeleteFaces", "dynamodb:DeleteItem", "dynamodb:Query"} | FAILING,
        ),
        ("PictureRole", set()),
    ],
)
def test_this_engine_uses_every_right_of_its_roles(seen, laptop, role, rare):
    assert unused(laptop, NAME, role) <= rare


def refuse_images(door, execution, wait_until, action, seconds=0.0):
    """What the owner was told of images that came while a service refused."""
    before = len(logged(door, "SearchFrame", "event failed"))
    with a_session(door.table, gapSeconds=1):
        with refused(door, action, "SearchFrame"):
            until = time.monotonic() + seconds
            put_images_of_zoe(door, door.report(execution))
            wait_until(lambda: len(logged(door, "SearchFrame", "event failed")) >= before + 4, 60)
            wait_until(lambda: time.monotonic() > until, seconds + 10)
            assert not is_empty(door, "frames")
        wait_until(lambda: is_empty(door, "frames"), 180)
        return [one["kind"] for one in door.messages()]


def test_images_that_come_while_dynamodb_refuses_are_searched_after_it(seen, wait_until):
    """Each is tried at least twice in vain; how often does not matter, only for how long."""
    door, execution, *_ = seen
    assert refuse_images(door, execution, wait_until, "dynamodb:*") == ["person"]


@pytest.mark.long
@pytest.mark.parametrize("action", ["sns:Publish", "dynamodb:*", "s3:GetObject"])
def test_five_minutes_of_refusals_lose_and_double_no_image(seen, wait_until, action):
    door, execution, *_ = seen
    assert refuse_images(door, execution, wait_until, action, 300) == ["person"]


@pytest.mark.long
def test_a_photo_put_or_removed_while_a_service_refuses_is_settled_after_it(seen, wait_until):
    door, *_ = seen
    s3, key = door.client("s3"), "people/Ravi/1.jpg"
    collection = f"{NAME}-people"
    before = faces(door.laptop, collection)
    with refused(door, "dynamodb:*", "EnrollPhoto"):
        s3.upload_file(str(photos_of("Ravi")[0]), door.stack.bucket, key)
        wait_until(lambda: len(logged(door, "EnrollPhoto", "event failed")) >= 2, 60)
    wait_until(lambda: faces(door.laptop, collection) == before + 1, 60)
    with refused(door, "rekognition:DeleteFaces", "ForgetPhoto"):
        s3.delete_object(Bucket=door.stack.bucket, Key=key)
        wait_until(lambda: len(logged(door, "ForgetPhoto", "event failed")) >= 2, 60)
    wait_until(lambda: faces(door.laptop, collection) == before, 60)
    wait_until(lambda: is_empty(door, "photos") and is_empty(door, "deletions"), 60)


@pytest.mark.long
def test_images_that_nobody_searches_are_told_and_so_is_their_end(
    images, laptop, tmp_path, wait_until
):
    # Longer than the function's first start takes, when nothing is searched either.
    limits = {"healthCheckSeconds": 2, "recordsMissingSeconds": 30, "silenceSeconds": 60}
    inbox = []

    def told():
        inbox.extend(one["subject"] for one in door.messages() if one["kind"] == "problem")
        return inbox

    with (
        subscribed(laptop, images) as door,
        streaming(laptop, tmp_path, "--tag", "always", stack=NAME),
    ):
        execution = door.start(5, **limits)
        wait_until(lambda: (door.row(execution) or {}).get("watch", {}).get("used"), 120)
        with switched_off(door, "SearchFrame"):
            wait_until(lambda: told() == ["Faces are not searched at front-door"], 120)
            assert "none of them is searched" in door.row(execution)["watch"]["problem"]
        wait_until(lambda: told()[1:] == ["Faces are searched again at front-door"], 120)
        door.stop()
        door.ended(execution, 120)
    assert door.report(execution)["watch"]["records"] > 3
