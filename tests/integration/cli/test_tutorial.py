"""Every command of the tutorial, typed with the plain AWS CLI beside the deployed stack."""

import base64
import json

import pytest

from tests.support.stack import tutorial
from tests.support.stack.camera import streaming
from tests.support.stack.demo_film import cut, first_appearance
from tests.support.stack.tutorial import REGION_AND_ACCOUNT, UUID, reading, wait_for_other


@pytest.fixture
def reader(laptop, stack, tmp_path):
    """Beside the deployed stack."""
    with reading(laptop, tmp_path) as reader:
        yield reader


def start_processor(reader, laptop, wait_until):
    assert reader.aws("rekognition start-stream-processor --name {name}") == {}
    wait_for_other(reader, laptop, wait_until, "STARTING")
    found = reader.aws("rekognition describe-stream-processor --name {name}")
    assert (found["Status"], found.get("StatusMessage")) == ("RUNNING", None)
    assert found["Settings"]["FaceSearch"]["FaceMatchThreshold"] == 85.5


def from_sns(queue):
    """The policy of a queue to which topics may send."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def read_records(reader):
    """The records of the data stream so far, as the tutorial reads them."""
    iterator = reader.aws(
        "kinesis get-shard-iterator --stream-name {name} --shard-id {shard} "
        "--shard-iterator-type TRIM_HORIZON"
    )["ShardIterator"]
    page = reader.aws(f"kinesis get-records --shard-iterator {iterator}")
    assert page.keys() >= {"NextShardIterator", "MillisBehindLatest"}
    return [json.loads(base64.b64decode(one["Data"])) for one in page["Records"]]


def check_records(reader, records):
    """They are of the hand-made stream, and the face in them is that of the photo."""
    matches = [
        match
        for record in records
        for face in record["FaceSearchResponse"]
        for match in face["MatchedFaces"]
    ]
    assert {match["Face"]["FaceId"] for match in matches} == {reader.made["zoe"]}
    assert {match["Face"]["ExternalImageId"] for match in matches} == {"zoe"}
    assert all(match["Similarity"] >= 85.5 for match in matches)
    for record in records:
        source = record["InputInformation"]["KinesisVideo"]
        assert source["StreamArn"] == reader.made["video"]
        assert record["StreamProcessorInformation"] == {"Status": "RUNNING"}


def play(reader, laptop, folder, wait_until):
    """The edge plays a film into the hand-made stream until somebody was recognised."""
    film = cut(folder / "film.mp4", first_appearance("Zoë"))
    kinesis = laptop.client("kinesis")
    where = {"StreamName": reader.name, "ShardId": reader.made["shard"]}
    start = kinesis.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]

    def recognised():
        """A record with a match has arrived in the hand-made data stream."""
        records = kinesis.get_records(ShardIterator=start)["Records"]
        return any(b'"Similarity"' in record["Data"] for record in records)

    with streaming(laptop, folder, "--stream", reader.name, film=film):
        wait_until(recognised, 90)
        check_records(reader, read_records(reader))


def stop_processor(reader, laptop, wait_until):
    def accepted():
        """The account's one stop per second is not taken by another test."""
        status, _, err = reader.terminal.run(
            f"rekognition stop-stream-processor --name {reader.name}"
        )
        assert status == 0 or "ThrottlingException" in err
        return status == 0

    wait_until(accepted)
    wait_for_other(reader, laptop, wait_until, "STOPPING")
    found = reader.aws("rekognition describe-stream-processor --name {name}")
    assert found["Status"] == "STOPPED"
    assert reader.aws("rekognition delete-stream-processor --name {name}") == {}
    listed = reader.aws("rekognition list-stream-processors")["StreamProcessors"]
    assert reader.name not in [one["Name"] for one in listed]


def sqs(reader, line):
    """The CLI's version 1 asks AWS itself for queues, whatever AWS_ENDPOINT_URL says."""
    return reader.aws(f"sqs {line} --endpoint-url {reader.endpoint}")


def publish(reader, wait_until):
    """A message to a topic reaches who has subscribed to it."""
    aws = reader.aws
    reader.made["topic"] = aws("sns create-topic --name {name}")["TopicArn"]
    assert reader.made["topic"] == f"arn:aws:sns:{REGION_AND_ACCOUNT}:{reader.name}"
    queue = f"arn:aws:sqs:{REGION_AND_ACCOUNT}:{reader.name}"
    document = reader.terminal.write("queue.json", {"Policy": json.dumps(from_sns(queue))})
    made = sqs(reader, f"create-queue --queue-name {{name}} --attributes {document}")
    reader.made["queue"] = made["QueueUrl"]
    subscribed = aws(
        f"sns subscribe --topic-arn {{topic}} --protocol sqs --notification-endpoint {queue}"
    )
    assert subscribed["SubscriptionArn"].startswith(f"{reader.made['topic']}:")
    email = aws(
        "sns subscribe --topic-arn {topic} --protocol email --notification-endpoint me@example.com"
    )
    assert email == {"SubscriptionArn": "pending confirmation"}
    published = aws('sns publish --topic-arn {topic} --message "Hello, World!"')
    assert UUID.fullmatch(published["MessageId"])

    def received():
        """The message is in the queue."""
        return sqs(reader, "receive-message --queue-url {queue}").get("Messages")

    [message] = wait_until(received)
    body = json.loads(message["Body"])
    assert (body["Message"], body["TopicArn"]) == ("Hello, World!", reader.made["topic"])
    assert body["MessageId"] == published["MessageId"]


def clean_up(reader, laptop):
    """Nothing is left of what was made."""
    for line in (
        "rekognition delete-collection --collection-id {name}",
        "kinesis delete-stream --stream-name {name}",
        "kinesisvideo delete-stream --stream-arn {video}",
        "iam detach-role-policy --role-name {name} --policy-arn {policy}",
        "iam delete-role --role-name {name}",
        "iam delete-policy --policy-arn {policy}",
        "sns delete-topic --topic-arn {topic}",
    ):
        reader.aws(line)
    sqs(reader, "delete-queue --queue-url {queue}")
    for service, operation in (
        ("rekognition", "list_collections"),
        ("rekognition", "list_stream_processors"),
        ("kinesis", "list_streams"),
        ("kinesisvideo", "list_streams"),
        ("iam", "list_roles"),
        ("iam", "list_policies"),
        ("sns", "list_topics"),
        ("sns", "list_subscriptions"),
        ("sqs", "list_queues"),
    ):
        left = getattr(laptop.client(service), operation)()
        assert reader.name not in json.dumps(left, default=str), operation


def test_every_command_of_the_tutorial_works_until_records_arrive(
    reader, laptop, tmp_path, wait_until
):
    tutorial.make_video_stream(reader)
    tutorial.make_collection(reader)
    tutorial.index_faces(reader)
    tutorial.search_faces(reader)
    tutorial.make_data_stream(reader, wait_until)
    tutorial.make_role(reader)
    tutorial.make_processor(reader)
    start_processor(reader, laptop, wait_until)
    play(reader, laptop, tmp_path, wait_until)
    stop_processor(reader, laptop, wait_until)
    publish(reader, wait_until)
    names = [one["FunctionName"] for one in reader.aws("lambda list-functions")["Functions"]]
    assert any(name.startswith("whosthere-") for name in names)
    clean_up(reader, laptop)
