"""The engine image-search end to end: tagged fragments, images in S3, alerts, nothing left on."""

import json
import subprocess
import urllib.request

import pytest

from cli.stack import BINARIES, one_at_a_time
from local.laptop import ROOT, assert_loopback
from tests.local.camera import streaming
from tests.local.owner import subscribed
from tests.local.rights import unused
from tests.local.scenes import cut, first_appearance, photos_of

NAME = "whosthere-images"


@pytest.fixture(scope="module")
def images(laptop, stack, downloads, tmp_path_factory):
    """A second stack in the same laptop AWS, of the other engine, built from the same files."""
    variables = laptop.environment() | {"SAM_CLI_TELEMETRY": "0"}
    variables["PATH"] = f"{BINARIES}:{variables['PATH']}"
    assert_loopback(variables)
    command = [BINARIES / "sam", "deploy", "--config-env", "local", "--stack-name", NAME]
    command += ["--parameter-overrides", "Engine=image-search"]
    with one_at_a_time():
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = laptop.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
    return type(stack)(
        name=NAME,
        bucket=outputs["BucketName"],
        table=outputs["TableName"],
        topic_arn=outputs["AlertTopicArn"],
        machine_arn=outputs["StateMachineArn"],
    )


@pytest.fixture(scope="module")
def seen(laptop, images, tmp_path_factory, wait_until):
    """What a session leaves in which an enrolled person and a stranger come to the door."""
    s3 = laptop.client("s3")
    for photo in photos_of("Zoë"):
        s3.upload_file(str(photo), images.bucket, f"people/Zoë/{photo.name}")
    folder = tmp_path_factory.mktemp("images")
    zoe, stranger = first_appearance("Zoë"), first_appearance("stranger-1")
    # Nobody for three seconds in between: who comes at once would count as Zoë turned away.
    film = cut(folder / "film.mp4", (0, zoe[1] + 1.5), (stranger[0] - 1.5, stranger[1] + 0.5))
    with subscribed(laptop, images) as door:
        wait_until(lambda: faces(laptop, f"{NAME}-people") == len(photos_of("Zoë")), 20)
        settings = {"samplingSeconds": 0.5, "gapSeconds": 5, "tell": ["problem"]}
        settings["silenceSeconds"] = 120  # the film is over before the last alert is out
        arguments = ["--tag", "always", "--hold"]
        with streaming(laptop, folder, *arguments, film=film, stack=NAME) as edge:
            execution = door.start(**settings)
            wait_until(lambda: door.is_watching(execution), 40)
            edge.stdin.write("\n")
            edge.stdin.flush()
            edge.wait(timeout=60)
        alerts = []
        wait_until(lambda: alerts.extend(door.messages()) or len(alerts) >= 2, 30)
        door.stop()
        ended = door.ended(execution)
        alerts += door.messages()
        link = next(word for word in alerts[1]["message"].split() if word.startswith("http"))
        with urllib.request.urlopen(link) as answer:
            picture = answer.read()
        yield door, execution, ended, alerts, picture


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
        ("SearchFrameRole", set()),
        # a photo that is replaced or removed: test_people.py
        ("EnrollPhotoRole", {"rekognition:DeleteFaces", "dynamodb:DeleteItem", "dynamodb:Query"}),
        ("PictureRole", set()),
    ],
)
def test_this_engine_uses_every_right_of_its_roles(seen, laptop, role, rare):
    assert unused(laptop, NAME, role) <= rare
