"""Tagged fragments: images in S3 and notifications, under the rights of who puts the media."""

import io
import json
import time
import uuid

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from local.tests.support.kinesisvideo.client import Producer
from local.tests.support.media import mkv

NOON = 1_800_000_000_000
LATER = NOON + 3_600_000
IMAGE, PREFIX = "AWS_KINESISVIDEO_IMAGE_GENERATION", "AWS_KINESISVIDEO_IMAGE_PREFIX"
NOTIFICATION = "AWS_KINESISVIDEO_NOTIFICATION"
TAG = mkv.tags((IMAGE, ""))
DELAY_SECONDS = 1  # as the tests' laptop AWS is started with


@pytest.fixture
def bucket(laptop):
    s3, name = laptop.client("s3"), f"bucket-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    return name


def configure(laptop, stream, bucket, folder="/frames/door", **changes):
    """Ask for images and wait: the change holds after a delay that nothing announces."""
    asked = {
        "Status": "ENABLED",
        "ImageSelectorType": "PRODUCER_TIMESTAMP",
        "DestinationConfig": {"Uri": f"s3://{bucket}{folder}", "DestinationRegion": "us-east-1"},
        "SamplingInterval": 500,
        "Format": "JPEG",
        **changes,
    }
    update = laptop.client("kinesisvideo").update_image_generation_configuration
    update(StreamName=stream, **({"ImageGenerationConfiguration": asked} if bucket else {}))
    time.sleep(DELAY_SECONDS + 0.1)


def put(laptop, stream, *parts, keys=None):
    """One PutMedia session; the number of its last fragment, which was persisted."""
    with Producer(laptop, stream, keys=keys) as producer:
        acks = producer.send(*parts).end()
    assert acks[-1]["EventType"] == "PERSISTED"
    return acks[-1]["FragmentNumber"]


def keys_in(laptop, bucket):
    listed = laptop.client("s3").list_objects_v2(Bucket=bucket)
    return sorted(one["Key"] for one in listed.get("Contents", []))


def times_in(laptop, bucket):
    """The times in the names of a bucket's images."""
    return sorted(int(key.split("_")[-2]) for key in keys_in(laptop, bucket))


def wait_for_images(laptop, bucket, wait_until, *starts):
    """Wait until there are the two images of each fragment, and see that there are no others.

    Fragments have their turn one after the other: once the last one's images are there,
    those before it had theirs.
    """
    expected = sorted(at for start in starts for at in (start, start + 500))
    wait_until(lambda: max(expected) in times_in(laptop, bucket), 30)
    assert times_in(laptop, bucket) == expected


def test_a_tagged_fragment_s_images_lie_in_s3_as_aws_names_them(
    laptop, stream, film, bucket, wait_until
):
    configure(laptop, stream, bucket)
    own = [("zone", "7"), ("wo", "an der Tür"), ("a name", "a\nline"), (PREFIX, "visit")]
    tagged = [mkv.tags((IMAGE, ""), *own), film.fragment(NOON + 1000)]
    number = put(laptop, stream, film.header, film.fragment(NOON), *tagged)
    wait_for_images(laptop, bucket, wait_until, NOON + 1000)
    s3, keys = laptop.client("s3"), keys_in(laptop, bucket)
    first, second = (s3.get_object(Bucket=bucket, Key=key) for key in keys)
    owner = f"000000000000_{stream}_{NOON + 1000}"
    name = keys[0].removeprefix(f"frames/door/visit_{owner}_")
    assert uuid.UUID(name.removesuffix(".jpg")).hex
    listed = laptop.session().client(
        "kinesis-video-archived-media", endpoint_url=laptop.facts["media_endpoint"]
    )
    times = {"StartTimestamp": NOON / 1000 + 1, "EndTimestamp": NOON / 1000 + 1}
    selector = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": times}
    [fragment] = listed.list_fragments(StreamName=stream, FragmentSelector=selector)["Fragments"]
    server = round(fragment["ServerTimestamp"].timestamp() * 1000)
    assert first["ContentType"] == "image/jpeg"
    assert second["Metadata"] == {
        "aws_kinesisvideo_fragment_number": number,
        "aws_kinesisvideo_producer_timestamp": str(NOON + 1500),
        "aws_kinesisvideo_server_timestamp": str(server + 500),
        "zone": "7",
        "wo": "an%20der%20T%C3%BCr",
        "a%20name": "a%0Aline",
    }
    assert Image.open(io.BytesIO(first["Body"].read())).size == (64, 48)


def test_images_have_the_form_that_was_asked_for(laptop, stream, film, bucket, wait_until):
    form = {"Format": "PNG", "WidthPixels": 32, "SamplingInterval": 1500}
    configure(laptop, stream, bucket, "", ImageSelectorType="SERVER_TIMESTAMP", **form)
    before = round(time.time() * 1000)
    parts = [part for second in range(4) for part in (TAG, film.fragment(NOON + second * 1000))]
    put(laptop, stream, film.header, *parts)
    keys = wait_until(lambda: keys_in(laptop, bucket), 30)
    assert keys[0].startswith(f"000000000000_{stream}_")
    assert before <= min(times_in(laptop, bucket)) <= time.time() * 1000
    found = laptop.client("s3").get_object(Bucket=bucket, Key=keys[0])
    assert found["ContentType"] == "image/png"
    image = Image.open(io.BytesIO(found["Body"].read()))
    assert (image.format, image.size) == ("PNG", (32, 24))


