"""Signed requests over HTTP to the laptop AWS; never send one from MiniStack's event loop."""

import urllib.parse
from collections.abc import Mapping
from typing import Any

from local.ministack.access import Principal
from local.ministack.roles import credentials_of
from local.ministack.running import REGION, endpoint
from local.security.signing import Credentials, Response, call, send


def call_as(
    caller: Principal | Credentials, service: str, operation: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Call one JSON operation (kinesis, rekognition, dynamodb, ...) signed by the caller.

    Raises AccessDenied or ServiceError (with AWS's code).
    """
    return call(endpoint(), _keys(caller), service, operation, parameters, region=REGION)


def get_object_as(
    caller: Principal | Credentials, bucket: str, key: str, *, version: str | None = None
) -> Response:
    """Get an object with the caller's rights; raise AccessDenied or ServiceError on failure."""
    query = f"?versionId={urllib.parse.quote(version, safe='')}" if version else ""
    path = f"/{bucket}/{urllib.parse.quote(key)}{query}"
    return send(endpoint(), _keys(caller), "s3", "GET", path, region=REGION)


def put_object_as(
    caller: Principal | Credentials,
    bucket: str,
    key: str,
    body: bytes,
    *,
    content_type: str = "application/octet-stream",
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Put an object with the caller's rights; raise AccessDenied or ServiceError on failure."""
    headers = {"content-type": content_type}
    headers.update(
        {f"x-amz-meta-{name.lower()}": value for name, value in (metadata or {}).items()}
    )
    path = f"/{bucket}/{urllib.parse.quote(key)}"
    send(endpoint(), _keys(caller), "s3", "PUT", path, headers=headers, body=body, region=REGION)


def publish_as(
    caller: Principal | Credentials, topic_arn: str, message: str, *, subject: str
) -> None:
    """Publish with the caller's rights; raise AccessDenied or ServiceError on failure."""
    asked = {
        "Action": "Publish",
        "Version": "2010-03-31",
        "TopicArn": topic_arn,
        "Subject": subject,
        "Message": message,
    }
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    body = urllib.parse.urlencode(asked).encode()
    send(endpoint(), _keys(caller), "sns", "POST", "/", headers=headers, body=body, region=REGION)


def _keys(caller: Principal | Credentials) -> Credentials:
    return caller if isinstance(caller, Credentials) else credentials_of(caller)
