"""The service module that MiniStack routes the control operations to."""

import sys

from local import ministack
from local.kinesisvideo import errors
from local.kinesisvideo.api import cloudformation, control
from local.kinesisvideo.store.state import current_service


def _stream_arn(name: object) -> str | None:
    stream = current_service().streams.get(name) if isinstance(name, str) else None
    return stream.arn if stream else None


async def handle_request(
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query_params: dict[str, list[str]],
) -> ministack.Answer:
    """Run one control operation, named by X-Amz-Target or by the path."""
    operation = headers.get("x-amz-target", path).rpartition(
        "." if "x-amz-target" in headers else "/"
    )[2]
    operation = operation[:1].upper() + operation[1:]
    try:
        if method != "POST":
            raise errors.not_implemented(f"{method} {path[:100]}")
        answer = control.handle(current_service(), operation, body)
    except errors.KinesisVideoError as error:
        return errors.error_response(error)
    return 200, {"content-type": "application/json"}, errors.encode(answer)


def reset() -> None:
    """Delete every stream and fragment."""
    current_service().reset()


def stop() -> None:
    """Stop the background work."""
    current_service().stop()


SERVICE = ministack.Service(
    name="kinesisvideo",
    module=sys.modules[__name__],
    target_prefix="KinesisVideo",
    error_prefix="KinesisVideo",
    resources=cloudformation.HANDLERS,
    stream_arn=_stream_arn,
)
