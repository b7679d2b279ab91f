"""What goes wrong for a reader of the tutorial, by the names that AWS has for it."""

import pytest
from PIL import Image

from tests.support.stack.tutorial import (
    REGION_AND_ACCOUNT,
    fill_skeleton,
    reading,
    trust,
    wait_for_other,
)


@pytest.fixture
def reader(laptop, tmp_path):
    """Somebody with photos and the CLI."""
    with reading(laptop, tmp_path) as reader:
        yield reader


def furnish(reader):
    """What a processor needs, made without the CLI's every field being looked at."""
    write = reader.terminal.write
    reader.made["video"] = reader.aws("kinesisvideo create-stream --stream-name {name}")[
        "StreamARN"
    ]
    reader.made["data"] = f"arn:aws:kinesis:{REGION_AND_ACCOUNT}:stream/{reader.name}"
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

        wait_until(refused)
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
