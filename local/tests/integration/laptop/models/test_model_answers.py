"""Every operation that answers at all answers as AWS's model of it says, with success and error."""

import pytest

from local.tests.support.kinesisvideo.client import media_client
from local.tests.support.models.checks import SERVICES, ask, model
from local.tests.support.models.requests import ROWS
from local.tests.support.models.world import make_world

OPERATIONS = [(service, name) for service in SERVICES for name in model(service).operation_names]
ABSENT = "UnknownOperationException"


@pytest.fixture(scope="module")
def world(laptop, tmp_path_factory):
    """Made once; the processors go again."""
    world = make_world(laptop, tmp_path_factory.mktemp("world"))
    yield world
    rekognition = laptop.client("rekognition")
    for one in rekognition.list_stream_processors()["StreamProcessors"]:
        if one["Name"].startswith("processor-") and one["Status"] in ("STOPPED", "FAILED"):
            rekognition.delete_stream_processor(Name=one["Name"])


def is_implemented(laptop, service, name):
    """Whether the running laptop AWS knows the operation; its tables are not asked."""
    code, answer = ask(laptop, service, name, {})
    if code == ABSENT:
        assert name in answer["message"]  # said by its name, not with silence
    return code != ABSENT


@pytest.mark.parametrize(("service", "name"), OPERATIONS, ids=[name for _, name in OPERATIONS])
def test_an_operation_keeps_to_its_model_or_says_that_it_is_not_there(
    laptop, world, wait_until, service, name
):
    if not is_implemented(laptop, service, name):
        assert name not in ROWS[service]
        return
    assert name in ROWS[service], f"{name} is implemented: give it a row in model_requests.py"
    good, bad, expected = ROWS[service][name]
    if name == "GetMedia":
        client = media_client(laptop, service)
        client.get_media(**good(world))["Payload"].close()
    else:
        world.do(service, name, **good(world))
    codes = []

    def answered():
        """Not only that StopStreamProcessor was called twice within a second."""
        codes.append(ask(laptop, service, name, bad(world))[0])
        return codes[-1] != "ThrottlingException"

    wait_until(answered, 30)
    assert codes[-1] == expected
    modelled = [shape.name for shape in model(service).operation_model(name).error_shapes]
    assert expected in modelled
