"""Roles that the owner may assume, for tests of policies."""

import json

import boto3
from botocore.config import Config

from local.security.signing import Credentials
from local.tests.support.laptop.parts import unique

ACCOUNT = "000000000000"
OWNER = f"arn:aws:iam::{ACCOUNT}:user/owner"


def policy(*statements):
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def assumable_role(laptop, *statements, path="/"):
    """Create a role that the owner may assume, with an inline policy; return its ARN."""
    iam, name = laptop.client("iam"), unique("role")
    trust = {"Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=name, PolicyName="test", PolicyDocument=policy(*statements))
    return made["Role"]["Arn"]


def keys_of(laptop, role, *narrowed):
    """Return the keys of a session of the role, narrowed by the statements of a session policy."""
    more = {"Policy": policy(*narrowed)} if narrowed else {}
    answer = laptop.client("sts").assume_role(RoleArn=role, RoleSessionName="test", **more)
    keys = answer["Credentials"]
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def client_as(laptop, role, service, *narrowed):
    """Return a client with a session of the role."""
    keys = keys_of(laptop, role, *narrowed)
    return boto3.client(
        service,
        endpoint_url=laptop.endpoint,
        region_name=laptop.facts["region"],
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
        config=Config(signature_version="s3v4") if service == "s3" else None,
    )
