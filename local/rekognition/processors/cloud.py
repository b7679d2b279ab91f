"""The AWS account of a stream processor: it assumes a role and writes to a data stream."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from local import ministack
from local.security.signing import Credentials


class LaptopCloud:
    """The laptop AWS, through real signed requests."""

    account = ministack.ACCOUNT
    region = ministack.REGION

    @property
    def endpoint(self) -> str:
        """Return the URL of every service's control plane."""
        return ministack.endpoint()

    def assume(self, role_arn: str, processor_arn: str, session: str) -> Credentials:
        """Return keys of the role, or raise AccessDenied if Rekognition may not assume it."""
        return ministack.assume_role_as_service(
            role_arn,
            service="rekognition.amazonaws.com",
            session_name=session,
            source_arn=processor_arn,
        )

    def put_record(
        self, keys: Credentials, stream_arn: str, record: Mapping[str, Any], key: str
    ) -> None:
        """Write a record, or raise AccessDenied or ServiceError."""
        data = base64.b64encode(json.dumps(record, separators=(",", ":")).encode()).decode()
        parameters = {"StreamARN": stream_arn, "Data": data, "PartitionKey": key}
        ministack.call_as(keys, "kinesis", "PutRecord", parameters)
