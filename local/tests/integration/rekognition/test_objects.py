"""Pictures that lie in S3 are read with the rights of whoever asks."""

import json
import uuid

import boto3
import pytest
from PIL import Image

from local.tests.support.laptop.parts import allow, error_code
from local.tests.support.media.portraits import encoded, photo

KEY = "people/Zoë/1 copy.jpg"


@pytest.fixture
def bucket(laptop):
    """A bucket with one portrait."""
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    s3 = laptop.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key=KEY, Body=photo("Zoë"))
    return name


def client_with(laptop, *statements):
    """Rekognition as somebody who may do only this."""
    iam, name = laptop.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName=name, PolicyName="test", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.client(
        "rekognition",
        endpoint_url=laptop.facts["endpoint"],
        region_name="us-east-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


def test_the_owner_reads_any_object(laptop, bucket):
    image = {"S3Object": {"Bucket": bucket, "Name": KEY}}
    assert len(laptop.client("rekognition").detect_faces(Image=image)["FaceDetails"]) == 1


@pytest.mark.parametrize("name", ["no-such-key.jpg", "people/"])
def test_an_object_that_is_not_there_is_an_invalid_object(laptop, bucket, name):
    rekognition = laptop.client("rekognition")
    with pytest.raises(rekognition.exceptions.InvalidS3ObjectException):
        rekognition.detect_faces(Image={"S3Object": {"Bucket": bucket, "Name": name}})


def test_who_may_not_read_the_object_can_not_have_it_looked_at(laptop, bucket):
    image = {"S3Object": {"Bucket": bucket, "Name": KEY}}
    detect = allow("rekognition:DetectFaces")
    assert error_code(client_with(laptop, detect).detect_faces, Image=image) == (
        "InvalidS3ObjectException"
    )
    may_read = client_with(laptop, detect, allow("s3:GetObject", f"arn:aws:s3:::{bucket}/people/*"))
    assert len(may_read.detect_faces(Image=image)["FaceDetails"]) == 1


def test_an_older_version_of_an_object_is_read_when_it_is_named(laptop, bucket):
    s3, rekognition = laptop.client("s3"), laptop.client("rekognition")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    older = s3.put_object(Bucket=bucket, Key=KEY, Body=photo("Zoë"))["VersionId"]
    s3.put_object(Bucket=bucket, Key=KEY, Body=encoded(Image.new("RGB", (100, 100))))
    named = {"Bucket": bucket, "Name": KEY}
    assert rekognition.detect_faces(Image={"S3Object": named})["FaceDetails"] == []
    image = {"S3Object": {**named, "Version": older}}
    assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == 1
    unknown = {"S3Object": {**named, "Version": "no-such-version"}}
    with pytest.raises(rekognition.exceptions.InvalidS3ObjectException):
        rekognition.detect_faces(Image=unknown)


def test_an_object_may_be_larger_than_a_request_but_not_than_its_own_limit(laptop, bucket):
    s3, rekognition = laptop.client("s3"), laptop.client("rekognition")
    image = {"S3Object": {"Bucket": bucket, "Name": "large.jpg"}}
    portrait = photo("Zoë")
    # What follows the end of a JPEG is no part of the picture.
    s3.put_object(Bucket=bucket, Key="large.jpg", Body=portrait.ljust(15 * 1024 * 1024, b"\0"))
    assert len(rekognition.detect_faces(Image=image)["FaceDetails"]) == 1
    s3.put_object(Bucket=bucket, Key="large.jpg", Body=portrait.ljust(15 * 1024 * 1024 + 1, b"\0"))
    with pytest.raises(rekognition.exceptions.ImageTooLargeException):
        rekognition.detect_faces(Image=image)


def test_a_bucket_that_is_not_there_is_an_invalid_object(laptop):
    rekognition = laptop.client("rekognition")
    image = {"S3Object": {"Bucket": "no-such-bucket", "Name": KEY}}
    with pytest.raises(rekognition.exceptions.InvalidS3ObjectException):
        rekognition.detect_faces(Image=image)
