"""What a hostile web page could send to the laptop AWS, over the wire and to both ports."""

import http.client
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.laptop import LaptopAWS
from local.tests.support.laptop.parts import unique

TARGET = {"X_Amz_Target": "DynamoDB_20120810.ListTables"}
FAKE = (
    "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host, Signature=00"
)


@pytest.fixture(params=["endpoint", "media_endpoint"])
def port(request, laptop: LaptopAWS) -> int:
    """Each of the two ports."""
    return int(urlsplit(laptop.facts[request.param]).port or 0)


def status(port, method="POST", path="/", body=b"{}", **headers):
    """The status of the answer to a request made by hand."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body=body, headers=named)
        answer = connection.getresponse()
        allowed = answer.getheader("Access-Control-Allow-Origin")
        answer.read()
    finally:
        connection.close()
    assert allowed is None, "a refused page must not be told that it may read the answer"
    return answer.status


def test_a_rebound_name_is_refused(port):
    assert status(port, Host=f"evil.example:{port}", **TARGET, Authorization=FAKE) == 403
    assert status(port, Host="evil.example", **TARGET) == 403


def test_a_key_that_the_emulator_takes_for_root_is_refused(port):
    # with the status that JSON services have for an unknown key
    assert status(port, **TARGET, Authorization=FAKE) == 400


CALLS = {
    "sts": lambda client: client.get_caller_identity(),
    "sns": lambda client: client.list_topics(),
    "iam": lambda client: client.list_roles(),
    "s3": lambda client: client.list_buckets(),
    "sqs": lambda client: client.list_queues(),
    "dynamodb": lambda client: client.list_tables(),
    "lambda": lambda client: client.list_functions(),
    "rekognition": lambda client: client.list_collections(),
    "kinesisvideo": lambda client: client.list_streams(),
    "kinesis-video-media": lambda client: client.get_media(
        StreamName="x", StartSelector={"StartSelectorType": "NOW"}
    ),
}
UNKNOWN = {
    "sts": "InvalidClientTokenId",
    "sns": "InvalidClientTokenId",
    "iam": "InvalidClientTokenId",
    "sqs": "InvalidClientTokenId",
    "s3": "InvalidAccessKeyId",
}


@pytest.mark.parametrize("key", ["x", "test", "AKIAXXXXXXXXXXXXXXXX"])
@pytest.mark.parametrize("service", CALLS)
def test_an_unknown_key_is_refused_in_the_form_of_the_service(laptop, service, key):
    url = laptop.facts["media_endpoint" if service.endswith("media") else "endpoint"]
    client = boto3.Session(key, "x", region_name="us-east-1").client(service, endpoint_url=url)
    with pytest.raises(ClientError) as refused:
        CALLS[service](client)
    answer = refused.value.response
    assert answer["Error"]["Code"] == UNKNOWN.get(service, "UnrecognizedClientException")
    assert answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("rekognition", lambda client: client.describe_collection(CollectionId="none")),
        ("kinesisvideo", lambda client: client.describe_stream(StreamName="none")),
    ],
)
def test_other_refusals_of_ours_have_a_request_id_too(laptop, service, call):
    with pytest.raises(ClientError) as refused:
        call(laptop.client(service))
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert refused.value.response["ResponseMetadata"]["RequestId"]


def test_the_owners_key_with_a_wrong_signature_is_refused(laptop, port):
    forged = FAKE.replace("test", laptop.facts["access_key_id"])
    today = {"X_Amz_Date": "20261122T000000Z"}
    path = "/" if laptop.endpoint.endswith(f":{port}") else "/getMedia"
    assert status(port, path=path, **TARGET, **today, Authorization=forged) in (400, 401, 403)


def test_the_emulators_reset_is_out_of_reach(laptop):
    port = int(urlsplit(laptop.endpoint).port or 0)
    assert status(port, path="/_ministack/reset") == 403
    signed = FAKE.replace("test", laptop.facts["access_key_id"])
    assert status(port, path="/_ministack/reset", Authorization=signed) == 403


def test_a_page_stored_in_a_bucket_gains_nothing(laptop):
    s3, bucket = laptop.client("s3", Config(signature_version="s3v4")), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="page.html", Body=b"<script>", ContentType="text/html")
    port = int(urlsplit(laptop.endpoint).port or 0)
    assert status(port, "GET", f"/{bucket}/page.html", b"") == 403
    assert status(port, Origin=f"http://127.0.0.1:{port}", **TARGET) == 400  # no key: DynamoDB's
