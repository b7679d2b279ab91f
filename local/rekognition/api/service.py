"""The service module that MiniStack routes to, and AWS::Rekognition::Collection."""

import asyncio
import contextvars
import json
import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local import ministack
from local.rekognition.api import (
    collection_operations,
    image_operations,
    processor_operations,
    tag_operations,
)
from local.rekognition.api.operation_context import (
    Answer,
    OperationContext,
    Parameters,
    invalid_object,
)
from local.rekognition.api.validation import checked
from local.rekognition.collections import Collections
from local.rekognition.errors import RekognitionError
from local.rekognition.processors.cloud import LaptopCloud
from local.rekognition.processors.lifecycle import Processors
from local.rekognition.worker.pool import WorkerPool
from local.rekognition.worker.process import WorkerDiedError
from local.security.iam import AccessDenied
from local.security.signing import ServiceError

TARGET = "RekognitionService"
OPERATIONS: dict[str, Callable[[OperationContext, Parameters], Answer]] = {
    **collection_operations.OPERATIONS,
    **image_operations.OPERATIONS,
    **processor_operations.OPERATIONS,
    **tag_operations.OPERATIONS,
}
# The modelled server faults; every other error is the client's.
FAULTS = {"InternalServerError", "ThrottlingException"}
THREADS = 8
# A setting: stream processors are closed, as to AWS accounts that are new to them since 30 April
# 2026 and in all Regions but five. Each of their operations is denied, without a message: aws-cli
# issue 4409 has the body, issues 18 and 39 of awsdocs/amazon-rekognition-developer-guide are alike.
CLOSED = "REKOGNITION_PROCESSORS_CLOSED"

log = logging.getLogger("local.rekognition")

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rekognition")


def _read_object(bucket: str, key: str, version: str | None) -> bytes:
    try:
        caller = ministack.current_principal()
        return ministack.get_object_as(caller, bucket, key, version=version).body
    except (AccessDenied, ServiceError, UnicodeError) as error:
        raise invalid_object() from error


def _authorize(action: str, resource: str) -> None:
    try:
        ministack.authorize(ministack.current_principal(), action, resource)
    except AccessDenied as denied:
        raise RekognitionError("AccessDeniedException", denied.message) from denied


def _make_context() -> OperationContext:
    prefix = f"arn:aws:rekognition:{ministack.REGION}:{ministack.ACCOUNT}"
    collections, pool = Collections(prefix), WorkerPool()
    processors = Processors(LaptopCloud(), pool, collections)
    return OperationContext(collections, processors, pool, prefix, _read_object, _authorize)


_context = _make_context()


async def handle_request(
    method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, list[str]]
) -> ministack.Answer:
    """Answer one request in a thread, outside the emulator's event loop."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    try:
        answer = loop.run_in_executor(_threads, context.run, _answer, operation, body)
    except RuntimeError:  # the threads have been shut down
        return _reply(503, {"__type": "ServiceUnavailable", "message": "Rekognition has stopped"})
    return await answer


def reset() -> None:
    """Delete everything and stop what runs."""
    _context.processors.clear()
    _context.collections.clear()


def stop() -> None:
    """Stop every worker process."""
    _context.processors.clear()
    _context.pool.close()
    _threads.shutdown(wait=False)  # queued requests are answered with an error


def _answer(operation: str, body: bytes) -> ministack.Answer:
    try:
        answer = _reply(200, _run(operation, body))
    except RekognitionError as error:
        status = 500 if error.code in FAULTS else 400
        said = {"message": error.message, "Message": error.message} if error.message else {}
        answer = _reply(status, {"__type": error.code, **said})
    if operation in OPERATIONS:
        ministack.record_request("AWS/Rekognition", operation, answer[0])
    return answer


def _run(operation: str, body: bytes) -> Answer:
    run = OPERATIONS.get(operation)
    if run is None:
        raise RekognitionError(
            "UnknownOperationException",
            f"The laptop AWS does not implement rekognition:{operation}",
        )
    if operation in processor_operations.OPERATIONS and os.environ.get(CLOSED):
        raise RekognitionError("AccessDeniedException", "")
    parameters = checked(operation, _parsed(body))
    try:
        return run(_context, parameters)
    except WorkerDiedError as error:
        log.warning("%s: an analysis worker died", operation)
        raise RekognitionError("InternalServerError", "Internal server error") from error


def _parsed(body: bytes) -> Any:
    """Parse the body as JSON, without Python's NaN and Infinity."""
    try:
        return json.loads(body or b"{}", parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RekognitionError("SerializationException", "The request is not JSON") from error


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _reply(status: int, content: Answer) -> ministack.Answer:
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    return status, headers, json.dumps(content).encode()


def _create_collection(logical_id: str, properties: Parameters, stack: str) -> tuple[str, Answer]:
    """Create a collection; Ref is its id, GetAtt Arn its ARN."""
    name = properties["CollectionId"]
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    made = _context.collections.create(name, tags)
    return name, {"Arn": made.arn}


def _update_collection(
    physical_id: str, old: Parameters, new: Parameters, stack: str
) -> tuple[str, Answer]:
    """Replace the collection if its id changes; nothing else can."""
    if new["CollectionId"] == physical_id:
        return physical_id, {"Arn": _context.collections.get(physical_id).arn}
    created = _create_collection("", new, stack)
    _delete_collection(physical_id, old)
    return created


def _delete_collection(physical_id: str, properties: Parameters) -> None:
    if physical_id in _context.collections.names():
        _context.collections.delete(physical_id)


SERVICE = ministack.Service(
    name="rekognition",
    module=sys.modules[__name__],
    target_prefix=TARGET,
    error_prefix="Rekognition",
    resources={
        "AWS::Rekognition::Collection": {
            "create": _create_collection,
            "update": _update_collection,
            "delete": _delete_collection,
        }
    },
    passes_role={"CreateStreamProcessor": "RoleArn"},
)
