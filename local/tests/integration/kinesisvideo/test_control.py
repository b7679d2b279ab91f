"""The control plane over HTTP, by Step Functions and by CloudFormation."""

import json
import urllib.error
import urllib.request
import uuid

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.session import Session


@pytest.fixture
def control(laptop):
    return laptop.client("kinesisvideo")


@pytest.fixture
def stream(control):
    name = f"stream-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name, DataRetentionInHours=24)["StreamARN"]
    yield name
    control.delete_stream(StreamARN=arn)


def info(control, name):
    return control.describe_stream(StreamName=name)["StreamInfo"]


def error_of(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def raw(laptop, path, body, **headers):
    """What a client that checks nothing before sending would get."""
    session = Session()
    facts = laptop.facts
    session.set_credentials(facts["access_key_id"], facts["secret_access_key"])
    request = AWSRequest("POST", laptop.endpoint + path, data=body, headers=headers)
    SigV4Auth(session.get_credentials(), "kinesisvideo", "us-east-1").add_auth(request)
    sent = urllib.request.Request(request.url, body, dict(request.headers.items()))
    try:
        with urllib.request.urlopen(sent) as answer:
            return answer.status, answer.headers, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


def test_a_stream_keeps_nothing_unless_asked_to(control):
    name = f"stream-{uuid.uuid4().hex[:8]}"
    arn = control.create_stream(StreamName=name)["StreamARN"]
    found = info(control, name)
    assert (found["Status"], found["DataRetentionInHours"]) == ("ACTIVE", 0)
    prefix, _, created = arn.rpartition("/")
    assert prefix == f"arn:aws:kinesisvideo:us-east-1:000000000000:stream/{name}"
    assert abs(int(created) / 1000 - found["CreationTime"].timestamp()) < 1
    control.delete_stream(StreamARN=arn)
    assert error_of(control.describe_stream, StreamName=name)[1] == 404


def test_a_stream_is_described_with_all_that_was_said_of_it(control):
    name = f"stream-{uuid.uuid4().hex[:8]}"
    asked = {"DeviceName": "camera", "MediaType": "video/h264,audio/aac", "KmsKeyId": "alias/x"}
    asked |= {"DataRetentionInHours": 87_600}
    arn = control.create_stream(StreamName=name, Tags={"where": "door"}, **asked)["StreamARN"]
    found = info(control, name)
    assert found.items() >= {**asked, "StreamARN": arn, "Status": "ACTIVE"}.items()
    condition = {"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": name}
    assert control.list_streams(StreamNameCondition=condition)["StreamInfoList"] == [found]
    assert control.list_tags_for_stream(StreamARN=arn)["Tags"] == {"where": "door"}
    control.delete_stream(StreamARN=arn, CurrentVersion=found["Version"])


def test_a_stream_is_found_by_its_name_or_its_arn(control, stream):
    arn = info(control, stream)["StreamARN"]
    assert control.describe_stream(StreamARN=arn)["StreamInfo"]["StreamName"] == stream
    other = arn.rpartition("/")[0] + "/1"
    assert error_of(control.describe_stream, StreamARN=other)[0] == "ResourceNotFoundException"
    assert error_of(control.describe_stream)[0] == "InvalidArgumentException"


def test_a_name_can_be_taken_only_once(control, stream):
    assert error_of(control.create_stream, StreamName=stream) == ("ResourceInUseException", 400)


def test_a_retention_beyond_ten_years_is_refused(laptop):
    body = b'{"StreamName": "x", "DataRetentionInHours": 87601}'
    status, headers, _ = raw(laptop, "/createStream", body)
    assert (status, headers["x-amzn-errortype"]) == (400, "InvalidArgumentException")


def test_step_functions_form_of_a_request_is_understood(laptop, stream):
    target = {"X-Amz-Target": "KinesisVideo.DescribeStream", "Content-Type": "application/json"}
    body = json.dumps({"StreamName": stream}).encode()
    assert raw(laptop, "/", body, **target)[2]["StreamInfo"]["StreamName"] == stream
    status, _, answer = raw(laptop, "/", b'{"StreamName": "nothing"}', **target)
    assert (status, answer["__type"]) == (404, "ResourceNotFoundException")


def test_the_endpoint_of_every_media_operation_is_the_media_plane(laptop, control, stream):
    model = control.meta.service_model.shape_for("APIName")
    assert len(model.enum) == 8
    for name in model.enum:
        found = control.get_data_endpoint(StreamName=stream, APIName=name)["DataEndpoint"]
        assert found == laptop.facts["media_endpoint"]
    assert error_of(control.get_data_endpoint, StreamName="nothing", APIName="GET_MEDIA")[1] == 404


def test_streams_are_listed_by_prefix_a_page_at_a_time(control):
    prefix = f"list-{uuid.uuid4().hex[:6]}"
    names = [f"{prefix}-{number}" for number in range(5)]
    arns = [control.create_stream(StreamName=name)["StreamARN"] for name in names]
    condition = {"ComparisonOperator": "BEGINS_WITH", "ComparisonValue": prefix}
    pages = control.get_paginator("list_streams").paginate(
        StreamNameCondition=condition, PaginationConfig={"PageSize": 2}
    )
    found = [[one["StreamName"] for one in page["StreamInfoList"]] for page in pages]
    assert found == [names[:2], names[2:4], names[4:]]
    for arn in arns:
        control.delete_stream(StreamARN=arn)


def test_the_retention_changes_by_a_difference_and_a_version(control, stream):
    version = info(control, stream)["Version"]
    change = {"StreamName": stream, "DataRetentionChangeInHours": 4}
    control.update_data_retention(
        **change, CurrentVersion=version, Operation="INCREASE_DATA_RETENTION"
    )
    found = info(control, stream)
    assert found["DataRetentionInHours"] == 28
    again = {**change, "Operation": "DECREASE_DATA_RETENTION"}
    late = error_of(control.update_data_retention, **again, CurrentVersion=version)
    assert late == ("VersionMismatchException", 400)
    too_much = {**again, "DataRetentionChangeInHours": 29, "CurrentVersion": found["Version"]}
    assert error_of(control.update_data_retention, **too_much)[0] == "InvalidArgumentException"
    control.update_data_retention(**again, CurrentVersion=found["Version"])
    assert info(control, stream)["DataRetentionInHours"] == 24


def test_a_stream_s_media_type_can_change(control, stream):
    version = info(control, stream)["Version"]
    control.update_stream(StreamName=stream, CurrentVersion=version, MediaType="video/h265")
    found = info(control, stream)
    assert found["MediaType"] == "video/h265"
    assert found["Version"] != version
    again = {"StreamName": stream, "CurrentVersion": version, "MediaType": "video/h264"}
    assert error_of(control.update_stream, **again) == ("VersionMismatchException", 400)


def test_a_delete_with_an_old_version_is_refused(control, stream):
    arn = info(control, stream)["StreamARN"]
    found = error_of(control.delete_stream, StreamARN=arn, CurrentVersion="old")
    assert found == ("VersionMismatchException", 400)


def template(name, hours, **more):
    properties = {
        "Name": name,
        "DataRetentionInHours": hours,
        "MediaType": "video/h264",
        "StreamStorageConfiguration": {"DefaultStorageTier": "HOT"},
        "Tags": [{"Key": "where", "Value": "door"}],
        **more,
    }
    return json.dumps(
        {
            "Resources": {"Door": {"Type": "AWS::KinesisVideo::Stream", "Properties": properties}},
            "Outputs": {
                "Name": {"Value": {"Ref": "Door"}},
                "Arn": {"Value": {"Fn::GetAtt": ["Door", "Arn"]}},
            },
        }
    )


def test_cloudformation_makes_changes_and_deletes_a_stream(laptop, control):
    cloudformation = laptop.client("cloudformation")
    stack, name = (f"{kind}-{uuid.uuid4().hex[:8]}" for kind in ("stack", "stream"))
    cloudformation.create_stack(StackName=stack, TemplateBody=template(name, 24))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack)
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    made = info(control, name)
    values = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    assert values == {"Name": name, "Arn": made["StreamARN"]}
    assert control.list_tags_for_stream(StreamName=name)["Tags"] == {"where": "door"}
    cloudformation.update_stack(StackName=stack, TemplateBody=template(name, "48"))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack)
    changed = info(control, name)
    assert changed["DataRetentionInHours"] == 48
    assert changed["StreamARN"] == made["StreamARN"]
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)
    assert error_of(control.describe_stream, StreamName=name)[1] == 404
