"""The Backend of the laptop AWS: the emulator's streams and functions.

Failure destinations are written to with the rights of the function's role.
"""

import time
import urllib.parse
from collections.abc import Callable
from typing import Any

from local import ministack
from local.event_source_mapping import streams
from local.event_source_mapping.model import DestinationError, Invocation, Record, Shard
from local.security import signing
from local.security.iam import AccessDenied

SESSION = "event-source-mapping"
# Fields that hold results, not settings.
RESULTS = frozenset({"LastProcessingResult", "LastModified"})


class EmulatorBackend:
    """The backend that reads the emulator's streams and invokes its functions."""

    def mappings(self) -> list[dict[str, Any]]:
        """Return every Kinesis mapping with the field names of EventSourceMappingConfiguration."""
        return [
            {key: value for key, value in mapping.items() if key not in RESULTS}
            for mapping in ministack.kinesis_mappings()
        ]

    def shards(self, stream_arn: str) -> list[Shard]:
        """Return the shards of a stream, or none if there is no such stream."""
        return streams.shards(stream_arn)

    def records(self, stream_arn: str, shard_id: str, *, after: str, limit: int) -> list[Record]:
        """Return the oldest records whose sequence number is greater ("" for all)."""
        return streams.records(stream_arn, shard_id, after=after, limit=limit)

    def latest(self, stream_arn: str, shard_id: str) -> str:
        """Return the newest sequence number of a shard, or "" if it has no record."""
        return streams.latest(stream_arn, shard_id)

    def role(self, function_arn: str) -> str | None:
        """Return the ARN of a function's execution role, or None if there is no such function."""
        try:
            return ministack.function_role(function_arn)
        except signing.ServiceError:
            return None

    def allowed(self, role_arn: str, action: str, resource: str) -> bool:
        """Return whether a role is allowed an action on a resource."""
        try:
            ministack.authorize(ministack.role_principal(role_arn, SESSION), action, resource)
        except AccessDenied:
            return False
        return True

    def invoke(self, function_arn: str, event: dict[str, Any]) -> Invocation:
        """Invoke a function and wait for its answer."""
        arrived = event["Records"][-1]["kinesis"]["approximateArrivalTimestamp"]
        ministack.record_iterator_age(function_arn, 1000 * (time.time() - arrived))
        try:
            answer = ministack.invoke(function_arn, event)
        except signing.ServiceError:
            return Invocation(refused="missing")
        payload = answer.payload
        if isinstance(payload, dict) and payload.get("__type") == "TooManyRequestsException":
            return Invocation(refused="throttled")
        return Invocation(payload, answer.function_error)

    def put_object(self, role_arn: str, bucket: str, key: str, body: bytes) -> None:
        """Write to S3 with the rights of the role, or raise DestinationError."""
        # Lambda wants this right too (kinesis-on-failure-destination, role permissions).
        if not self.allowed(role_arn, "s3:ListBucket", f"arn:aws:s3:::{bucket}"):
            raise DestinationError(f"the role lacks s3:ListBucket on {bucket}")
        self._as_role(
            role_arn,
            lambda keys: ministack.put_object_as(
                keys, bucket, key, body, content_type="application/json"
            ),
        )

    def send_message(self, role_arn: str, queue_arn: str, body: str) -> None:
        """Send to SQS with the rights of the role, or raise DestinationError."""
        account, name = queue_arn.split(":")[4:6]
        message = {"QueueUrl": f"{ministack.endpoint()}/{account}/{name}", "MessageBody": body}
        self._as_role(role_arn, lambda keys: ministack.call_as(keys, "sqs", "SendMessage", message))

    def publish(self, role_arn: str, topic_arn: str, message: str) -> None:
        """Publish to SNS with the rights of the role, or raise DestinationError."""
        form = {
            "Action": "Publish",
            "Version": "2010-03-31",
            "TopicArn": topic_arn,
            "Message": message,
        }
        self._as_role(
            role_arn,
            lambda keys: signing.send(
                ministack.endpoint(),
                keys,
                "sns",
                "POST",
                "/",
                headers={"content-type": "application/x-www-form-urlencoded"},
                body=urllib.parse.urlencode(form).encode(),
                region=ministack.REGION,
            ),
        )

    def load_checkpoints(self, uuid: str) -> dict[str, Any]:
        """Return what was saved last for a mapping, or {}."""
        with _scope():
            return dict(ministack.MAPPING_POSITIONS.get().get(uuid) or {})

    def save_checkpoints(self, uuid: str, checkpoints: dict[str, Any]) -> None:
        """Store the checkpoints in the emulator's state; they are deleted with the mapping."""
        with _scope():
            if uuid in ministack.MAPPINGS.get():
                ministack.MAPPING_POSITIONS.get()[uuid] = checkpoints

    def count(self, uuid: str, metric: str, number: int) -> None:
        """Add to a CloudWatch metric of a mapping."""
        ministack.add_mapping_metric(uuid, metric, number)

    def report(self, uuid: str, result: str) -> None:
        """Set the LastProcessingResult of a mapping."""
        ministack.set_mapping_result(uuid, result)

    @staticmethod
    def _as_role(role_arn: str, send: Callable[[signing.Credentials], object]) -> None:
        try:
            send(
                ministack.assume_role_as_service(
                    role_arn, service="lambda.amazonaws.com", session_name=SESSION
                )
            )
        except (AccessDenied, signing.ServiceError, OSError) as error:
            raise DestinationError(str(error)) from error


def _scope() -> Any:
    return ministack.REQUEST_SCOPE.get()(ministack.ACCOUNT, ministack.REGION)
