"""Roles, functions and state machines for the tests of the laptop AWS itself."""

import io
import json
import time
import uuid
import zipfile
from typing import Any

from botocore.exceptions import ClientError

from local.laptop import LaptopAWS
from local.security.iam import read_decisions

Statement = dict[str, Any]
SDK = "arn:aws:states:::aws-sdk:"


def unique(prefix: str) -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def allow(action: str | list[str], resource: str = "*", **more: Any) -> Statement:
    """One statement of a policy."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def make_role(
    laptop: LaptopAWS, service: str, *statements: Statement, condition: Any = None
) -> str:
    """Create a role that a service may assume, with an inline policy; return its ARN."""
    iam, name = laptop.client("iam"), unique("role")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    trust |= {"Condition": condition} if condition else {}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]
    set_policy(laptop, role["Arn"], *statements)
    return str(role["Arn"])


def set_policy(laptop: LaptopAWS, role_arn: str, *statements: Statement) -> None:
    """Put these statements in place of what the role was allowed."""
    iam, name = laptop.client("iam"), role_arn.rsplit("/", 1)[-1]
    if not statements:
        if iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName="test")
        return
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_role_policy(RoleName=name, PolicyName="test", PolicyDocument=document)


def zipped(**files: str) -> bytes:
    """Return a zip of Python files by their stems; `__` in a stem is a folder."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for stem, text in files.items():
            archive.writestr(f"{stem.replace('__', '/')}.py", text)
    return content.getvalue()


def make_function(
    laptop: LaptopAWS, code: str, *statements: Statement, role: str = "", **settings: Any
) -> str:
    """Create a function with this code; return its ARN."""
    given = role or make_role(laptop, "lambda.amazonaws.com", *statements)
    made = laptop.client("lambda").create_function(
        FunctionName=unique("function"),
        Runtime="python3.13",
        Handler="module.handler",
        Role=given,
        Code={"ZipFile": zipped(module=code)},
        Timeout=20,
        **settings,
    )
    return str(made["FunctionArn"])


def invoke(laptop: LaptopAWS, function: str, event: Any = None) -> tuple[str | None, Any]:
    """Invoke a function; return its error, if any, and its answer."""
    payload = json.dumps(event or {})
    answer = laptop.client("lambda").invoke(FunctionName=function, Payload=payload)
    return answer.get("FunctionError"), json.loads(answer["Payload"].read())


def make_machine(laptop: LaptopAWS, role: str, states: dict[str, Any], **top: Any) -> str:
    """Create a JSONata state machine that starts at its first state; return its ARN."""
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), **top}
    made = laptop.client("stepfunctions").create_state_machine(
        name=unique("machine"),
        roleArn=role,
        definition=json.dumps({**definition, "States": states}),
    )
    return str(made["stateMachineArn"])


def start(laptop: LaptopAWS, machine: str, given: Any = None, **more: str) -> str:
    """Start an execution; return its ARN."""
    states, text = laptop.client("stepfunctions"), json.dumps(given or {})
    started = states.start_execution(stateMachineArn=machine, input=text, **more)
    return str(started["executionArn"])


def run(
    laptop: LaptopAWS, wait_until: Any, machine: str, given: Any = None, **more: str
) -> dict[str, Any]:
    """Run an execution to its end; return it with its output parsed."""
    states, arn = laptop.client("stepfunctions"), start(laptop, machine, given, **more)

    def ended() -> Any:
        found = states.describe_execution(executionArn=arn)
        return found if found["status"] != "RUNNING" else None

    execution: dict[str, Any] = wait_until(ended, 30)
    return {**execution, "output": json.loads(execution.get("output") or "null")}


def make_table(laptop: LaptopAWS) -> str:
    """The name of a new table with the keys pk and sk."""
    name, keys = unique("table"), {"pk": "HASH", "sk": "RANGE"}
    laptop.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
    )
    return name


def waiting(table: str, seconds: Any, **more: Any) -> dict[str, Any]:
    """A task that writes its token into the table and waits."""
    return {
        "Type": "Task",
        "Resource": f"{SDK}dynamodb:updateItem.waitForTaskToken",
        "Arguments": {
            "TableName": table,
            "Key": {"pk": {"S": "{% $states.context.Execution.Name %}"}, "sk": {"S": "lock"}},
            "UpdateExpression": "SET #t = :t",
            "ExpressionAttributeNames": {"#t": "token"},
            "ExpressionAttributeValues": {":t": {"S": "{% $states.context.Task.Token %}"}},
        },
        "TimeoutSeconds": seconds,
        **more,
    }


def token_of(laptop: LaptopAWS, table: str, execution: str, but: str = "") -> str:
    """The token an execution has written, once it is another one."""
    key = {"pk": {"S": execution.rsplit(":", 1)[1]}, "sk": {"S": "lock"}}
    item = laptop.client("dynamodb").get_item(TableName=table, Key=key).get("Item", {})
    token: str = item.get("token", {}).get("S", "")
    return token if token != but else ""


def history(laptop: LaptopAWS, execution: str) -> list[dict[str, Any]]:
    """All events of an execution."""
    get = laptop.client("stepfunctions").get_execution_history
    events: list[dict[str, Any]] = get(executionArn=execution, maxResults=1000)["events"]
    return events


def event_types(laptop: LaptopAWS, execution: str) -> list[str]:
    """The types of all events of an execution."""
    return [event["type"] for event in history(laptop, execution)]


def final_types(laptop: LaptopAWS, execution: str, seconds: float) -> list[str]:
    """The types of an ended execution's events, to which this time has added none."""
    before = event_types(laptop, execution)
    time.sleep(seconds)
    assert event_types(laptop, execution) == before
    return before


def error_code(call: Any, **parameters: Any) -> str:
    """Return the error code of a call, "" if it succeeds."""
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def decisions(laptop: LaptopAWS, principal: str) -> list[tuple[str, str, bool]]:
    """Action, resource and outcome of every decision about a role or service."""
    found = read_decisions(laptop.directory / "iam.jsonl")
    name = principal.rsplit("/", 1)[-1]
    return [
        (one["action"], one["resource"], one["allowed"])
        for one in found
        if one["principal"] == name
    ]
