"""The guard of both ports: it stops web pages and requests without a key.

A page in the laptop's browser can send to any loopback port. It can't set another
`Host` than the name it was loaded from (so DNS rebinding shows), its cross-origin
requests carry an `Origin` or, unless simple, are preceded by a preflight, and it has no
key to sign with. MiniStack takes the keys `test`, "" and any account id for the
account's root, so these never get through; every other key is looked up, and its
signature checked, behind this gate.
"""

import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = tuple[int, Mapping[str, str], bytes]
# Makes the answer to a request without a usable key in the form of the service it is for.
Refusal = Callable[[Scope, Mapping[str, str], Mapping[str, list[str]], str], Answer]

REQUEST_IDS = (b"x-amzn-requestid", b"x-amz-request-id")
MISSING_KEY, UNKNOWN_KEY = "MissingAuthenticationToken", "UnrecognizedClientException"
HEALTH = "/_ministack/health"
# Where a custom resource puts its answer: on AWS a presigned URL, here a token nobody can guess.
CUSTOM_RESOURCE_RESPONSE = re.compile(
    r"/_ministack/cfn-response/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
INTERNAL = "/_"
KEY = re.compile(r"(?=.*[A-Z])[A-Z0-9]{16,128}")
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/\d{8}/[a-z0-9-]+/[a-z0-9-]+/aws4_request,"
    # All that may stand in a header's name (RFC 9110): S3's metadata has names of its own.
    r" ?SignedHeaders=[a-z0-9;!#$%&'*+.^_`|~-]+, ?Signature=[0-9a-f]+"
)
CREDENTIAL = re.compile(r"([^/]+)/\d{8}/[a-z0-9-]+/s3/aws4_request")
PRESIGNED = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
# Query parameters that name a key, in lower case, as MiniStack reads them too.
VERSION_4 = frozenset({"x-amz-algorithm", "x-amz-credential", "x-amz-signature"})
LOOPBACK = ("127.0.0.1", "localhost")
VERSION_2 = frozenset({"awsaccesskeyid", "signature"})


