"""What a session stands on is deleted under it: it ends, nothing is left, the owner knows why."""

import json
import time
from contextlib import contextmanager

import pytest

from tests.support.session.safeguards import Told, is_told, role_of, watched
from tests.support.stack.camera import streaming
from tests.support.stack.deploy import deploy, deploy_beside
from tests.support.stack.deployed import subscribed
from tests.support.stack.functions import invoke

pytestmark = pytest.mark.long  # builds and deploys a stack of its own
# A health check of 2 s and 10 s more, and as much for a machine that has other things to do.
LIMIT_SECONDS = 24


@pytest.fixture(scope="module")
def bare(laptop, stack, tmp_path_factory):
    """A stack of its own, from which things are taken, and a camera that sends."""
    deployed = deploy(laptop, f"{stack.name}-bare", Cameras="front-door")
    folder = tmp_path_factory.mktemp("bare")
    with streaming(laptop, folder, stack=deployed.name), subscribed(laptop, deployed) as product:
        yield product


@contextmanager
def without_collection(product):
    name = f"{product.stack.name}-people"
    product.client("rekognition").delete_collection(CollectionId=name)
    try:
        yield
    finally:
        product.client("rekognition").create_collection(CollectionId=name)


@contextmanager
def without_data_stream(product):
    kinesis, name = product.client("kinesis"), f"{product.stack.name}-front-door"
    kinesis.delete_stream(StreamName=name)
    try:
        yield
    finally:
        kinesis.create_stream(StreamName=name, ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName=name)


def without_role(logical):
    """Cuts out one of the stack's roles, with its policies."""

    @contextmanager
    def without(product):
        iam, name = product.client("iam"), role_of(product, logical)
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        policies = {
            policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        }
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        for policy in policies:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for policy in attached:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=name)
        try:
            yield
        finally:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
            for policy, document in policies.items():
                put = {"RoleName": name, "PolicyName": policy}
                iam.put_role_policy(**put, PolicyDocument=json.dumps(document))
            for policy in attached:
                iam.attach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])

    return without


TAKEN = {
    "the collection": (without_collection, "problem", "Collection not found"),
    "the processor's role": (without_role("ProcessorRole"), "problem", "Access denied to Role"),
    "the machine's role": (without_role("SessionStateMachineRole"), "failed", ""),
    # Last: it comes back empty.
    "the data stream": (without_data_stream, "problem", "whosthere-bare-front-door under account"),
}


@pytest.mark.parametrize("what", TAKEN)
def test_a_session_ends_when_it_is_taken_away(bare, wait_until, what):
    without, ended_by, why = TAKEN[what]
    execution = watched(bare, wait_until, silenceSeconds=60)
    told = Told(bare, execution)
    with without(bare):
        taken = time.monotonic()
        wait_until(bare.nothing_is_left, 60)
        seconds = time.monotonic() - taken
        wait_until(lambda: bare.has_report(execution))
        assert bare.ended(execution)["status"] == "FAILED"
        (text,) = wait_until(told.texts)
        assert why in text
        assert bare.report(execution)["endedBy"] == ended_by
    assert seconds < LIMIT_SECONDS


@pytest.fixture(scope="module")
def of_images(laptop, stack, tmp_path_factory):
    """A stack of the other engine."""
    deployed = deploy_beside(laptop, stack, f"{stack.name}-taken", Engine="image-search")
    folder = tmp_path_factory.mktemp("of-images")
    with streaming(laptop, folder, stack=deployed.name), subscribed(laptop, deployed) as product:
        yield product


def images_of(product):
    """The image generation of the stack's camera, as it is configured."""
    asked = {"StreamName": f"{product.stack.name}-front-door"}
    found = product.client("kinesisvideo").describe_image_generation_configuration(**asked)
    return asked | {"ImageGenerationConfiguration": found["ImageGenerationConfiguration"]}


@contextmanager
def without_images(product):
    configured = images_of(product)
    configured["ImageGenerationConfiguration"]["Status"] = "DISABLED"
    product.client("kinesisvideo").update_image_generation_configuration(**configured)
    yield


TAKEN_FROM_IMAGES = {
    "the machine's role": (without_role("SessionStateMachineRole"), "failed", ""),
    "image generation": (without_images, "problem", "was switched off from outside"),
}


@pytest.mark.parametrize("what", TAKEN_FROM_IMAGES)
def test_a_session_of_images_ends_too_when_it_is_taken_away(of_images, wait_until, what):
    without, ended_by, why = TAKEN_FROM_IMAGES[what]
    execution = watched(of_images, wait_until, silenceSeconds=60)
    told = Told(of_images, execution)
    with without(of_images):
        wait_until(of_images.is_free, 60)
        wait_until(lambda: of_images.has_report(execution))
        assert of_images.ended(execution)["status"] == "FAILED"
        (text,) = wait_until(told.texts)
    assert why in text
    assert of_images.report(execution)["endedBy"] == ended_by
    assert images_of(of_images)["ImageGenerationConfiguration"]["Status"] == "DISABLED"


def test_a_camera_whose_video_is_not_kept_has_no_session(of_images):
    kinesisvideo, name = of_images.client("kinesisvideo"), f"{of_images.stack.name}-front-door"
    found = kinesisvideo.describe_stream(StreamName=name)["StreamInfo"]
    change = {"StreamName": name, "DataRetentionChangeInHours": found["DataRetentionInHours"]}
    kinesisvideo.update_data_retention(
        Operation="DECREASE_DATA_RETENTION", CurrentVersion=found["Version"], **change
    )
    ended = of_images.ended(of_images.start())
    assert (ended["status"], ended["error"]) == ("FAILED", "SessionInputError")
    assert "keeps no video" in ended["cause"] and of_images.is_free()
    version = kinesisvideo.describe_stream(StreamName=name)["StreamInfo"]["Version"]
    kinesisvideo.update_data_retention(
        Operation="INCREASE_DATA_RETENTION", CurrentVersion=version, **change
    )


def test_a_session_that_cannot_be_checked_any_more_ends_after_its_deadline(bare, wait_until):
    """Failed checks are not slept over past it, so the tenth ends it before its schedule does."""
    execution = watched(bare, wait_until, silenceSeconds=60, minutes=1)
    deadline = int(bare.row(execution)["deadline"]) / 1000
    with without_role("CheckSessionFunctionRole")(bare):
        wait_until(bare.nothing_is_left, deadline + 110 - time.time())
        assert time.time() > deadline
        wait_until(lambda: bare.has_report(execution))
        assert is_told(bare, wait_until, execution, "something failed")
        assert bare.report(execution)["endedBy"] == "problem"


def test_a_session_that_cannot_stop_itself_is_stopped_by_the_sweep(bare, wait_until):
    """Rule and schedule run the same function, so only the sweep is left."""
    execution = watched(bare, wait_until, silenceSeconds=60)
    with without_role("StopSessionFunctionRole")(bare):
        bare.stop()
        assert bare.ended(execution)["status"] == "FAILED"
        assert bare.processors() and not bare.is_free()
        invoke(bare, "SweepSessionsFunction", {})
        assert bare.nothing_is_left()
        assert is_told(bare, wait_until, execution, "the hourly sweep found it")


def test_a_session_begins_again_when_all_is_back(bare, wait_until):
    """Runs last: what was taken away was taken only from the sessions before."""
    execution = watched(bare, wait_until)
    bare.stop()
    assert json.loads(bare.ended(execution)["output"])["endedBy"] == "stop"
    assert bare.nothing_is_left()
