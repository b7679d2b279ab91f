"""The camera's stream in Kinesis Video Streams: where to send, signed by whom."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
)

from ..errors import ConnectionLostError, EdgeError, RefusedError, UnreachableError
from .acks import Ack
from .error_advice import advice
from .put_media import PutMedia, Request
from .service_clock import ServiceClock

# Credentials that can be renewed are, this long before they end.
RENEW_S = 30
# AWS's own producer asks for the data endpoint anew as often.
ENDPOINT_S = 40 * 60
EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken"})
CALLS = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 2})
NOT_REACHED = (
    ConnectionError,
    HTTPClientError,
    CredentialRetrievalError,
    MetadataRetrievalError,
)


class VideoStream:
    """A video stream that PutMedia connections can be opened to."""

    def __init__(
        self, name: str, session: Any = None, say: Callable[[str], None] = lambda text: None
    ) -> None:
        self.name = name
        self._session = session or botocore.session.get_session()
        with _plain_errors(name):
            self._client: Any = self._session.create_client("kinesisvideo", config=CALLS)
        self.region: str = self._client.meta.region_name
        self._clock = ServiceClock(say)
        self._asked = 0.0
        self._client.meta.events.register("before-send", self._before_call)
        self._client.meta.events.register("after-call", self._after_call)
        self._retention_hours: int | None = None
        self._endpoint = ""
        self._endpoint_at = float("-inf")

    @property
    def address(self) -> str:
        """Say which stream of all this is, as far as that is known without a network."""
        return f"{self._client.meta.endpoint_url} {self.region} {self.name}"

    @property
    def final_event(self) -> str:
        """Name the ack after which a fragment need not be kept."""
        # AWS, PutMedia: a stream that keeps nothing never says PERSISTED.
        return "RECEIVED" if self._retention_hours == 0 else "PERSISTED"

    def retention_hours(self) -> int:
        """Ask how long the stream keeps what it is sent, and so whether it is there."""
        with _plain_errors(self.name):
            answer = self._client.describe_stream(StreamName=self.name)
        self._retention_hours = int(answer["StreamInfo"].get("DataRetentionInHours", 0))
        return self._retention_hours

    def connect(self, on_ack: Callable[[Ack], None], on_change: Callable[[], None]) -> PutMedia:
        """Open a PutMedia connection whose body is yet to come."""
        try:
            if self._retention_hours is None:
                self.retention_hours()
            with _plain_errors(self.name):
                request = self._signed_request()
        except UnreachableError as exc:
            raise ConnectionLostError(str(exc)) from exc
        try:
            return PutMedia(request, on_ack, on_change, self._clock.check)
        except ConnectionLostError:
            # Perhaps it is somewhere else now.
            self._endpoint_at = float("-inf")
            raise

    def is_expiring(self) -> bool:
        """Say whether the credentials that signed the last connection end soon."""
        # Only credentials that botocore can renew know their end. Nothing but
        # _signed_request renews them, so their end is the open connection's too.
        refresh_needed = getattr(self._session.get_credentials(), "refresh_needed", None)
        return refresh_needed is not None and bool(refresh_needed(RENEW_S))

    def _before_call(self, **_: Any) -> None:
        self._asked = time.time()

    def _after_call(self, http_response: Any, **_: Any) -> None:
        self._clock.check(http_response.headers.get("Date"), self._asked, time.time())

    def _data_endpoint(self) -> str:
        if time.monotonic() - self._endpoint_at > ENDPOINT_S:
            answer = self._client.get_data_endpoint(StreamName=self.name, APIName="PUT_MEDIA")
            self._endpoint = answer["DataEndpoint"].rstrip("/")
            self._endpoint_at = time.monotonic()
        return self._endpoint

    def _signed_request(self) -> Request:
        url = f"{self._data_endpoint()}/putMedia"
        headers = {
            "Host": urlsplit(url).netloc,
            "x-amzn-stream-name": self.name,
            "x-amzn-fragment-timecode-type": "ABSOLUTE",
            "x-amzn-producer-start-timestamp": f"{time.time():.3f}",
            "x-amzn-fragment-acknowledgment-required": "1",
        }
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        # The video does not exist yet, so the signature covers an empty body, as
        # with AWS's own producer.
        signed = AWSRequest(method="POST", url=url, headers=headers)
        keys = credentials.get_frozen_credentials()
        SigV4Auth(keys, "kinesisvideo", self.region).add_auth(signed)
        # Keys that renew themselves will have been renewed when it is tried again.
        passing = EXPIRED if hasattr(credentials, "refresh_needed") else frozenset()
        return Request(url, dict(signed.headers.items()), passing, self._ca_file())

    def _ca_file(self) -> str | None:
        name = self._session.get_config_variable("ca_bundle")
        return str(name) if name else None


@contextlib.contextmanager
def _plain_errors(stream: str) -> Iterator[None]:
    """Turn botocore's errors into ours, told in words for the camera's owner."""
    try:
        yield
    except NoCredentialsError as exc:
        raise RefusedError(
            "No AWS credentials found. Run `aws configure`, or set AWS_PROFILE or the "
            "AWS_* variables."
        ) from exc
    except NoRegionError as exc:
        raise RefusedError("No AWS region given. Set AWS_DEFAULT_REGION.") from exc
    except NOT_REACHED as exc:
        raise UnreachableError(
            f"AWS cannot be reached: {exc} Check the network, the region and AWS_ENDPOINT_URL."
        ) from exc
    except ClientError as exc:
        raise _refusal(stream, exc) from exc
    except BotoCoreError as exc:
        raise RefusedError(f"The AWS settings are not usable: {exc}") from exc


def _refusal(stream: str, exc: Any) -> EdgeError:
    code, message = exc.response["Error"]["Code"], exc.response["Error"]["Message"]
    text = f"{exc.operation_name} on stream {stream}: {code}: {message}"
    if exc.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
        return UnreachableError(text)
    return RefusedError(f"{text.rstrip('.')}. {advice(code)}".rstrip())