class Guard:
    """An ASGI middleware that passes on requests of this laptop's own programs only."""

    def __init__(
        self,
        application: Application,
        port: int,
        refusal: Refusal | None = None,
        links: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        """Guard an application that listens on a port.

        `refusal` words what AWS refuses too. `links` are paths that carry a secret token instead
        of a key, with the parameters that they may have; the application checks the token.
        """
        self._application = application
        self._links = links or {}
        self._refusal = refusal or _plain_refusal
        self._own = {f"{name}:{port}" for name in LOOPBACK}
        # The C++ producer SDK leaves the port out of its Host.
        self._hosts = self._own | set(LOOPBACK)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with a refusal, or pass it on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = self._refused(scope) if scope["type"] == "http" else None
        if answer is not None:
            await _refuse(_with_request_id(send), *answer)
            return
        await self._application(scope, receive, _with_request_id(send))

    def _refused(self, scope: Scope) -> Answer | None:
        headers = _single(scope["headers"])
        if headers is None:
            return _forbidden("A header that may stand only once was sent twice")
        if reason := self._foreign(scope, headers):
            return _forbidden(reason)
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if _is_open(scope, query) or self._is_link(scope, query):
            return None
        if scope["path"].startswith(INTERNAL):
            return _forbidden("The laptop AWS keeps the emulator's own paths to itself")
        if code := _key_fault(headers, query):
            return self._refusal(scope, headers, query, code)
        return None

    def _is_link(self, scope: Scope, query: Mapping[str, list[str]]) -> bool:
        allowed = self._links.get(scope["path"], frozenset())
        once = all(len(values) == 1 for values in query.values())
        return scope["method"] == "GET" and bool(query) and once and set(query) <= allowed

    def _foreign(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        """Return what shows that a web page sends this, or None."""
        if headers.get("host", "").lower() not in self._hosts:
            return "The laptop AWS answers only to a loopback Host"
        if not self._is_own_origin(headers.get("origin")):
            return "The laptop AWS answers no web page of another origin"
        if scope["method"] == "OPTIONS":
            return "The laptop AWS answers no preflight"
        return None

    def _is_own_origin(self, origin: str | None) -> bool:
        if origin is None:
            return True
        parts = urlsplit(origin)
        return parts.scheme == "http" and parts.netloc.lower() in self._own


def _single(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str] | None:
    """Return the headers by lower-case name, or None if a security-relevant one is repeated."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        if key in headers and key in ("host", "origin", "authorization"):
            return None
        headers[key] = value.decode("latin-1")
    return headers


def _is_open(scope: Scope, query: Mapping[str, list[str]]) -> bool:
    """Return whether a request needs no key: health, or two links that carry a secret token."""
    if scope["method"] == "PUT" and CUSTOM_RESOURCE_RESPONSE.fullmatch(scope["path"]):
        return not query
    if scope["method"] != "GET" or scope["path"] not in (HEALTH, "/"):
        return False
    if scope["path"] == HEALTH:
        return not query
    return set(query) == {"Action", "TopicArn", "Token"} and query["Action"] == [
        "ConfirmSubscription"
    ]


def _key_fault(headers: Mapping[str, str], query: Mapping[str, list[str]]) -> str | None:
    """Return AWS's code for a request that does not name exactly one key of ours, or None."""
    if _carries_key(headers, query):
        return None
    signed = SIGNED.fullmatch(headers.get("authorization", ""))
    key = signed[1] if signed else ""
    for name in ("X-Amz-Credential", "AWSAccessKeyId"):
        key = key or query.get(name, [""])[0].partition("/")[0]
    return UNKNOWN_KEY if key and not KEY.fullmatch(key) else MISSING_KEY


def _carries_key(headers: Mapping[str, str], query: Mapping[str, list[str]]) -> bool:
    """Return whether a request names exactly one key; its signature is checked later."""
    given = [name.lower() for name in query if name.lower() in VERSION_4 | VERSION_2]
    authorization = headers.get("authorization")
    if authorization is not None:
        signed = SIGNED.fullmatch(authorization)
        return not given and bool(signed and KEY.fullmatch(signed[1]))
    if set(given) == VERSION_4 and len(given) == len(VERSION_4):
        return _is_presigned(query)
    if set(given) == VERSION_2 and len(given) == len(VERSION_2):
        return _is_presigned_by_version_2(query)
    return False


def _is_presigned(query: Mapping[str, list[str]]) -> bool:
    """Return whether a URL is presigned (Signature Version 4); S3 checks signature and age."""
    if not all(len(query.get(name, [])) == 1 for name in PRESIGNED) or query["X-Amz-Algorithm"] != [
        "AWS4-HMAC-SHA256"
    ]:
        return False
    credential = CREDENTIAL.fullmatch(query["X-Amz-Credential"][0])
    return bool(credential and KEY.fullmatch(credential[1]))


def _is_presigned_by_version_2(query: Mapping[str, list[str]]) -> bool:
    """Return whether a URL is presigned by Signature Version 2, boto3's default."""
    names = ("AWSAccessKeyId", "Signature", "Expires")
    return all(len(query.get(name, [])) == 1 for name in names) and bool(
        KEY.fullmatch(query["AWSAccessKeyId"][0])
    )


def _forbidden(reason: str) -> Answer:
    return 403, {"content-type": "application/json"}, json.dumps({"message": reason}).encode()


def _plain_refusal(_scope: Scope, _headers: object, _query: object, code: str) -> Answer:
    return _forbidden(code)


def _with_request_id(send: Send) -> Send:
    """Give every answer a request id, which clients expect and MiniStack's refusals lack."""

    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", [])]
            if not {name.lower() for name, _ in headers} & set(REQUEST_IDS):
                request_id = str(uuid.uuid4()).encode()
                headers += [(name, request_id) for name in REQUEST_IDS]
            message = {**message, "headers": headers}
        await send(message)

    return send_with_id


async def _refuse(send: Send, status: int, named: Mapping[str, str], body: bytes) -> None:
    own = {
        **named,
        "content-length": str(len(body)),
        "connection": "close",  # a refused upload is not read to its end
    }
    headers = [(name.lower().encode(), value.encode()) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
