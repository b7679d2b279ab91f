"""Every action of our services is checked on the type of resource that AWS publishes for it."""

from collections import defaultdict

import pytest

from local.kinesisvideo.media import app as media
from local.security.iam import AccessDenied
from local.security.resource_types import published
from local.security.signing import ServiceError, call, send
from local.tests.support.kinesisvideo.client import Producer
from local.tests.support.laptop.assumable_roles import ACCOUNT, assumable_role, keys_of
from local.tests.support.laptop.parts import allow, unique

KINDS = {
    "collection": "rekognition:us-east-1",
    "streamprocessor": "rekognition:us-east-1",
    "stream": "kinesisvideo:us-east-1",
}
OF_MEDIA = {name.lower(): name for name in media.OPERATIONS}
ABSENT = {"getdashstreamingsessionurl"}
ACTIONS = [
    (service, action, types)
    for service, table in published().items()
    for action, types in table["actions"].items()
    if (not types or set(types) & set(KINDS)) and action not in ABSENT
]


def arn(kind, name):
    """A resource as a policy names it."""
    name = f"{name}/*" if kind == "stream" else name
    return f"arn:aws:{KINDS[kind]}:{ACCOUNT}:{kind}/{name}"


def statements(name, instead_of_all):
    """Every action allowed on its types of resources of a name; the others on what is given."""
    actions = defaultdict(list)  # one by one they were more than a role's policies may hold
    for service, action, types in ACTIONS:
        actions[tuple(kind for kind in types if kind in KINDS)].append(f"{service}:{action}")
    for kinds, named in actions.items():
        yield allow(named, [arn(kind, name) for kind in kinds] or instead_of_all)


@pytest.fixture(scope="module")
def name(laptop):
    """Of a video stream that keeps media."""
    name = unique("resource")
    made = laptop.client("kinesisvideo").create_stream(StreamName=name, DataRetentionInHours=1)
    yield name
    laptop.client("kinesisvideo").delete_stream(StreamARN=made["StreamARN"])


@pytest.fixture(scope="module")
def fitting(laptop, name):
    """The keys of a role that may do everything to what has the name."""
    return keys_of(laptop, assumable_role(laptop, *statements(name, "*")))


@pytest.fixture(scope="module")
def missing(laptop, name):
    """The keys of a role that may do everything to what has another name."""
    every = [arn(kind, "*") for kind in KINDS]
    return keys_of(laptop, assumable_role(laptop, *statements(f"{name}-other", every)))


@pytest.fixture(scope="module")
def without_time(laptop, name):
    """The keys of a role whose policy forgets that a stream's ARN ends in its creation time."""
    forgetful = f"arn:aws:kinesisvideo:us-east-1:{ACCOUNT}:stream/{name}"
    return keys_of(laptop, assumable_role(laptop, allow("kinesisvideo:*", forgetful)))


def is_denied(laptop, keys, service, action, name):
    """Whether a request by name is refused for want of rights, and not for anything else."""
    if action == "putmedia":
        given = keys.access_key_id, keys.secret_access_key, keys.session_token
        with Producer(laptop, name, keys=given) as producer:
            return producer.status == 403
    endpoint, asked = laptop.endpoint, request(name)
    if action in OF_MEDIA:
        endpoint, asked = laptop.facts["media_endpoint"], asked | OF_A_TIME
    operation = spelled(laptop, service, action)
    try:
        call(endpoint, keys, service, operation, asked, region="us-east-1")
    except AccessDenied:
        return True
    except (ServiceError, ValueError):  # a film is no JSON
        return False
    return False


def spelled(laptop, service, action):
    """An action as its service spells it; the table has it in lower case."""
    model = laptop.client(service).meta.service_model
    return ({name.lower(): name for name in model.operation_names} | OF_MEDIA).get(action, action)


OF_A_TIME = {
    "StartSelector": {"StartSelectorType": "FRAGMENT_NUMBER"},  # without a number: ends at once
    "Fragments": ["1"],
    "ImageSelectorType": "SERVER_TIMESTAMP",
    "StartTimestamp": 1,
    "EndTimestamp": 2,
    "Format": "JPEG",
    "ClipFragmentSelector": {
        "FragmentSelectorType": "SERVER_TIMESTAMP",
        "TimestampRange": {"StartTimestamp": 1, "EndTimestamp": 2},
    },
}


def request(name):
    """Whatever an operation may need to know which resource is meant."""
    return {
        "CollectionId": name,
        "Name": name,
        "Settings": {"FaceSearch": {"CollectionId": name}},
        "StreamName": name,
        "ResourceArn": arn("collection", name),
        "ResourceARN": arn("stream", name).replace("*", "1"),
    }


@pytest.mark.parametrize(
    ("service", "action"), [one[:2] for one in ACTIONS], ids=[":".join(one[:2]) for one in ACTIONS]
)
def test_an_action_is_allowed_on_its_published_resource_and_on_no_other(
    laptop, fitting, missing, name, service, action
):
    assert is_denied(laptop, missing, service, action, name)
    assert not is_denied(laptop, fitting, service, action, name)


def test_a_stream_without_its_time_is_no_resource_of_kinesis_video(laptop, without_time, name):
    for action in ("describestream", "getmedia", "putmedia"):
        assert is_denied(laptop, without_time, "kinesisvideo", action, name), action


def test_an_action_in_the_query_is_not_the_one_that_is_checked(laptop):
    keys = keys_of(laptop, assumable_role(laptop, allow("rekognition:DetectFaces")))
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "RekognitionService.ListCollections",
    }
    path = "/?Action=DetectFaces"
    with pytest.raises(AccessDenied, match="ListCollections"):
        send(
            laptop.endpoint, keys, "rekognition", "POST", path,
            headers=headers, body=b"{}", region="us-east-1",
        )  # fmt: skip
