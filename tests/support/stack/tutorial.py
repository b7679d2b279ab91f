"""A reader who follows the tutorial: its chapters up to a stream processor, with AWS's fields."""

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from local.tests.support.laptop.parts import unique
from local.tests.support.laptop.terminal import Terminal, terminal
from tests.support.stack.demo_film import photos_of

REGION_AND_ACCOUNT = "us-east-1:000000000000"
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
    """Return the trust policy that lets a service assume a role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@dataclass
class Reader:
    """A reader of the tutorial, and what they have created so far."""

    terminal: Terminal
    name: str
    endpoint: str
    made: dict[str, str] = field(default_factory=dict)

    def aws(self, line):
        return self.terminal.aws(line.format(name=self.name, **self.made))

    def refused(self, line):
        return self.terminal.refused(line.format(name=self.name, **self.made))


@contextmanager
def reading(laptop, folder):
    """Open a reader in a folder with photos; the names of what they create are unique."""
    for who, photo in (("zoe", photos_of("Zoë")[0]), ("ravi", photos_of("Ravi")[0])):
        (folder / f"{who}.jpg").write_bytes(photo.read_bytes())
    with terminal(laptop, folder) as opened:
        yield Reader(opened, unique("tutorial"), laptop.endpoint)


def make_video_stream(reader):
    aws = reader.aws
    made = aws("kinesisvideo create-stream --stream-name {name} --data-retention-in-hours 1")
    reader.made["video"] = made["StreamARN"]
    assert re.fullmatch(
        rf"arn:aws:kinesisvideo:{REGION_AND_ACCOUNT}:stream/{reader.name}/\d{{13}}",
        made["StreamARN"],
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
    aws, arn = reader.aws, f"arn:aws:rekognition:{REGION_AND_ACCOUNT}:collection/{reader.name}"
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
    assert found["StreamARN"] == f"arn:aws:kinesis:{REGION_AND_ACCOUNT}:stream/{reader.name}"
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
    """Fill the CLI's own skeleton of a stream processor as the tutorial says."""
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
        "StreamProcessorArn": (
            f"arn:aws:rekognition:{REGION_AND_ACCOUNT}:streamprocessor/{reader.name}"
        )
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


def wait_for_other(reader, laptop, wait_until, status):
    """Wait until the processor has left a transient status."""
    describe = laptop.client("rekognition").describe_stream_processor
    wait_until(lambda: describe(Name=reader.name)["Status"] != status, 60)