def test_images_are_written_with_the_rights_of_who_puts_the_media(
    laptop, stream, stream_arn, film, bucket, user, wait_until
):
    configure(laptop, stream, bucket)
    folder = f"arn:aws:s3:::{bucket}/frames/door/*"
    without = user(kinesisvideo_PutMedia=stream_arn, s3_PutObject=folder.replace("door", "yard"))
    with_right = user(kinesisvideo_PutMedia=stream_arn, s3_PutObject=folder)
    # Who may not write them gets the same acknowledgements as everybody else.
    put(laptop, stream, film.header, TAG, film.fragment(NOON), keys=without)
    put(laptop, stream, film.header, TAG, film.fragment(NOON + 60_000), keys=with_right)
    wait_for_images(laptop, bucket, wait_until, NOON + 60_000)


def test_a_right_that_is_withdrawn_counts_from_the_next_image_on(
    laptop, stream, stream_arn, film, bucket, user, wait_until
):
    configure(laptop, stream, bucket)
    rights = {"kinesisvideo_PutMedia": stream_arn, "s3_PutObject": f"arn:aws:s3:::{bucket}/*"}
    keys = user(**rights)
    with Producer(laptop, stream, keys=keys) as producer:
        producer.send(film.header, TAG, film.fragment(NOON), mkv.end()).until("PERSISTED")
        wait_for_images(laptop, bucket, wait_until, NOON)
        user.allow(keys[0], kinesisvideo_PutMedia=stream_arn)
        acks = producer.send(TAG, film.fragment(NOON + 60_000)).end()
    assert [ack["EventType"] for ack in acks] == ["BUFFERING", "RECEIVED", "PERSISTED"]
    put(laptop, stream, film.header, TAG, film.fragment(LATER))
    wait_for_images(laptop, bucket, wait_until, NOON, LATER)


@pytest.fixture
def topic(laptop):
    sns = laptop.client("sns")
    made = sns.create_topic(Name=f"topic-{uuid.uuid4().hex[:8]}")["TopicArn"]
    yield made
    sns.delete_topic(TopicArn=made)


@pytest.fixture
def inbox(laptop, topic):
    """What the topic has sent, read off a queue."""
    sqs, messages = laptop.client("sqs"), []
    url = sqs.create_queue(QueueName=topic.rpartition(":")[2])["QueueUrl"]
    facts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    queue = facts["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}}
    allowed |= {"Action": "sqs:SendMessage", "Resource": queue}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    laptop.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)

    def read():
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        messages.extend(json.loads(one["Body"]) for one in found)
        for one in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return messages

    yield read
    sqs.delete_queue(QueueUrl=url)


def notify(laptop, stream, topic, status="ENABLED"):
    """Ask for notifications and wait until they hold."""
    asked = {"Status": status, "DestinationConfig": {"Uri": topic}}
    laptop.client("kinesisvideo").update_notification_configuration(
        StreamName=stream, NotificationConfiguration=asked
    )
    time.sleep(DELAY_SECONDS + 0.1)
    return asked


def test_a_tagged_fragment_is_told_of_with_the_rights_of_who_puts_the_media(
    laptop, stream, stream_arn, film, bucket, user, topic, inbox, wait_until
):
    notify(laptop, stream, topic)
    without = user(kinesisvideo_PutMedia=stream_arn)
    with_right = user(kinesisvideo_PutMedia=stream_arn, sns_Publish=topic)
    tag = mkv.tags((NOTIFICATION, ""), ("zone", "7"), ("wo", "Tür"))
    both = mkv.tags((IMAGE, ""), ("zone", "7"), ("wo", "Tür"))
    put(laptop, stream, film.header, tag, film.fragment(NOON), keys=without)
    parts = [film.fragment(NOON + 60_000), tag, both, film.fragment(NOON + 120_000)]
    number = put(laptop, stream, film.header, *parts, keys=with_right)
    [told] = wait_until(inbox, 30)
    assert (told["Type"], told["TopicArn"]) == ("Notification", topic)
    assert told["Subject"] == "Kinesis Video Streams Notification"
    message = json.loads(told["Message"])
    server = message.pop("FragmentStartServerTimestamp")
    assert abs(server / 1000 - time.time()) < 300
    assert message == {
        "StreamArn": stream_arn,
        "FragmentNumber": number,
        "FragmentStartProducerTimestamp": NOON + 120_000,
        "NotificationType": "PERSISTED",
        "NotificationPayload": {"zone": "7", "wo": "Tür"},
    }


@pytest.mark.parametrize(
    "uri",
    ["arn:aws:sns:us-east-1:000000000000:topic.fifo", "s3://bucket/folder", "https://example.com"],
)
def test_notifications_go_to_standard_topics_only(laptop, stream, uri):
    asked = {"Status": "ENABLED", "DestinationConfig": {"Uri": uri}}
    update = laptop.client("kinesisvideo").update_notification_configuration
    with pytest.raises(ClientError) as caught:
        update(StreamName=stream, NotificationConfiguration=asked)
    assert caught.value.response["Error"]["Code"] == "InvalidArgumentException"
