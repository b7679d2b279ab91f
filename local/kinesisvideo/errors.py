"""The errors of Kinesis Video Streams, with AWS's names and HTTP statuses."""

import json
from collections.abc import Mapping


class KinesisVideoError(Exception):
    """An error: AWS's name, its message and its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """Make the error with its HTTP status."""
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def invalid_argument(message: str) -> KinesisVideoError:
    """Return the error of a request that breaks a rule of the operation."""
    return KinesisVideoError("InvalidArgumentException", message)


def stream_not_found(name: str) -> KinesisVideoError:
    """Return the error for an unknown stream."""
    message = f"The requested stream is not found or not active: {name}"
    return KinesisVideoError("ResourceNotFoundException", message, 404)


def no_data_retention(name: str) -> KinesisVideoError:
    """Return the error of an operation that needs retention on a stream without any."""
    message = f"Stream {name} does not retain data: DataRetentionInHours is 0"
    return KinesisVideoError("NoDataRetentionException", message)


def version_mismatch(name: str, version: str) -> KinesisVideoError:
    """Return the error of a version that is no longer the stream's current one."""
    message = f"The current version of {name} is not {version}"
    return KinesisVideoError("VersionMismatchException", message)


def nothing_found() -> KinesisVideoError:
    """Return the error for a range without fragments."""
    message = "No fragments found in the stream for the range"
    return KinesisVideoError("ResourceNotFoundException", message, 404)


def not_implemented(name: str) -> KinesisVideoError:
    """Return the error that names what the laptop AWS does not implement."""
    message = f"{name} is not implemented on the laptop AWS"
    return KinesisVideoError("UnknownOperationException", message, 404)


def wrong_endpoint(name: str) -> KinesisVideoError:
    """Return the error of a media operation that was sent to the control plane."""
    message = f"{name} is not here but at the endpoint that GetDataEndpoint gives (--endpoint-url)"
    return KinesisVideoError("UnknownOperationException", message, 404)


def service_stopping() -> KinesisVideoError:
    """Return the error of requests that arrive while the laptop AWS stops."""
    return KinesisVideoError("ServiceUnavailableException", "Kinesis Video has stopped", 503)


def error_response(error: KinesisVideoError) -> tuple[int, dict[str, str], bytes]:
    """Return an error's HTTP response, readable by SDKs and by Step Functions."""
    headers = {
        "content-type": "application/json",
        "x-amzn-errortype": error.code,
        "x-amz-errortype": error.code,  # as AWS's own pages spell it
    }
    message = error.message
    body = {"__type": error.code, "Message": message, "message": message}
    return error.status, headers, encode(body)


def encode(document: Mapping[str, object]) -> bytes:
    """Return a document as compact JSON."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
