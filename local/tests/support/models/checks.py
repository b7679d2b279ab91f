"""Answers of our services, as they come over the wire, held against AWS's own models.

`watch` puts the check behind every boto3 client of the tests; `ask` sends a request that no client
has checked before. Whatever the model doesn't say of an answer is wrong in it: unknown members,
missing ones, types, lengths, patterns, names of errors and their statuses.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from botocore import handlers
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from local.laptop import LaptopAWS

CONTROL = ("rekognition", "kinesisvideo")
MEDIA = ("kinesis-video-media", "kinesis-video-archived-media")
SERVICES = CONTROL + MEDIA
# What every service may answer: "Common errors" of the API references of Rekognition and Kinesis
# Video, and what a request without shape or signature brings (AWS JSON protocols, SigV4).
COMMON_ERRORS = {
    "AccessDeniedException",
    "InternalFailure",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",  # GetImages' prose has it for a width alone
}
# Our reading where AWS's model has no error for what can happen: ten processors run already. Create
# has this name for its own limit.
UNMODELLED = {("StartStreamProcessor", "LimitExceededException")}
TYPES: dict[str, Any] = {
    "structure": dict, "list": list, "map": dict, "string": str, "boolean": bool, "blob": str,
    "integer": int, "long": int, "float": (int, float), "double": (int, float),
    "timestamp": (int, float),
}  # fmt: skip
ENVELOPE = {"__type", "message"}  # of an error: the protocol's, not the shape's


@cache
def model(service: str) -> ServiceModel:
    """AWS's model of a service."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def complaints(shape: Any, value: Any, path: str) -> Iterator[str]:
    """What a value has that its shape doesn't say, and the other way round."""
    expected = TYPES[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        yield f"{path} is no {shape.type_name}"
        return
    yield from _out_of_bounds(shape, value, path)
    if shape.type_name == "structure":
        yield from (f"{path} has an unknown {name}" for name in value.keys() - shape.members.keys())
        yield from (f"{path} lacks {name}" for name in set(shape.required_members) - value.keys())
        for name in value.keys() & shape.members.keys():
            yield from complaints(shape.members[name], value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for one in value:
            yield from complaints(shape.member, one, f"{path}[]")
    elif shape.type_name == "map":
        for key, one in value.items():
            yield from complaints(shape.key, key, f"{path}.keys")
            yield from complaints(shape.value, one, f"{path}.{key}")


def _out_of_bounds(shape: Any, value: Any, path: str) -> Iterator[str]:
    limits = shape.metadata
    size = value if isinstance(value, int | float) else len(value)
    if value in ([], {}):  # answers share the lists of requests, whose least length is meant
        return
    if not limits.get("min", size) <= size <= limits.get("max", size):
        yield f"{path}: {size} is out of bounds"
    if (names := limits.get("enum")) and value not in names:
        yield f"{path} is not one of {names}"
    pattern = pattern_of(shape)
    if pattern and not re.fullmatch(pattern, value):
        yield f"{path} does not match {pattern}"


def pattern_of(shape: Any) -> str:
    """Return a string's pattern, translated from Java's syntax."""
    if (
        shape.name == "ContentType"
    ):  # AWS answers video/webm and video/mp4, and its model forbids "/"
        return ""
    pattern = shape._shape_model.get("pattern", "") if shape.type_name == "string" else ""
    return pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", "").replace(r"\p{Z}", r"\s")


def check_answer(operation: OperationModel, status: int, headers: Any, body: bytes) -> None:
    """Fail unless an answer is one that AWS's model of the operation allows."""
    found = _in_success if status < 300 else _in_failure
    wrong = list(found(operation, status, {k.lower(): v for k, v in headers.items()}, body))
    assert not wrong, f"{operation.name}: {'; '.join(wrong)}"


def _in_success(
    operation: OperationModel, status: int, headers: Mapping[str, str], body: bytes
) -> Iterator[str]:
    shape = operation.output_shape
    if shape is None:
        return
    bare = {
        name: member for name, member in shape.members.items() if "location" in member.serialization
    }
    for name, member in bare.items():
        if member.serialization["location"] == "header":
            value = headers.get(member.serialization["name"].lower(), "")
            yield from complaints(member, value, f"header {name}")
    if "payload" not in shape.serialization:
        answer = json.loads(body)
        yield from complaints(shape, answer, operation.name)
        yield from (f"{name} belongs into a header" for name in bare.keys() & answer.keys())


def _in_failure(
    operation: OperationModel, status: int, headers: Mapping[str, str], body: bytes
) -> Iterator[str]:
    answer = json.loads(body)
    code = headers.get("x-amzn-errortype") or answer.get("__type", "")
    code = code.partition(":")[0].rpartition("#")[2]
    modelled = {shape.name: shape for shape in operation.error_shapes}
    # A closed service has no words (REKOGNITION_PROCESSORS_CLOSED).
    closed = code == "AccessDeniedException" and "StreamProcessor" in operation.name
    if not answer.get("message", answer.get("Message")) and not closed:
        yield f"{code} says nothing"
    if code not in modelled:
        if code not in COMMON_ERRORS and (operation.name, code) not in UNMODELLED:
            yield f"{code} is not an error of it"
        return
    expected = modelled[code].metadata.get("error", {}).get("httpStatusCode", status)
    if status != expected and code != "AccessDeniedException":  # IAM's own, before the service
        yield f"{code} has status {status}, not {expected}"
    for name in answer.keys() - ENVELOPE - {"Message"} - modelled[code].members.keys():
        yield f"{code} has an unknown {name}"


def watch() -> Callable[[], None]:
    """Check every answer that a client of these services gets from now on; ends when called."""
    watchers = [
        (f"response-received.{model(service).service_id.hyphenize()}", _received)
        for service in SERVICES
    ]
    handlers.BUILTIN_HANDLERS.extend(watchers)

    def end() -> None:
        for watcher in watchers:
            handlers.BUILTIN_HANDLERS.remove(watcher)

    return end


def _received(event_name: str, response_dict: Any = None, **_: Any) -> None:
    if not response_dict:  # nobody answered
        return
    _, hyphenized, name = event_name.split(".")
    service = next(one for one in SERVICES if model(one).service_id.hyphenize() == hyphenized)
    operation = model(service).operation_model(name)
    body = response_dict["body"] if isinstance(response_dict["body"], bytes) else b""
    check_answer(operation, response_dict["status_code"], response_dict["headers"], body)


def ask(laptop: LaptopAWS, service: str, name: str, parameters: Any) -> tuple[str, Any]:
    """Send a request unchanged; return the error code or "", and the answer."""
    operation = model(service).operation_model(name)
    headers = {"content-type": "application/json"}
    if "targetPrefix" in operation.service_model.metadata:
        prefix = operation.service_model.metadata["targetPrefix"]
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": f"{prefix}.{name}",
        }
    endpoint = laptop.facts["media_endpoint"] if service in MEDIA else laptop.endpoint
    url = endpoint + operation.http["requestUri"]
    request = AWSRequest("POST", url, headers, json.dumps(parameters).encode())
    keys = Credentials(laptop.facts["access_key_id"], laptop.facts["secret_access_key"])
    scope = operation.service_model.signing_name
    SigV4Auth(keys, scope, laptop.facts["region"]).add_auth(request)
    answer = _session().send(request.prepare())
    check_answer(operation, answer.status_code, answer.headers, answer.content)
    if "json" not in answer.headers.get("content-type", ""):
        return "", answer.content
    content = json.loads(answer.content)
    return (content.get("__type", "") if answer.status_code >= 300 else ""), content


@cache
def _session() -> URLLib3Session:
    return URLLib3Session(proxies={}, timeout=30)


def as_json(data: bytes) -> str:
    """Return a blob as a JSON request carries it."""
    return base64.b64encode(data).decode()
