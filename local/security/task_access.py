"""The permission that a Step Functions task needs, and the error name of its denial.

The names follow the services' own: an aws-sdk task gives the exception class of the Java
SDK behind its service's prefix (Step Functions guide, "Error names"), which is the
service's base exception where its API reference lists no access error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SDK_DENIALS = {
    "dynamodb": "DynamoDb.DynamoDbException",
    "eventbridge": "EventBridge.EventBridgeException",
    "kinesis": "Kinesis.AccessDeniedException",
    "kinesisvideo": "KinesisVideo.AccessDeniedException",
    "lambda": "Lambda.LambdaException",
    "rekognition": "Rekognition.AccessDeniedException",
    "s3": "S3.S3Exception",
    "scheduler": "Scheduler.SchedulerException",
    "sfn": "Sfn.SfnException",
    "sns": "Sns.AuthorizationErrorException",
    "sqs": "Sqs.SqsException",
}
# The optimised integrations are older and name errors as the first Java SDK does.
OPTIMISED_DENIALS = {
    "dynamodb": "DynamoDB.AmazonDynamoDBException",
    "events": "EventBridge.AmazonEventBridgeException",
    "lambda": "Lambda.AWSLambdaException",
    "sns": "SNS.AuthorizationErrorException",
    "sqs": "SQS.AmazonSQSException",
    "states": "StepFunctions.AWSStepFunctionsException",
}


@dataclass(frozen=True, slots=True)
class Access:
    """One permission: an action on a resource."""

    action: str
    resource: str


def error_name(resource: str) -> str:
    """Return the error name of a task whose role may not make the call."""
    service = _service(resource)
    if ":aws-sdk:" in resource:
        return SDK_DENIALS.get(service, f"{service.capitalize()}.{service.capitalize()}Exception")
    return OPTIMISED_DENIALS.get(service, "States.Permissions")


def optimised_request(resource: str, given: Any, *, region: str, account: str) -> Access | None:
    """Return the permission that an integration needs; None for aws-sdk tasks."""
    if ":aws-sdk:" in resource or ":activity:" in resource:
        return None
    parameters = given if isinstance(given, Mapping) else {}
    if resource.startswith("arn:aws:lambda:"):
        return Access("lambda:InvokeFunction", resource.removesuffix(".waitForTaskToken"))
    service, operation = _service(resource), resource.split(":")[6].partition(".")[0]
    arn = _resource(service, parameters, f"{region}:{account}")
    if service == "lambda":
        return Access("lambda:InvokeFunction", arn)
    return Access(f"{service}:{operation[:1].upper()}{operation[1:]}", arn)


def _service(resource: str) -> str:
    parts = resource.split(":")
    if parts[2] == "lambda":
        return "lambda"
    return parts[6].lower() if parts[5] == "aws-sdk" else parts[5]


def _resource(service: str, parameters: Mapping[str, Any], where: str) -> str:
    if service == "dynamodb":
        return _arn(parameters.get("TableName", ""), f"arn:aws:dynamodb:{where}:table/")
    if service == "lambda":
        return _arn(parameters.get("FunctionName", ""), f"arn:aws:lambda:{where}:function:")
    if service == "sns":
        return str(parameters.get("TopicArn") or parameters.get("TargetArn") or "*")
    if service == "sqs":
        return f"arn:aws:sqs:{where}:{parameters.get('QueueUrl', '').rpartition('/')[2]}"
    if service == "states":
        return str(parameters.get("StateMachineArn", "*"))
    if service == "events":
        entries = parameters.get("Entries") or [{}]
        return _arn(
            entries[0].get("EventBusName") or "default", f"arn:aws:events:{where}:event-bus/"
        )
    return "*"


def _arn(given: str, prefix: str) -> str:
    return given if given.startswith("arn:") else prefix + given
