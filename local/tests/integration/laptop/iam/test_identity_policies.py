"""IAM's managed policies, what they allow, and what IAM and topics refuse."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from local.tests.support.laptop.parts import error_code, make_role, unique

MANAGED = "arn:aws:iam::aws:policy/"
SERVICE_ROLE = f"{MANAGED}service-role/AmazonRekognitionServiceRole"


def trusting(laptop):
    who = {"AWS": f"arn:aws:iam::{laptop.facts['account']}:root"}
    statement = {"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def role(laptop):
    """A role of the account without any policy."""
    name = unique("role")
    document = json.dumps(trusting(laptop))
    laptop.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    return name


def acting_as(laptop, role, service):
    arn = f"arn:aws:iam::{laptop.facts['account']}:role/{role}"
    keys = laptop.client("sts").assume_role(RoleArn=arn, RoleSessionName="try")["Credentials"]
    return boto3.Session(
        keys["AccessKeyId"],
        keys["SecretAccessKey"],
        keys["SessionToken"],
        region_name=laptop.facts["region"],
    ).client(service, endpoint_url=laptop.endpoint)


def test_a_service_role_may_write_to_streams_of_its_prefix_only(laptop, role):
    laptop.client("iam").attach_role_policy(RoleName=role, PolicyArn=SERVICE_ROLE)
    kinesis = acting_as(laptop, role, "kinesis")
    for prefix, code in (("AmazonRekognition-", ""), ("door-", "AccessDeniedException")):
        name = unique(prefix)
        laptop.client("kinesis").create_stream(StreamName=name, ShardCount=1)
        put = {"StreamName": name, "Data": b"x", "PartitionKey": "x"}
        assert error_code(kinesis.put_record, **put) == code


@pytest.mark.parametrize(
    ("policy", "service", "call", "asked", "code"),
    [
        ("AmazonRekognitionReadOnlyAccess", "rekognition", "list_collections", {}, ""),
        (
            "AmazonRekognitionReadOnlyAccess",
            "rekognition",
            "create_collection",
            {"CollectionId": "x"},
            "AccessDeniedException",
        ),
        ("AmazonKinesisVideoStreamsFullAccess", "kinesisvideo", "list_streams", {}, ""),
        (
            "AmazonKinesisVideoStreamsReadOnlyAccess",
            "kinesisvideo",
            "create_stream",
            {"StreamName": "x"},
            "AccessDeniedException",
        ),
    ],
)
def test_the_managed_policies_of_both_services_allow_what_they_say(
    laptop, role, policy, service, call, asked, code
):
    laptop.client("iam").attach_role_policy(RoleName=role, PolicyArn=f"{MANAGED}{policy}")
    assert error_code(getattr(acting_as(laptop, role, service), call), **asked) == code


def test_an_unknown_managed_policy_is_refused(laptop, role):
    arn = f"{MANAGED}AmazonRekognitionServiceRole"  # without its path
    with pytest.raises(ClientError) as refused:
        laptop.client("iam").attach_role_policy(RoleName=role, PolicyArn=arn)
    assert refused.value.response["Error"]["Code"] == "NoSuchEntity"
    said = refused.value.response["Error"]["Message"]
    assert said == f"Policy {arn} does not exist or is not attachable."


def document(characters):
    """A policy of so many characters, and whitespace that does not count."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::"}
    whole = {"Version": "2012-10-17", "Statement": [statement]}
    missing = characters - len(json.dumps(whole, separators=(",", ":")))
    statement["Resource"] += "x" * missing
    return json.dumps(whole, indent=8)


def test_the_inline_policies_of_a_role_have_10240_characters_together(laptop, role):
    iam = laptop.client("iam")
    put = {"RoleName": role, "PolicyName": "first", "PolicyDocument": document(6_000)}
    iam.put_role_policy(**put)
    iam.put_role_policy(**put)  # takes the place of itself
    second = put | {"PolicyName": "second", "PolicyDocument": document(4_241)}
    with pytest.raises(ClientError) as refused:
        iam.put_role_policy(**second)
    assert refused.value.response["Error"]["Code"] == "LimitExceeded"
    said = refused.value.response["Error"]["Message"]
    assert said == f"Maximum policy size of 10240 bytes exceeded for role {role}"
    iam.put_role_policy(**second | {"PolicyDocument": document(4_240)})


def stack_status(laptop, resources):
    """Why a stack of these resources could not be made, "" if it could."""
    stack, client = unique("stack"), laptop.client("cloudformation")
    body = json.dumps({"Resources": resources})
    client.create_stack(StackName=stack, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
    try:
        client.get_waiter("stack_create_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
        )
    except Exception:
        events = client.describe_stack_events(StackName=stack)["StackEvents"]
        reasons = [one.get("ResourceStatusReason", "") for one in events]
        return next(one for one in reversed(reasons) if one not in ("", "User Initiated"))
    return ""


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"ManagedPolicyArns": [SERVICE_ROLE]}, ""),
        ({"ManagedPolicyArns": [f"{MANAGED}NoSuchPolicy"]}, "does not exist or is not attachable"),
        (
            {
                "Policies": [
                    {"PolicyName": name, "PolicyDocument": json.loads(document(5_200))}
                    for name in ("a", "b")
                ]
            },
            "Maximum policy size of 10240 bytes exceeded for role",
        ),
    ],
    ids=["known", "unknown", "too large"],
)
def test_a_template_is_refused_for_the_same(laptop, properties, said):
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trusting(laptop), **properties},
    }
    reason = stack_status(laptop, {"Role": role})
    assert said in reason and bool(said) == bool(reason)


def test_a_policy_of_a_template_counts_with_the_roles_own(laptop):
    name = make_role(laptop, "lambda.amazonaws.com").rsplit("/", 1)[-1]
    laptop.client("iam").put_role_policy(
        RoleName=name, PolicyName="own", PolicyDocument=document(6_000)
    )
    policy = {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyName": "more",
            "PolicyDocument": json.loads(document(5_000)),
            "Roles": [name],
        },
    }
    assert "Maximum policy size of 10240 bytes" in stack_status(laptop, {"Policy": policy})


@pytest.mark.parametrize("made_by", ["a template", "the API"])
def test_a_role_without_rights_neither_publishes_nor_subscribes(laptop, role, made_by):
    name = unique("topic")
    if made_by == "a template":
        topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}}
        assert stack_status(laptop, {"Topic": topic}) == ""
    arn = laptop.client("sns").create_topic(Name=name)["TopicArn"]
    sns = acting_as(laptop, role, "sns")
    assert error_code(sns.publish, TopicArn=arn, Message="forged") == "AuthorizationError"
    mail = {"TopicArn": arn, "Protocol": "email", "Endpoint": "a@example.com"}
    assert error_code(sns.subscribe, **mail) == "AuthorizationError"
    laptop.client("sns").publish(TopicArn=arn, Message="the owner's")
