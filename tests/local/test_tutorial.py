"""Every command of the tutorial, typed with the plain AWS CLI beside the deployed stack."""

import base64
import json
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.local.camera import streaming
from tests.local.laptop_parts import unique
from tests.local.scenes import cut, first_appearance, photos_of
from tests.local.terminal import Terminal, terminal

PLACE = "us-east-1:000000000000"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# As printed: for every region, account and stream.
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["kinesis:PutRecord", "kinesis:PutRecords"],
            "Resource": "arn:aws:kinesis:*:*:stream/*",
        },
        {
            "Effect": "Allow",
            "Action": ["kinesisvideo:GetDataEndpoint", "kinesisvideo:GetMedia"],
            "Resource": "arn:aws:kinesisvideo:*:*:stream/*/*",
        },
    ],
}
# Members of the skeleton that are for label detection, or may be left out.
UNUSED = ("Tags", "NotificationChannel", "KmsKeyId", "RegionsOfInterest", "DataSharingPreference")


def trust(service):
    """The document by which a service may assume a role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def from_sns(queue):
    """The policy of a queue to which topics may send."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


@dataclass
class Reader:
    """Somebody who follows the tutorial, with what they have made so far."""

    terminal: Terminal
    name: str
    endpoint: str
    made: dict[str, str] = field(default_factory=dict)

    def aws(self, line):
        return self.terminal.aws(line.format(name=self.name, **self.made))

    def refused(self, line):
        return self.terminal.refused(line.format(name=self.name, **self.made))


@pytest.fixture
def reader(laptop, stack, tmp_path):
    """A reader in a folder with photos, whose names are their own."""
    zoe, ravi = photos_of("Zoë")[0], photos_of("Ravi")[0]
    (tmp_path / "zoe.jpg").write_bytes(zoe.read_bytes())
    (tmp_path / "ravi.jpg").write_bytes(ravi.read_bytes())
    with terminal(laptop, tmp_path) as opened:
        yield Reader(opened, unique("tutorial"), laptop.endpoint)


def make_video_stream(reader):
    aws = reader.aws
    made = aws("kinesisvideo create-stream --stream-name {name} --data-retention-in-hours 1")
    reader.made["video"] = made["StreamARN"]
    assert re.fullmatch(
        rf"arn:aws:kinesisvideo:{PLACE}:stream/{reader.name}/\d{{13}}", made["StreamARN"]
    )
    info = aws("kinesisvideo describe-stream --stream-name {name}")["StreamInfo"]
    assert (info["StreamName"], info["StreamARN"]) == (reader.name, made["StreamARN"])
    assert (info["Status"], info["DataRetentionInHours"]) == ("ACTIVE", 1)
    assert {"Version", "CreationTime", "KmsKeyId"} <= info.keys()
    listed = aws("kinesisvideo list-streams")["StreamInfoList"]
    assert info in listed
    assert {"whosthere-front-door", reader.name} <= {one["StreamName"] for one in listed}
    found = aws("kinesisvideo get-data-endpoint --stream-name {name} --api-name PUT_MEDIA")
    assert urlsplit(found["DataEndpoint"]).port


def make_collection(reader):
    aws, arn = reader.aws, f"arn:aws:rekognition:{PLACE}:collection/{reader.name}"
    made = aws("rekognition create-collection --collection-id {name}")
    assert (made["StatusCode"], made["FaceModelVersion"]) == (200, "7.0")
    assert made["CollectionArn"].endswith(arn.removeprefix("arn:"))
    described = aws("rekognition describe-collection --collection-id {name}")
    assert (described["FaceCount"], described["CollectionARN"]) == (0, arn)
    assert {"FaceModelVersion", "CreationTimestamp"} <= described.keys()
    listed = aws("rekognition list-collections")
    assert reader.name in listed["CollectionIds"]
    assert len(listed["FaceModelVersions"]) == len(listed["CollectionIds"])


def index_faces(reader):
    for who in ("zoe", "ravi"):
        indexed = reader.aws(
            f"rekognition index-faces --collection-id {{name}} --image-bytes fileb://{who}.jpg "
            f"--external-image-id {who}"
        )
        [record] = indexed["FaceRecords"]
        assert record["Face"]["ExternalImageId"] == who
        assert UUID.fullmatch(record["Face"]["FaceId"])
        assert UUID.fullmatch(record["Face"]["ImageId"])
        assert record["FaceDetail"].keys() >= {"BoundingBox", "Landmarks", "Pose", "Quality"}
        assert indexed["UnindexedFaces"] == []
        assert indexed["FaceModelVersion"] == "7.0"
        reader.made[who] = record["Face"]["FaceId"]
    listed = reader.aws("rekognition list-faces --collection-id {name}")
    assert {one["FaceId"]: one["ExternalImageId"] for one in listed["Faces"]} == {
        reader.made[who]: who for who in ("zoe", "ravi")
    }


