"""Who may do what on the media plane, and image generation under the caller's rights."""

import io
import json
import time
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.local.kinesisvideo_client import Film, Producer
from tests.unit import mkv_bytes as mkv

NOON = 1_800_000_000_000
TAG = mkv.tags(("AWS_KINESISVIDEO_IMAGE_GENERATION", ""))
DELAY_SECONDS = 1  # as the tests' laptop AWS is started with


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return Film(tmp_path_factory.mktemp("film"))


@pytest.fixture
def stream(laptop):
    control = laptop.client("kinesisvideo")
    name = f"stream-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=1)["StreamARN"]
    yield name
    control.delete_stream(StreamARN=arn)


@pytest.fixture
def arn(laptop, stream):
    control = laptop.client("kinesisvideo")
    return control.describe_stream(StreamName=stream)["StreamInfo"]["StreamARN"]


@pytest.fixture
def user(laptop):
    """Make a user with a policy of the given actions by resource; its key and secret."""
    iam, made = laptop.client("iam"), []

    def make(**allowed):
        name = f"user-{uuid.uuid4().hex[:8]}"
        iam.create_user(UserName=name)
        statements = [
            {"Effect": "Allow", "Action": action.replace("_", ":"), "Resource": resource}
            for action, resource in allowed.items()
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        made.append((name, key["AccessKeyId"]))
        return key["AccessKeyId"], key["SecretAccessKey"]

    yield make
    for name, key in made:
        iam.delete_access_key(UserName=name, AccessKeyId=key)
        iam.delete_user_policy(UserName=name, PolicyName="own")
        iam.delete_user(UserName=name)


@pytest.fixture
def bucket(laptop):
    s3, name = laptop.client("s3"), f"bucket-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    return name


def generate_images(laptop, stream, bucket, **changes):
    asked = {
        "Status": "ENABLED",
        "ImageSelectorType": "PRODUCER_TIMESTAMP",
        "DestinationConfig": {
            "Uri": f"s3://{bucket}/frames/door",
            "DestinationRegion": "us-east-1",
        },
        "SamplingInterval": 500,
        "Format": "JPEG",
        **changes,
    }
    laptop.client("kinesisvideo").update_image_generation_configuration(
        StreamName=stream, ImageGenerationConfiguration=asked
    )


def keys_in(laptop, bucket):
    listed = laptop.client("s3").list_objects_v2(Bucket=bucket)
    return [one["Key"] for one in listed.get("Contents", [])]


def wait_for_delay():
    """A change of image generation holds after a delay that nothing announces."""
    time.sleep(DELAY_SECONDS + 0.1)


def test_put_media_needs_its_action_on_the_very_stream(laptop, stream, arn, film, user):
    allowed = user(kinesisvideo_PutMedia=arn)
    with Producer(laptop, stream, keys=allowed) as producer:
        acks = producer.send(film.header, film.fragment(NOON)).end()
    assert acks[-1]["EventType"] == "PERSISTED"
    others = user(kinesisvideo_PutMedia=arn.replace(stream, "other"), kinesisvideo_GetMedia=arn)
    with Producer(laptop, stream, keys=others) as producer:
        assert producer.status == 403
        name, message = producer.error()
    assert name == "AccessDeniedException"
    assert f"not authorized to perform: kinesisvideo:PutMedia on resource: {arn}" in message


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        (
            "kinesis-video-media",
            "GetMedia",
            {"StartSelector": {"StartSelectorType": "NOW"}},
        ),
        (
            "kinesis-video-archived-media",
            "ListFragments",
            {
                "FragmentSelector": {
                    "FragmentSelectorType": "SERVER_TIMESTAMP",
                    "TimestampRange": {"StartTimestamp": 0, "EndTimestamp": 1},
                }
            },
        ),
        ("kinesis-video-archived-media", "GetMediaForFragmentList", {"Fragments": ["1"]}),
        (
            "kinesis-video-archived-media",
            "GetImages",
            {
                "ImageSelectorType": "SERVER_TIMESTAMP",
                "StartTimestamp": 0,
                "EndTimestamp": 1,
                "Format": "JPEG",
            },
        ),
    ],
)
def test_each_reading_operation_needs_its_own_action(
    laptop, stream, arn, user, service, operation, parameters
):
    def call(keys):
        client = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=laptop.facts["media_endpoint"],
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
        )
        method = client.meta.method_to_api_mapping
        name = next(own for own, api in method.items() if api == operation)
        answer = getattr(client, name)(StreamName=stream, **parameters)
        if "Payload" in answer:
            answer["Payload"].close()
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    assert call(user(**{f"kinesisvideo_{operation}": arn})) == 200
    with pytest.raises(ClientError) as caught:
        call(user(kinesisvideo_PutMedia=arn))
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert f"kinesisvideo:{operation}" in caught.value.response["Error"]["Message"]


def test_tagged_fragments_become_images_in_s3(laptop, stream, arn, film, bucket, wait_until):
    generate_images(laptop, stream, bucket)
    wait_for_delay()
    with Producer(laptop, stream) as producer:
        tag = mkv.tags(("AWS_KINESISVIDEO_IMAGE_GENERATION", ""), ("zone", "7"))
        parts = [film.fragment(NOON), tag, film.fragment(NOON + 1000)]
        acks = producer.send(film.header, *parts).end()
    assert acks[-1]["EventType"] == "PERSISTED"
    keys = wait_until(lambda: len(found := keys_in(laptop, bucket)) == 2 and found)
    first = f"frames/door/000000000000_{stream}_{NOON + 1000}_"
    assert keys[0].startswith(first)
    s3 = laptop.client("s3")
    found = s3.get_object(Bucket=bucket, Key=keys[0])
    assert found["ContentType"] == "image/jpeg"
    assert found["Metadata"]["zone"] == "7"
    assert found["Metadata"]["aws_kinesisvideo_fragment_number"] == acks[-1]["FragmentNumber"]
    assert found["Metadata"]["aws_kinesisvideo_producer_timestamp"] == str(NOON + 1000)
    assert Image.open(io.BytesIO(found["Body"].read())).size == (64, 48)


def test_images_are_written_with_the_rights_of_who_put_the_media(
    laptop, stream, arn, film, bucket, user, wait_until
):
    generate_images(laptop, stream, bucket)
    wait_for_delay()
    folder = f"arn:aws:s3:::{bucket}/frames/door/*"
    without = user(kinesisvideo_PutMedia=arn, s3_PutObject=folder.replace("door", "yard"))
    with_right = user(kinesisvideo_PutMedia=arn, s3_PutObject=folder)
    for start, keys in ((NOON, without), (NOON + 60_000, with_right)):
        with Producer(laptop, stream, keys=keys) as producer:
            acks = producer.send(film.header, TAG, film.fragment(start)).end()
        assert [ack["EventType"] for ack in acks] == ["BUFFERING", "RECEIVED", "PERSISTED"]
    found = wait_until(lambda: keys_in(laptop, bucket))
    # One after the other: when the second fragment's images are there, the first had its turn.
    assert all(int(key.split("_")[-2]) >= NOON + 60_000 for key in found)
