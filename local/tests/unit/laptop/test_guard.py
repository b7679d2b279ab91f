"""The gate in front of the laptop AWS, against what a web page could send it."""

import asyncio
from typing import Any

import pytest

from local.security.guard import Guard

PORT = 4321
KEY = "AKIAEXAMPLEEXAMPLE01"
SCOPE = "20261122/us-east-1/s3/aws4_request"
SIGNED = f"AWS4-HMAC-SHA256 Credential={KEY}/{SCOPE}, SignedHeaders=host, Signature=00"
HERE = {"host": f"127.0.0.1:{PORT}"}
PRESIGNED = (
    f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}%2F20261122%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20261122T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
)


def passes(
    headers: dict[str, str] | list[tuple[str, str]],
    *,
    method: str = "POST",
    path: str = "/",
    query: str = "",
    kind: str = "http",
) -> bool:
    """Whether a request reaches the application behind the gate."""
    reached = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }
    asyncio.run(Guard(application, PORT)(scope, receive, send))
    assert bool(reached) != bool(sent), "a request is either handed on or refused"
    assert reached or sent[0].get("status") == 403 or sent[0]["type"] == "websocket.close"
    return bool(reached)


def test_a_custom_resource_answers_by_a_token_that_nobody_can_guess():
    path = "/_ministack/cfn-response/5f9a3b7c-0b1e-4a6e-9f0e-2d1c8f7a6b5c"
    assert passes(HERE, method="PUT", path=path)
    assert not passes(HERE, method="POST", path=path)
    assert not passes(HERE, method="PUT", path=f"{path}/../../reset")
    assert not passes({**HERE, "origin": "https://example.com"}, method="PUT", path=path)


def test_a_signed_request_to_a_loopback_host_passes():
    assert passes({**HERE, "authorization": SIGNED})
    assert passes({"host": f"localhost:{PORT}", "authorization": SIGNED})


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1:80",
        f"evil.example:{PORT}",
        f"127.0.0.1.evil.example:{PORT}",
        f"127.0.0.1:{PORT}.evil.example",
        f"user@127.0.0.1:{PORT}",
        f"0.0.0.0:{PORT}",
        f"bucket.s3.amazonaws.com:{PORT}",
    ],
)
def test_a_rebound_name_is_refused_even_with_a_key(host):
    assert not passes({"host": host, "authorization": SIGNED})


def test_a_loopback_host_may_lack_its_port_but_an_origin_may_not():
    """The C++ producer SDK sends such a Host; such an origin is another server's page."""
    assert passes({"host": "127.0.0.1", "authorization": SIGNED})
    page = {**HERE, "authorization": SIGNED, "origin": "http://127.0.0.1"}
    assert not passes(page)


def test_a_request_without_a_host_is_refused():
    assert not passes({"authorization": SIGNED})


@pytest.mark.parametrize("name", ["host", "origin", "authorization"])
def test_a_deciding_header_sent_twice_is_refused(name):
    value = {"host": HERE["host"], "authorization": SIGNED}.get(name, f"http://{HERE['host']}")
    first = [
        ("host", HERE["host"]),
        ("authorization", SIGNED),
        ("origin", f"http://{HERE['host']}"),
    ]
    assert passes(first)
    assert not passes([*first, (name, value)])


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://evil.example",
        "null",
        "",
        "file://",
        f"https://127.0.0.1:{PORT}",
        "http://127.0.0.1:9999",
        f"http://127.0.0.1:{PORT}.evil.example",
        f"http://127.0.0.1:{PORT}@evil.example",
    ],
)
def test_a_page_of_another_origin_is_refused_even_with_a_key(origin):
    assert not passes({**HERE, "origin": origin, "authorization": SIGNED})


def test_a_page_of_the_same_origin_still_needs_a_key():
    own = {**HERE, "origin": f"http://127.0.0.1:{PORT}"}
    assert passes({**own, "authorization": SIGNED})
    assert not passes(own)


@pytest.mark.parametrize("authorization", [None, SIGNED])
def test_preflights_are_refused(authorization):
    headers = {**HERE, "origin": f"http://127.0.0.1:{PORT}"}
    headers |= {"access-control-request-method": "PUT"}
    headers |= {"authorization": authorization} if authorization else {}
    assert not passes(headers, method="OPTIONS")