def search_faces(reader):
    aws = reader.aws
    how = "--collection-id {name} --max-faces 1 --face-match-threshold 70"
    found = aws(f"rekognition search-faces {how} --face-id {{zoe}}")
    assert found["SearchedFaceId"] == reader.made["zoe"]
    assert reader.made["zoe"] not in [one["Face"]["FaceId"] for one in found["FaceMatches"]]
    found = aws(f"rekognition search-faces-by-image {how} --image-bytes fileb://zoe.jpg")
    [match] = found["FaceMatches"]
    assert match["Face"]["FaceId"] == reader.made["zoe"]
    assert match["Similarity"] > 99
    assert found.keys() >= {"SearchedFaceBoundingBox", "SearchedFaceConfidence"}
    gone = aws("rekognition delete-faces --collection-id {name} --face-ids {ravi}")
    assert gone["DeletedFaces"] == [reader.made["ravi"]]
    described = aws("rekognition describe-collection --collection-id {name}")
    assert described["FaceCount"] == 1


def make_data_stream(reader, wait_until):
    aws = reader.aws
    assert aws("kinesis create-stream --stream-name {name} --shard-count 1") == {}
    assert {"whosthere-front-door", reader.name} <= set(aws("kinesis list-streams")["StreamNames"])

    def described():
        """The data stream is active."""
        found = aws("kinesis describe-stream --stream-name {name}")["StreamDescription"]
        return found if found["StreamStatus"] == "ACTIVE" else None

    found = wait_until(described)
    reader.made["data"] = found["StreamARN"]
    assert found["StreamARN"] == f"arn:aws:kinesis:{PLACE}:stream/{reader.name}"
    assert len(found["Shards"]) == 1
    reader.made["shard"] = found["Shards"][0]["ShardId"]


def make_role(reader):
    aws, write = reader.aws, reader.terminal.write
    document = write("policy.json", POLICY)
    made = aws(f"iam create-policy --policy-name {{name}} --policy-document {document}")["Policy"]
    reader.made["policy"] = made["Arn"]
    assert made["Arn"] == f"arn:aws:iam::000000000000:policy/{reader.name}"
    document = write("trust.json", trust("rekognition.amazonaws.com"))
    role = aws(f"iam create-role --role-name {{name}} --assume-role-policy-document {document}")
    reader.made["role"] = role["Role"]["Arn"]
    assert role["Role"]["Arn"] == f"arn:aws:iam::000000000000:role/{reader.name}"
    assert aws("iam attach-role-policy --role-name {name} --policy-arn {policy}") == {}
    roles = {one["RoleName"]: one for one in aws("iam list-roles")["Roles"]}
    assert roles[reader.name]["AssumeRolePolicyDocument"] == trust("rekognition.amazonaws.com")
    assert any(name.startswith("whosthere-") for name in roles)


def fill_skeleton(reader, name="processor.json", **changes):
    """The CLI's own skeleton of a stream processor, filled as the tutorial says."""
    skeleton = reader.aws("rekognition create-stream-processor --generate-cli-skeleton")
    for unused in UNUSED:
        del skeleton[unused]
    del skeleton["Output"]["S3Destination"], skeleton["Settings"]["ConnectedHome"]
    skeleton["Input"]["KinesisVideoStream"]["Arn"] = reader.made["video"]
    skeleton["Output"]["KinesisDataStream"]["Arn"] = reader.made["data"]
    skeleton["Name"] = reader.name
    skeleton["RoleArn"] = reader.made["role"]
    skeleton["Settings"]["FaceSearch"] = {
        "CollectionId": reader.name,
        "FaceMatchThreshold": 85.5,
    }
    return reader.terminal.write(name, skeleton | changes)


def make_processor(reader):
    aws = reader.aws
    document = fill_skeleton(reader)
    made = aws(f"rekognition create-stream-processor --cli-input-json {document}")
    assert made == {
        "StreamProcessorArn": f"arn:aws:rekognition:{PLACE}:streamprocessor/{reader.name}"
    }
    listed = aws("rekognition list-stream-processors")["StreamProcessors"]
    assert {"Name": reader.name, "Status": "STOPPED"} in listed
    described = aws("rekognition describe-stream-processor --name {name}")
    assert described.pop("CreationTimestamp") and described.pop("LastUpdateTimestamp")
    described.pop("DataSharingPreference", None)
    assert described == {
        **json.loads((reader.terminal.folder / "processor.json").read_text()),
        **made,
        "Status": "STOPPED",
    }


def start_processor(reader, laptop, wait_until):
    assert reader.aws("rekognition start-stream-processor --name {name}") == {}
    wait_for_other(reader, laptop, wait_until, "STARTING")
    found = reader.aws("rekognition describe-stream-processor --name {name}")
    assert (found["Status"], found.get("StatusMessage")) == ("RUNNING", None)
    assert found["Settings"]["FaceSearch"]["FaceMatchThreshold"] == 85.5


