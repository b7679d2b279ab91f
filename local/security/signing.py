"""Signed requests to the laptop AWS itself, without boto3's clients, which take much memory."""

import hashlib
import http.client
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from local.security.iam import AccessDenied

TIMEOUT_SECONDS = 30
# Close after each request: the server would keep an idle connection open.
ALONE = {"Connection": "close"}
TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "kinesis": "Kinesis_20131202",
    "rekognition": "RekognitionService",
    "sqs": "AmazonSQS",
}
DENIED = re.compile("AccessDenied|AuthorizationError|NotAuthorized")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys to sign with: a user's without `session_token`, permanent without `expires` (epoch)."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A successful response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class ServiceError(Exception):
    """An error of an AWS service, with its code in AWS's API reference."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """Make the error with its HTTP status."""
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def call(
    endpoint: str,
    keys: Credentials,
    service: str,
    operation: str,
    parameters: Mapping[str, Any],
    *,
    region: str,
) -> dict[str, Any]:
    """Call an operation of a JSON service; one that is not in TARGETS is REST-JSON."""
    body = json.dumps(parameters).encode()
    if service in TARGETS:
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{TARGETS[service]}.{operation}",
        }
        path = "/"
    else:
        headers, path = (
            {"content-type": "application/json"},
            f"/{operation[0].lower()}{operation[1:]}",
        )
    answer = send(endpoint, keys, service, "POST", path, headers=headers, body=body, region=region)
    return dict(json.loads(answer.body or b"{}"))


def send(
    endpoint: str,
    keys: Credentials,
    service: str,
    method: str,
    path: str,
    *,
    region: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """Send one signed request; raise AccessDenied or ServiceError unless it succeeds."""
    request = AWSRequest(method, endpoint + path, headers=dict(headers or {}), data=body)
    if service == "s3":
        request.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    given = ReadOnlyCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
    signer(given, service, region).add_auth(request)
    connection = http.client.HTTPConnection(
        urllib.parse.urlsplit(endpoint).netloc, timeout=TIMEOUT_SECONDS
    )
    try:
        connection.request(method, path, body=body, headers={**request.headers, **ALONE})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    received = {name.lower(): value for name, value in answer.getheaders()}
    if answer.status >= 300:
        raise _failure(answer.status, received, content)
    return Response(answer.status, received, content)


def _failure(status: int, headers: Mapping[str, str], content: bytes) -> Exception:
    text = content.decode(errors="replace")
    code = headers.get("x-amzn-errortype", "") or _found(
        r"<Code>(.*?)</Code>|\"__type\": ?\"(.*?)\"", text
    )
    code = code.partition(":")[0].rpartition("#")[2]
    message = _found(r"<Message>(.*?)</Message>|\"[mM]essage\": ?\"(.*?)\"", text)
    if DENIED.match(code):
        return AccessDenied(message)
    return ServiceError(code or str(status), message or text, status)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return next((group for group in match.groups() if group), "") if match else ""
