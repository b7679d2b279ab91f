"""The camera's video stream: its endpoint, and signed PutMedia connections to it."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
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
from .clock_skew import ClockSkewMonitor
from .error_advice import advice
from .put_media import PutMediaConnection, PutMediaRequest

# Refreshable credentials are refreshed this long before they expire.
REFRESH_S = 30
# How long the data endpoint is cached; AWS's own producer uses the same time.
ENDPOINT_S = 40 * 60
EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken"})
CLIENT_CONFIG = Config(
    connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 2}
)
UNREACHABLE = (
    ConnectionError,
    HTTPClientError,
    CredentialRetrievalError,
    MetadataRetrievalError,
)


class VideoStream:
    """A Kinesis video stream that the camera sends to."""

    def __init__(
        self,
        name: str,
        session: botocore.session.Session | None = None,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Create the client; raises RefusedError without a region or with wrong settings."""
        self.name = name
        self._session = session or botocore.session.get_session()
        with _translate_errors(name):
            self._client: Any = self._session.create_client("kinesisvideo", config=CLIENT_CONFIG)
        self.region: str = self._client.meta.region_name
        self.clock_skew = ClockSkewMonitor(log)
        self._asked = 0.0
        self._client.meta.events.register("before-send", self._before_call)
        self._client.meta.events.register("after-call", self._after_call)
        self._retention_hours: int | None = None
        self._endpoint = ""
        self._endpoint_fetched_at = float("-inf")

    @property
    def address(self) -> str:
        """Return endpoint, region and name: they identify the stream without a network call."""
        return f"{self._client.meta.endpoint_url} {self.region} {self.name}"

    @property
    def final_event(self) -> str:
        """Return the ack event after which a fragment may be deleted."""
        # AWS, PutMedia: a stream without retention never sends PERSISTED.
        return "RECEIVED" if self._retention_hours == 0 else "PERSISTED"

    def retention_hours(self) -> int:
        """Ask AWS for the stream's retention; raises RefusedError if there is no such stream."""
        with _translate_errors(self.name):
            answer = self._client.describe_stream(StreamName=self.name)
        self._retention_hours = int(answer["StreamInfo"].get("DataRetentionInHours", 0))
        return self._retention_hours

    def connect(
        self, on_ack: Callable[[Ack], None], on_change: Callable[[], None]
    ) -> PutMediaConnection:
        """Open a PutMedia connection whose body follows."""
        try:
            if self._retention_hours is None:
                self.retention_hours()
            with _translate_errors(self.name):
                request = self._signed_request()
        except UnreachableError as exc:
            raise ConnectionLostError(str(exc)) from exc
        try:
            return PutMediaConnection(request, on_ack, on_change, self.clock_skew.check)
        except ConnectionLostError:
            # The endpoint may have moved: ask for it again.
            self._endpoint_fetched_at = float("-inf")
            raise

    def is_expiring(self) -> bool:
        """Return whether the credentials that signed the last connection expire soon."""
        # Only refreshable credentials know their expiry. Only _signed_request refreshes them, so
        # their expiry is the open connection's too.
        refresh_needed = getattr(self._session.get_credentials(), "refresh_needed", None)
        return refresh_needed is not None and bool(refresh_needed(REFRESH_S))

    def _before_call(self, **_: object) -> None:
        self._asked = time.time()

    def _after_call(self, http_response: AWSResponse, **_: object) -> None:
        self.clock_skew.check(http_response.headers.get("Date"), self._asked, time.time())

    def _data_endpoint(self) -> str:
        if time.monotonic() - self._endpoint_fetched_at > ENDPOINT_S:
            answer = self._client.get_data_endpoint(StreamName=self.name, APIName="PUT_MEDIA")
            self._endpoint = answer["DataEndpoint"].rstrip("/")
            self._endpoint_fetched_at = time.monotonic()
        return self._endpoint

    def _signed_request(self) -> PutMediaRequest:
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
        # The video does not exist yet, so the signature covers an empty body, as AWS's own
        # producer does it.
        signed = AWSRequest(method="POST", url=url, headers=headers)
        keys = credentials.get_frozen_credentials()
        SigV4Auth(keys, "kinesisvideo", self.region).add_auth(signed)
        # Refreshable credentials are new at the next attempt, so their expiry is worth a retry.
        retryable = EXPIRED if hasattr(credentials, "refresh_needed") else frozenset()
        return PutMediaRequest(url, dict(signed.headers.items()), retryable, self._ca_file())

    def _ca_file(self) -> str | None:
        name = self._session.get_config_variable("ca_bundle")
        return str(name) if name else None


@contextlib.contextmanager
def _translate_errors(stream: str) -> Iterator[None]:
    """Translate botocore's errors into ours, with texts for the camera's owner."""
    try:
        yield
    except NoCredentialsError as exc:
        raise RefusedError(
            "No AWS credentials found. Run `aws configure`, or set AWS_PROFILE or the "
            "AWS_* variables."
        ) from exc
    except NoRegionError as exc:
        raise RefusedError("No AWS region given. Set AWS_DEFAULT_REGION.") from exc
    except UNREACHABLE as exc:
        raise UnreachableError(
            f"AWS cannot be reached: {exc} Check the network, the region and AWS_ENDPOINT_URL."
        ) from exc
    except ClientError as exc:
        raise _refusal(stream, exc) from exc
    except BotoCoreError as exc:
        raise RefusedError(f"The AWS settings are not usable: {exc}") from exc


def _refusal(stream: str, exc: ClientError) -> EdgeError:
    code, message = exc.response["Error"]["Code"], exc.response["Error"]["Message"]
    text = f"{exc.operation_name} on stream {stream}: {code}: {message}"
    if exc.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
        return UnreachableError(text)
    return RefusedError(f"{text.rstrip('.')}. {advice(code)}".rstrip())
