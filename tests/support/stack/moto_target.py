"""A stack in an AWS account as the verbs find it, made by moto."""

import json

import boto3

from cli.aws.shared_session import SharedSession
from cli.aws.target import Target
from whosthere import settings
from whosthere.clock import now_ms
from whosthere.session import lock as locks
from whosthere.session_store import Session

BUCKET = "the-bucket"
MINUTE_MS = 60_000
FIRST_LINE = "AWS 111122223333 eu-west-1 whosthere"


def deployed_target(table):
    """Return the stack, with two cameras."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = boto3.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument=trust)
    machine = boto3.client("stepfunctions").create_state_machine(
        name="whosthere-session",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
        roleArn=role["Role"]["Arn"],
    )["stateMachineArn"]
    dead_letters = boto3.client("sqs").create_queue(QueueName="whosthere-dead-letters")["QueueUrl"]
    objects = boto3.client("sqs").create_queue(QueueName="whosthere-objects")["QueueUrl"]
    return Target(
        stack="whosthere",
        region="eu-west-1",
        account="111122223333",
        endpoint="",
        cameras=("front-door", "back-door"),
        session=SharedSession(),
        engine="stream-processor",
        id="arn:aws:cloudformation:eu-west-1:111122223333:stack/whosthere/one",
        outputs={
            "TableName": table.name,
            "BucketName": BUCKET,
            "StateMachineArn": machine,
            "CamerasMachineArn": machine,
            "DeadLetterQueueUrl": dead_letters,
            "ObjectsQueueUrl": objects,
            "PeopleCollectionId": "whosthere-people",
        },
        parameters={
            "VideoRetentionHours": "24",
            "ReviewRetentionDays": "30",
            "ReportRetentionDays": "365",
            "LogRetentionDays": "14",
        },
    )


def running_session(table, camera="front-door", session_id="one", minutes=60.0, **changed):
    """Open a session that started a minute ago."""
    values = settings.defaults() | {"timeZone": "Europe/Berlin"} | changed
    session = Session(
        id=session_id,
        camera=camera,
        engine="stream-processor",
        execution=f"arn:{session_id}",
        started_ms=now_ms() - MINUTE_MS,
        deadline_ms=now_ms() + round(minutes * MINUTE_MS),
        ended_ms=None,
        ended_by=None,
        held=True,
        settings=settings.from_values(values),
    )
    locks.open_session(table, session, values)
    return session
