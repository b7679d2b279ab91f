"""Who may do what on the laptop AWS: functions, sessions, presigned URLs and the decisions' log."""

import json
import urllib.error
import urllib.request

import pytest
from botocore.config import Config

from local.tests.support.laptop.assumable_roles import ACCOUNT, assumable_role, client_as
from local.tests.support.laptop.parts import (
    allow,
    decisions,
    error_code,
    invoke,
    make_function,
    make_role,
    unique,
)


@pytest.fixture(scope="module")
def bucket(laptop):
    """A bucket with one object."""
    s3, name = laptop.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="people/a.jpg", Body=b"a")
    return name


def fetched(url):
    """What a presigned URL gives: the content, or the status that refuses it."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.code


def test_a_function_does_what_its_role_allows_and_nothing_else(laptop, bucket):
    code = (
        "import boto3\ns3 = boto3.client('s3')\n"
        "def handler(event, context):\n"
        "    return s3.get_object(Bucket=event['b'], Key=event['k'])['ContentLength']"
    )
    role = make_role(
        laptop, "lambda.amazonaws.com", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/people/*")
    )
    function = make_function(laptop, code, role=role)
    assert invoke(laptop, function, {"b": bucket, "k": "people/a.jpg"}) == (None, 1)
    error, payload = invoke(laptop, function, {"b": bucket, "k": "review/a.jpg"})
    assert error
    assert "not authorized to perform: s3:GetObject" in payload["errorMessage"]
    arn = f"arn:aws:s3:::{bucket}"
    # without the key: it would hold a name
    assert ("s3:GetObject", f"{arn}/people/*", True) in decisions(laptop, role)
    assert ("s3:GetObject", f"{arn}/review/a.jpg", False) in decisions(laptop, role)


def test_a_session_policy_narrows_the_role(laptop, bucket):
    role = assumable_role(laptop, allow("s3:*"))
    arn = f"arn:aws:s3:::{bucket}"
    narrowed = client_as(laptop, role, "s3", allow("s3:GetObject", f"{arn}/people/a.jpg"))
    assert narrowed.get_object(Bucket=bucket, Key="people/a.jpg")["ContentLength"] == 1
    assert error_code(narrowed.get_object, Bucket=bucket, Key="people/b.jpg") == "AccessDenied"
    assert error_code(narrowed.list_objects_v2, Bucket=bucket) == "AccessDenied"


def test_a_url_presigned_by_a_session_gives_its_one_object(laptop, bucket):
    role = assumable_role(laptop, allow("s3:*"))
    arn = f"arn:aws:s3:::{bucket}"
    narrowed = client_as(laptop, role, "s3", allow("s3:GetObject", f"{arn}/people/a.jpg"))
    sign = narrowed.generate_presigned_url
    good = sign("get_object", Params={"Bucket": bucket, "Key": "people/a.jpg"}, ExpiresIn=60)
    other = sign("get_object", Params={"Bucket": bucket, "Key": "people/b.jpg"}, ExpiresIn=60)
    assert fetched(good) == b"a"
    assert fetched(other) == 403
    assert fetched(good.replace("people", "review")) == 403
    assert fetched(good.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")) == 403


def test_a_presigned_url_ends_when_it_says(laptop, bucket, wait_until):
    s3 = laptop.client("s3", Config(signature_version="s3v4"))
    params = {"Bucket": bucket, "Key": "people/a.jpg"}
    url = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=1)
    wait_until(lambda: fetched(url) == 403, 30)


def test_a_role_is_assumed_only_by_whom_it_trusts(laptop):
    assume = laptop.client("sts").assume_role
    role = make_role(laptop, "lambda.amazonaws.com", allow("*"))
    assert error_code(assume, RoleArn=role, RoleSessionName="test") == "AccessDenied"


def test_a_session_is_known_to_a_trust_policy_by_its_role(laptop):
    """`aws:PrincipalArn` is the role's ARN, not the session's."""
    first = assumable_role(laptop, allow("sts:AssumeRole"))
    iam, name = laptop.client("iam"), unique("role")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:PrincipalArn": f"{first}*"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    second = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    sts = client_as(laptop, first, "sts")
    assert sts.assume_role(RoleArn=second, RoleSessionName="next")["Credentials"]
    other = client_as(laptop, assumable_role(laptop, allow("sts:AssumeRole")), "sts")
    assert error_code(other.assume_role, RoleArn=second, RoleSessionName="other") == "AccessDenied"


def test_the_path_of_a_role_is_part_of_its_name_to_a_trust_policy(laptop):
    """So a trust policy can go by it, whatever the roles are called."""
    iam, path = laptop.client("iam"), f"/{unique('stack')}/pictures/"
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role{path}*"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName=unique("role"), AssumeRolePolicyDocument=document)
    second = made["Role"]["Arn"]
    inside = client_as(laptop, assumable_role(laptop, allow("sts:AssumeRole"), path=path), "sts")
    assert inside.assume_role(RoleArn=second, RoleSessionName="next")["Credentials"]
    beside = client_as(laptop, assumable_role(laptop, allow("sts:AssumeRole")), "sts")
    assert error_code(beside.assume_role, RoleArn=second, RoleSessionName="other") == "AccessDenied"


def test_a_bucket_policy_that_refuses_plain_http_lets_the_laptop_in(laptop):
    s3, name = laptop.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=name)
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": f"arn:aws:s3:::{name}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(
        Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    assert error_code(s3.put_object, Bucket=name, Key="k", Body=b"x") == ""


def test_a_bucket_policy_can_deny_even_the_owner(laptop):
    s3, name = laptop.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=name)
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    s3.put_bucket_policy(
        Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    assert error_code(s3.put_object, Bucket=name, Key="k", Body=b"x") == "AccessDenied"


@pytest.mark.parametrize("allowed", [True, False])
def test_a_rule_reaches_a_function_only_with_its_permission(laptop, wait_until, allowed):
    table = unique("table")
    laptop.client("dynamodb").create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    code = (
        "import boto3\ntable = boto3.resource('dynamodb').Table"
        f"('{table}')\ndef handler(event, context):\n    table.put_item(Item={{'pk': 'reached'}})"
    )
    function = make_function(laptop, code, allow("dynamodb:PutItem"))
    events, rule = laptop.client("events"), unique("rule")
    arn = events.put_rule(Name=rule, EventPattern='{"source": ["test.laptop"]}')["RuleArn"]
    laptop.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=arn if allowed else f"{arn}-other",
    )
    events.put_targets(Rule=rule, Targets=[{"Id": "function", "Arn": function}])
    entry = {"Source": "test.laptop", "DetailType": "test", "Detail": "{}"}
    events.put_events(Entries=[entry])
    decided = ("lambda:InvokeFunction", function, allowed)
    wait_until(lambda: decided in decisions(laptop, "events.amazonaws.com"))
    items = laptop.client("dynamodb").scan
    if allowed:
        wait_until(lambda: items(TableName=table)["Items"], 60)
    assert bool(items(TableName=table)["Items"]) is allowed
    events.remove_targets(Rule=rule, Ids=["function"])
    events.delete_rule(Name=rule)


@pytest.mark.parametrize("condition", [True, False])
def test_a_rule_meets_no_condition_of_a_topics_policy(laptop, wait_until, condition):
    events, rule = laptop.client("events"), unique("rule")
    topic = laptop.client("sns").create_topic(Name=rule)["TopicArn"]
    source = unique("test.laptop")
    pattern = json.dumps({"source": [source]})
    arn = events.put_rule(Name=rule, EventPattern=pattern)["RuleArn"]
    who = {"Service": "events.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": who, "Action": "sns:Publish", "Resource": topic}
    if condition:
        statement["Condition"] = {"ArnEquals": {"aws:SourceArn": arn}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    laptop.client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=policy
    )
    events.put_targets(Rule=rule, Targets=[{"Id": "topic", "Arn": topic}])
    events.put_events(Entries=[{"Source": source, "DetailType": "test", "Detail": "{}"}])
    decided = ("sns:Publish", topic, not condition)
    wait_until(lambda: decided in decisions(laptop, "events.amazonaws.com"))