@pytest.mark.parametrize(
    "content",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_a_simple_request_without_a_key_is_refused(content):
    target = {"x-amz-target": "DynamoDB_20120810.DeleteTable"}
    assert not passes({**HERE, "content-type": content})
    assert not passes({**HERE, "content-type": content, **target})


@pytest.mark.parametrize("path", ["/", "/bucket/key", "/2015-03-31/functions/f/invocations"])
def test_a_get_that_sends_no_origin_is_refused_without_a_key(path):
    assert not passes(HERE, method="GET", path=path)


@pytest.mark.parametrize(
    "key",
    [
        "test",
        "",
        "000000000000",
        "123456789012",
        "0123456789012345",
        "AKIA/../x",
        "akiaexampleexample",
    ],
)
def test_what_the_emulator_takes_for_root_is_refused(key):
    assert not passes({**HERE, "authorization": SIGNED.replace(KEY, key)})
    assert not passes(HERE, method="GET", path="/b/k", query=PRESIGNED.replace(KEY, key))
    version_2 = f"AWSAccessKeyId={key}&Signature=x&Expires=9999999999"
    assert not passes(HERE, method="GET", path="/b/k", query=version_2)


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer x",
        "Basic dGVzdDp0ZXN0",
        f"AWS {KEY}:c2ln",
        "AWS4-HMAC-SHA256",
        f"AWS4-ECDSA-P256-SHA256 Credential={KEY}/20261122/s3/aws4_request, Signature=00",
        SIGNED + ", Credential=test/20261122/us-east-1/s3/aws4_request",
    ],
)
def test_only_one_way_of_signing_a_header_is_known(authorization):
    assert not passes({**HERE, "authorization": authorization})


@pytest.mark.parametrize("query", [PRESIGNED, "x-amz-credential=test", "AWSAccessKeyId=test"])
def test_a_signed_header_beside_a_key_in_the_query_is_refused(query):
    assert not passes({**HERE, "authorization": SIGNED}, method="GET", query=query)


def test_a_presigned_url_passes_in_both_forms():
    version_2 = f"AWSAccessKeyId={KEY}&Signature=x&Expires=9999999999"
    assert passes(HERE, method="GET", path="/bucket/key", query=PRESIGNED)
    assert passes(HERE, method="GET", path="/bucket/key", query=version_2)
    assert not passes(HERE, method="GET", path="/bucket/key", query=f"{PRESIGNED}&{version_2}")


@pytest.mark.parametrize(
    "query",
    [
        PRESIGNED.replace("&X-Amz-Signature=00", ""),
        PRESIGNED.replace("Fs3%2F", "Flambda%2F"),
        PRESIGNED.replace("AWS4-HMAC-SHA256", "none"),
        PRESIGNED + "&X-Amz-Credential=test",
        PRESIGNED + "&x-amz-credential=test",
        PRESIGNED.replace("X-Amz-Credential", "x-amz-credential"),
    ],
)
def test_half_a_presigned_url_is_refused(query):
    assert not passes(HERE, method="GET", path="/bucket/key", query=query)


def test_health_is_open_but_nothing_else_of_the_emulators_own():
    assert passes(HERE, method="GET", path="/_ministack/health")
    for path in (
        "/_ministack/reset",
        "/_ministack/config",
        "/_aws/sqs/messages",
        "/_localstack/info",
    ):
        assert not passes(HERE, path=path)
        assert not passes(HERE, method="GET", path=path)


def test_the_emulators_own_paths_are_closed_to_signed_requests_too():
    for path in ("/_ministack/reset", "/_ministack/config", "/_aws/lambda-url/x/y"):
        assert not passes({**HERE, "authorization": SIGNED}, path=path)


def test_a_link_that_confirms_a_subscription_passes():
    link = "Action=ConfirmSubscription&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A0%3At&Token=abc"
    assert passes(HERE, method="GET", query=link)
    assert not passes(HERE, method="POST", query=link)
    assert not passes(HERE, method="GET", query=link.replace("ConfirmSubscription", "Publish"))
    assert not passes(HERE, method="GET", query=link + "&Action=Publish")
    assert not passes(HERE, method="GET", query=link + "&Message=x")


def test_web_sockets_are_closed():
    assert not passes({**HERE, "authorization": SIGNED}, kind="websocket")
