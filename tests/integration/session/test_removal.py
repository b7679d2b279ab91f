"""A stack updated, deleted or without a camera in mid-session: what it started is stopped."""

import pytest

from cli.setup.laptop_stack import describe_stack
from tests.support.session.safeguards import Told, denied
from tests.support.stack.camera import streaming
from tests.support.stack.deploy import deploy
from tests.support.stack.deployed import subscribed
from tests.support.stack.rights import unused
from whosthere.people.collections import PeopleCollections, write_collections
from whosthere.session_store import lock_key

pytestmark = pytest.mark.long  # deploys and deletes a stack of its own


def started(product, wait_until, camera):
    """A session on that camera that searches."""
    settings = {"healthCheckSeconds": 1, "tell": ["problem"]}
    execution = product.execute({"camera": camera, "minutes": 5, "settings": settings})
    wait_until(lambda: product.is_watching(execution), 60)
    return execution


def running(product, execution):
    """Processors of that session."""
    listed = product.client("rekognition").list_stream_processors()["StreamProcessors"]
    name = execution.rpartition(":")[2]
    return [one["Name"] for one in listed if one["Name"].endswith(name)]


def problems(product, wait_until):
    """The problems told by now, at least one."""
    return wait_until(lambda: [one for one in product.messages() if one["kind"] == "problem"])


def test_a_dropped_camera_and_a_changed_stack_in_mid_session(laptop, stack, tmp_path, wait_until):
    deploy(laptop, stack.name, Cameras="front-door,side-door")
    (tmp_path / "side").mkdir()
    side = ("--camera", "side-door")
    with (
        subscribed(laptop, stack) as product,
        streaming(laptop, tmp_path),
        streaming(laptop, tmp_path / "side", *side, film=tmp_path / "grey.mp4"),
    ):
        stays = started(product, wait_until, "front-door")
        goes = started(product, wait_until, "side-door")
        deploy(laptop, stack.name, Cameras="front-door", LogRetentionDays="30")
        assert not running(product, goes)
        assert product.row(goes)["endedBy"] == "removed"
        assert product.report(goes)["endedBy"] == "removed"
        (told,) = problems(product, wait_until)
        assert told["camera"] == "side-door"
        # The other camera's session outlives the change, and ends as it would have.
        assert len(running(product, stays)) == 1
        assert product.state(stays)["status"] == "RUNNING"
        product.stop()
        assert product.ended(stays)["status"] == "SUCCEEDED"
        assert product.nothing_is_left()
        refused = product.ended(product.execute({"camera": "side-door", "minutes": 1}))
        assert refused["error"] == "SessionInputError"


def test_a_stack_that_is_deleted_in_mid_session(laptop, stack, tmp_path, wait_until):
    name = f"{stack.name}-going"
    going = deploy(laptop, name, Cameras="front-door")
    cloudformation = laptop.client("cloudformation")
    with streaming(laptop, tmp_path, stack=name), subscribed(laptop, going) as product:
        execution = started(product, wait_until, "front-door")
        told = Told(product, execution)
        # At first it cannot be stopped from there: the stack stays, and so do the safeguards.
        with denied(product, "EndSessionsFunctionRole", "rekognition:StopStreamProcessor"):
            cloudformation.delete_stack(StackName=name)
            wait_until(lambda: status(cloudformation, name) == "DELETE_FAILED", 120)
        wait_until(lambda: not running(product, execution), 60)
        wait_until(lambda: len(told.texts()) == 2)
        assert "AccessDeniedException" in told.texts()[0]
        assert len(rules(product)) == 2

        # And no session begins any more.
        assert product.table.get_item(Key=lock_key("front-door"))["Item"]["shut"]

        cloudformation.delete_stack(StackName=name)
        wait_until(lambda: is_gone(cloudformation, name), 120)
    assert describe_stack(laptop).name == stack.name  # whose name the other's begins with


def rules(product):
    """The rules that start safeguards: on ended executions, and hourly."""
    safeguards = ("StopSessionFunction", "SweepSessionsFunction")
    listed = product.client("events").list_rules(NamePrefix=f"{product.stack.name}-")["Rules"]
    return [one["Name"] for one in listed if any(name in one["Name"] for name in safeguards)]


def status(cloudformation, name):
    return cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]


def test_a_session_of_a_stack_that_is_deleted_ends_first(laptop, stack, tmp_path, wait_until):
    name = f"{stack.name}-gone"
    going = deploy(laptop, name, Cameras="front-door")
    with streaming(laptop, tmp_path, stack=name), subscribed(laptop, going) as product:
        execution = started(product, wait_until, "front-door")
        assert len(running(product, execution)) == 1
        product.client("rekognition").create_collection(CollectionId=f"{name}-people.2")
        write_collections(product.table, PeopleCollections(building=2))
        laptop.client("cloudformation").delete_stack(StackName=name)
        wait_until(lambda: not running(product, execution), 60)
        (text,) = wait_until(Told(product, execution).texts)
        assert "its camera or the stack was removed" in text
        wait_until(lambda: is_gone(laptop.client("cloudformation"), name), 120)
        left = laptop.client("rekognition").list_collections()["CollectionIds"]
        assert f"{name}-people.2" not in left
    # What only a camera's images, or a session that outlives all, would need.
    never = {"kinesisvideo:UpdateImageGenerationConfiguration", "states:DescribeExecution"}
    assert unused(laptop, name, "EndSessionsFunctionRole") <= never


def is_gone(cloudformation, name):
    """Whether the machine is deleted; a bucket that holds the report stays, as on AWS."""
    listed = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    return not any(
        one["ResourceType"] == "AWS::StepFunctions::StateMachine"
        and one["ResourceStatus"] != "DELETE_COMPLETE"
        for one in listed
    )
