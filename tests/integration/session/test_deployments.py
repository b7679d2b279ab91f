"""Cameras that come and go, engines in turn, and the end of a stack: each as one deployment."""

from collections import Counter

from tests.support.stack.deploy import deploy_beside, is_deleted, update

STREAM_PROCESSOR, IMAGE_SEARCH = "stream-processor", "image-search"


def test_cameras_and_engines_change_in_place_and_nothing_is_left(laptop, stack, wait_until):
    name = f"{stack.name}-changing"
    changing = deploy_beside(laptop, stack, name, Cameras="front-door")
    assert cameras_of(laptop, name) == {"front-door"}
    assert mappings_of(laptop, name) == {"front-door": 2}
    six = ["front-door", *(f"camera-{number}" for number in range(5))]
    for cameras, engine in (
        (six, STREAM_PROCESSOR),
        (six[:2], STREAM_PROCESSOR),
        (six[:2], IMAGE_SEARCH),
        (six[1:3], STREAM_PROCESSOR),  # cameras and engine at once
    ):
        update(laptop, changing, Cameras=",".join(cameras), Engine=engine)
        assert cameras_of(laptop, name) == set(cameras)
        readers = 2 if engine == STREAM_PROCESSOR else 0
        assert mappings_of(laptop, name) == Counter(dict.fromkeys(cameras, readers))
    laptop.client("cloudformation").delete_stack(StackName=name)
    wait_until(lambda: is_deleted(laptop, name), 60)
    assert not cameras_of(laptop, name)
    assert not mappings_of(laptop, name)


def cameras_of(laptop, name):
    """The cameras of a stack that have a video stream."""
    listed = laptop.client("kinesisvideo").list_streams()["StreamInfoList"]
    names = [one["StreamName"] for one in listed]
    return {one.removeprefix(f"{name}-") for one in names if one.startswith(f"{name}-")}


def mappings_of(laptop, name):
    """How many event source mappings read the data stream of each camera."""
    pages = laptop.client("lambda").get_paginator("list_event_source_mappings").paginate()
    arns = [one["EventSourceArn"] for page in pages for one in page["EventSourceMappings"]]
    streams = [arn.rpartition(f":stream/{name}-")[2] for arn in arns if f"/{name}-" in arn]
    return Counter(streams)
