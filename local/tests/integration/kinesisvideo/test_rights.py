"""Who may do what on the media plane."""

import boto3
import pytest
from botocore.exceptions import ClientError

from local.tests.support.kinesisvideo_client import Producer

NOON = 1_800_000_000_000


def test_put_media_needs_its_action_on_the_very_stream(laptop, stream, stream_arn, film, user):
    allowed = user(kinesisvideo_PutMedia=stream_arn)
    with Producer(laptop, stream, keys=allowed) as producer:
        acks = producer.send(film.header, film.fragment(NOON)).end()
    assert acks[-1]["EventType"] == "PERSISTED"
    others = user(
        kinesisvideo_PutMedia=stream_arn.replace(stream, "other"), kinesisvideo_GetMedia=stream_arn
    )
    with Producer(laptop, stream, keys=others) as producer:
        assert producer.status == 403
        name, message = producer.error()
    assert name == "AccessDeniedException"
    assert f"not authorized to perform: kinesisvideo:PutMedia on resource: {stream_arn}" in message


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
            "GetClip",
            {
                "ClipFragmentSelector": {
                    "FragmentSelectorType": "SERVER_TIMESTAMP",
                    "TimestampRange": {"StartTimestamp": 0, "EndTimestamp": 1},
                }
            },
        ),
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
    laptop, stream, stream_arn, user, service, operation, parameters
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
        try:
            answer = getattr(client, name)(StreamName=stream, **parameters)
        except client.exceptions.ResourceNotFoundException:  # nothing to make a clip of
            return 200
        if "Payload" in answer:
            answer["Payload"].close()
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    assert call(user(**{f"kinesisvideo_{operation}": stream_arn})) == 200
    with pytest.raises(ClientError) as caught:
        call(user(kinesisvideo_PutMedia=stream_arn))
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert f"kinesisvideo:{operation}" in caught.value.response["Error"]["Message"]
