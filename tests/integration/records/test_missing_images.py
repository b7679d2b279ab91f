"""No image of a camera comes, for each reason that the stored video shows; and its end."""

import threading
import time
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest

from cli.aws.cameras.camera_status import read_camera_status
from local.tests.support.kinesisvideo import kvssink_mkv
from local.tests.support.kinesisvideo.client import Producer
from local.tests.support.kinesisvideo.fixtures import film  # noqa: F401
from local.tests.support.kinesisvideo.users import users
from tests.support.stack.camera import streaming
from tests.support.stack.deploy import deploy_beside
from tests.support.stack.deployed import QUICK, subscribed
from whosthere.clock import now_ms

pytestmark = pytest.mark.long  # images could come only after a minute
NAME = "whosthere-without-images"
QUIET, DENIED, KVSSINK = "quiet", "denied", "kvssink"
SETTINGS = QUICK | {"recordsMissingSeconds": 2, "silenceSeconds": 90, "tell": ["problem"]}


@pytest.fixture(scope="module")
def product(laptop, stack):
    cameras = ",".join((QUIET, DENIED, KVSSINK))
    deployed = deploy_beside(laptop, stack, NAME, Engine="image-search", Cameras=cameras)
    with subscribed(laptop, deployed) as product:
        yield product


@contextmanager
def untagged_by_kvssink(laptop, drawn):
    """Send a fragment each second, as kvssink writes them."""
    over = threading.Event()
    track = kvssink_mkv.video(drawn.private, drawn.size)
    with Producer(laptop, f"{NAME}-{KVSSINK}") as producer:
        producer.send(kvssink_mkv.header(track))

        def send():
            while not over.wait(1):
                producer.send(drawn.fragment(round(1000 * time.time())))

        sender = threading.Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            over.set()
            sender.join()


@contextmanager
def sending(laptop, folder, camera, keys=None, tag="motion"):
    """Let the edge send a film in which nothing moves, perhaps with other keys."""
    own = laptop.environment()
    if keys:
        own = own | {"AWS_ACCESS_KEY_ID": keys[0], "AWS_SECRET_ACCESS_KEY": keys[1]}
    (folder / camera).mkdir()
    arguments = ["--camera", camera, "--tag", tag]
    other = SimpleNamespace(environment=lambda: own)
    with streaming(other, folder / camera, *arguments, stack=NAME):
        yield


def status(product, camera):
    return read_camera_status(product.table, camera, now_ms())


def test_each_reason_is_told_once_and_an_empty_door_only_by_status(
    product,
    laptop,
    tmp_path,
    film,  # noqa: F811
    wait_until,
):
    told = []

    def subjects():
        told.extend(product.messages())
        return [one["subject"] for one in told]

    with users(laptop) as user, ExitStack() as sent:
        keys = user(**{"kinesisvideo_*": "*"})
        sent.enter_context(sending(laptop, tmp_path, QUIET))
        sent.enter_context(sending(laptop, tmp_path, DENIED, keys, "always"))
        sent.enter_context(untagged_by_kvssink(laptop, film))
        sessions = {
            camera: product.execute({"camera": camera, "minutes": 5, "settings": SETTINGS})
            for camera in (QUIET, DENIED, KVSSINK)
        }
        wait_until(lambda: all(product.is_watching(one) for one in sessions.values()), 60)
        assert {status(product, camera).state for camera in sessions} == {"warming up"}
        wait_until(lambda: status(product, QUIET).watch.note, 120)
        wait_until(lambda: len(subjects()) >= 2, 60)
        assert sorted(subjects()) == [
            f"Faces are not searched at {DENIED}",
            f"Faces are not searched at {KVSSINK}",
        ]
        assert "s3:PutObject" in status(product, DENIED).watch.problem
        assert "kvssink, cannot tag" in status(product, KVSSINK).watch.problem
        assert "Nothing moved" in status(product, QUIET).watch.note
        assert {status(product, camera).state for camera in sessions} == {"warming up"}
        user.allow(keys[0], **{"kinesisvideo_*": "*", "s3_PutObject": "*"})
        wait_until(lambda: f"Faces are searched again at {DENIED}" in subjects(), 60)
        found = status(product, DENIED)
        assert (found.state, found.watch.problem) == ("searching", "")
    assert len(subjects()) == 3
