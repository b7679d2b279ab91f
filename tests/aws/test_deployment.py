"""What CloudFormation made of the template."""

from collections.abc import Callable
from datetime import datetime

import pytest

from cli.aws.target import Target
from whosthere.names import stream_name

RULE, WAITER = "RegionHasStreamProcessors", "StreamsActive"
STREAM, MAPPING = "AWS::Kinesis::Stream", "AWS::Lambda::EventSourceMapping"


def test_data_streams_are_made_while_the_custom_resource_waits(
    target: Target, answer: Callable[[str], None]
) -> None:
    """Does CloudFormation make the data streams while the custom resource waits for them?"""
    if target.engine != "stream-processor":
        pytest.skip("a stack with Engine=image-search has no data streams")
    pages = target.session.client("cloudformation").get_paginator("describe_stack_events")
    events = [
        event for page in pages.paginate(StackName=target.id) for event in page["StackEvents"]
    ]

    def times(what: str, status: str) -> list[datetime]:
        return [
            event["Timestamp"]
            for event in events
            if what in (event["LogicalResourceId"], event["ResourceType"])
            and event["ResourceStatus"] == status
        ]

    waited, streams = times(WAITER, "CREATE_COMPLETE"), times(STREAM, "CREATE_COMPLETE")
    if not (waited and streams):
        pytest.skip("the stack's creation is more than 90 days ago: its events are gone")
    began = min(times(WAITER, "CREATE_IN_PROGRESS"))
    failed = len(times(WAITER, "CREATE_FAILED")) + len(times(MAPPING, "CREATE_FAILED"))
    seconds = (min(waited) - began).total_seconds()
    answer(f"{len(streams)} data streams; the resource waited {seconds:.0f} s; {failed} failed")
    assert not failed


def test_the_variable_of_a_loop_is_filled_in(target: Target, answer: Callable[[str], None]) -> None:
    """Does `Ref` of a loop's variable resolve inside `Fn::Sub`?"""
    video = target.session.client("kinesisvideo")
    names = [stream_name(target.stack, camera) for camera in target.cameras]
    found = [video.describe_stream(StreamName=name)["StreamInfo"]["StreamName"] for name in names]
    answer(f"{len(found)} video streams have the names of their cameras")
    assert found == names


def test_the_rule_on_the_region_was_evaluated(
    target: Target, answer: Callable[[str], None]
) -> None:
    """Does `Ref` of `AWS::Region` resolve in `Rules`?"""
    formation = target.session.client("cloudformation")
    # The template as it was sent, which CloudFormation accepted with its rule.
    sent = formation.get_template(StackName=target.id, TemplateStage="Original")["TemplateBody"]
    answer(f"deployed to {target.region} with Engine={target.engine} and the rule {RULE}")
    assert RULE in str(sent)
