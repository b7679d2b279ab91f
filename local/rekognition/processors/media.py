"""Read live media as a client of Kinesis Video: GetDataEndpoint, then GetMedia."""

import http.client
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from local.security.iam import AccessDenied
from local.security.signing import ALONE, Credentials, ServiceError, call

SILENCE_SECONDS = 60  # without a byte, ask again: the connection may be dead
PIECE = 64 * 1024
DENIED = {401, 403}
MISSING = 404


class DeniedError(Exception):
    """The role may not read the video stream."""


class MissingError(Exception):
    """There is no such video stream."""


@dataclass(frozen=True, slots=True)
class MediaSource:
    """A video stream and the endpoint of its control plane."""

    endpoint: str
    region: str
    stream_arn: str


def read_live(
    source: MediaSource, keys: Credentials, *, after: str | None = None
) -> Iterator[bytes]:
    """Yield the stream's media from now on, or after the fragment of a number.

    An empty piece comes first, when the request is accepted.
    """
    asked = {"StreamARN": source.stream_arn, "APIName": "GET_MEDIA"}
    try:
        answer = call(
            source.endpoint, keys, "kinesisvideo", "GetDataEndpoint", asked, region=source.region
        )
    except AccessDenied as denied:
        raise DeniedError from denied
    except ServiceError as error:
        raise (MissingError if error.code == "ResourceNotFoundException" else OSError) from error
    yield from _get_media(source, keys, answer["DataEndpoint"], after)


def _get_media(
    source: MediaSource, keys: Credentials, data_endpoint: str, after: str | None
) -> Iterator[bytes]:
    start = {"StartSelectorType": "NOW"}
    if after is not None:
        start = {"StartSelectorType": "FRAGMENT_NUMBER", "AfterFragmentNumber": after}
    asked = {"StreamARN": source.stream_arn, "StartSelector": start}
    body = json.dumps(asked).encode()
    headers = {"content-type": "application/json"}
    request = AWSRequest("POST", f"{data_endpoint}/getMedia", headers=headers, data=body)
    given = ReadOnlyCredentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
    SigV4Auth(given, "kinesisvideo", source.region).add_auth(request)
    host = urllib.parse.urlsplit(data_endpoint).netloc
    connection = http.client.HTTPConnection(host, timeout=SILENCE_SECONDS)
    try:
        connection.request("POST", "/getMedia", body=body, headers={**request.headers, **ALONE})
        answer = connection.getresponse()
        _check(answer)
        yield b""
        while piece := answer.read1(PIECE):
            yield piece
    finally:
        connection.close()


def _check(answer: http.client.HTTPResponse) -> None:
    if answer.status in DENIED:
        raise DeniedError
    if answer.status == MISSING:
        raise MissingError
    if answer.status != http.HTTPStatus.OK:
        raise OSError(f"GetMedia answered {answer.status}")