def wait_for_other(reader, laptop, wait_until, status):
    """Wait while the processor has a status that it passes through."""
    describe = laptop.client("rekognition").describe_stream_processor
    wait_until(lambda: describe(Name=reader.name)["Status"] != status, 60)


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

    wait_until(accepted, 30)
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
    assert reader.made["topic"] == f"arn:aws:sns:{PLACE}:{reader.name}"
    queue = f"arn:aws:sqs:{PLACE}:{reader.name}"
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
    make_video_stream(reader)
    make_collection(reader)
    index_faces(reader)
    search_faces(reader)
    make_data_stream(reader, wait_until)
    make_role(reader)
    make_processor(reader)
    start_processor(reader, laptop, wait_until)
    play(reader, laptop, tmp_path, wait_until)
    stop_processor(reader, laptop, wait_until)
    publish(reader, wait_until)
    names = [one["FunctionName"] for one in reader.aws("lambda list-functions")["Functions"]]
    assert any(name.startswith("whosthere-") for name in names)
    clean_up(reader, laptop)


def furnish(reader):
    """What a processor needs, made without the CLI's every field being looked at."""
    write = reader.terminal.write
    reader.made["video"] = reader.aws("kinesisvideo create-stream --stream-name {name}")[
        "StreamARN"
    ]
    reader.made["data"] = f"arn:aws:kinesis:{PLACE}:stream/{reader.name}"
    reader.aws("kinesis create-stream --stream-name {name} --shard-count 1")
    reader.aws("rekognition create-collection --collection-id {name}")
    document = write("trust.json", trust("lambda.amazonaws.com"))  # the wrong service
    role = reader.aws(
        f"iam create-role --role-name {{name}} --assume-role-policy-document {document}"
    )
    reader.made["role"] = role["Role"]["Arn"]
    reader.aws(f"rekognition create-stream-processor --cli-input-json {fill_skeleton(reader)}")


REFUSED = [
    ("kinesisvideo create-stream --stream-name {name}", "ResourceInUseException"),
    ("kinesisvideo describe-stream --stream-name no-such", "ResourceNotFoundException"),
    # Asked for without the endpoint that get-data-endpoint has given.
    (
        "kinesis-video-archived-media get-media-for-fragment-list film.mkv --stream-name {name} "
        "--fragments 1",
        "UnknownOperationException",
    ),
    ("kinesis create-stream --stream-name {name} --shard-count 1", "ResourceInUseException"),
    ("kinesis describe-stream --stream-name no-such", "ResourceNotFoundException"),
    ("rekognition create-collection --collection-id {name}", "ResourceAlreadyExistsException"),
    ("rekognition delete-collection --collection-id no-such", "ResourceNotFoundException"),
    (
        "rekognition index-faces --collection-id {name} --image-bytes fileb://trust.json",
        "InvalidImageFormatException",
    ),
    (
        "rekognition index-faces --collection-id {name} --image-bytes fileb://zoe.jpg "
        '--external-image-id "Zoë K"',
        "InvalidParameterException",
    ),
    (
        "rekognition search-faces-by-image --collection-id {name} --image-bytes fileb://wall.png",
        "InvalidParameterException",
    ),
    (
        "rekognition search-faces --collection-id {name} "
        "--face-id 00000000-0000-0000-0000-000000000000",
        "InvalidParameterException",
    ),
    (
        "rekognition create-stream-processor --cli-input-json file://processor.json",
        "ResourceInUseException",
    ),
    ("rekognition stop-stream-processor --name {name}", "ResourceInUseException"),
    ("rekognition start-stream-processor --name no-such", "ResourceNotFoundException"),
    (
        "iam create-role --role-name {name} --assume-role-policy-document file://trust.json",
        "EntityAlreadyExists",
    ),
    ("iam attach-role-policy --role-name no-such --policy-arn arn:aws:iam::aws:policy/x",
     "NoSuchEntity"),
    ("sns publish --topic-arn arn:aws:sns:us-east-1:000000000000:no-such --message x", "NotFound"),
]  # fmt: skip


def test_what_goes_wrong_in_the_tutorial_has_aws_s_name(reader, laptop, wait_until):
    Image.new("RGB", (320, 240), "grey").save(reader.terminal.folder / "wall.png")
    furnish(reader)
    said = {}
    for line, name in REFUSED:

        def refused(line=line):
            """It was not another test that stopped a processor within this second."""
            said[line] = reader.refused(line)[0]
            return said[line] != "ThrottlingException"

        wait_until(refused, 30)
        assert said[line] == name, line
    # The processor itself says what is wrong with its role, once it is started.
    reader.aws("rekognition start-stream-processor --name {name}")
    wait_for_other(reader, laptop, wait_until, "STARTING")
    found = reader.aws("rekognition describe-stream-processor --name {name}")
    assert (found["Status"], found["StatusMessage"]) == ("FAILED", "Access denied to Role")
    for line in (
        "rekognition delete-stream-processor --name {name}",
        "rekognition delete-collection --collection-id {name}",
        "kinesis delete-stream --stream-name {name}",
        "kinesisvideo delete-stream --stream-arn {video}",
        "iam delete-role --role-name {name}",
    ):
        reader.aws(line)
