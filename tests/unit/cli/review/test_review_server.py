"""The server of the owner's page: whom it answers, and that it says nothing it should not."""

import pytest

from cli.review.access import CLOSED, MOST_BYTES
from tests.support.page.client import Client
from tests.support.page.seeded import SeededSource, serving


@pytest.fixture(scope="module")
def source():
    return SeededSource()


@pytest.fixture(scope="module")
def server(source):
    with serving(source) as running:
        yield running


@pytest.fixture(scope="module")
def owner(server):
    client = Client(server.link)
    client.enter()
    return client


@pytest.fixture
def stranger(server):
    """Somebody who reaches the port and has not seen the link."""
    client = Client(server.link)
    client.link = "guess"
    return client


IGNORE = {"act": "ignore", "strangers": ["s-00000000"]}
READS = ("/api/overview", "/api/strangers?status=pending", "/api/visits", "/api/people")
READS += ("/api/cameras", "/api/plan?camera=front-door&minutes=60", "/pictures/zoe")


@pytest.mark.parametrize("path", [*READS, "/clips/front-door/1-2", "/nothing"])
def test_without_the_link_nothing_is_told(stranger, path):
    assert stranger.json(path) == (401, {"error": CLOSED})
    assert stranger.json(path, Cookie=f"whosthere-{stranger.address[-5:]}=guess")[0] == 401


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/today.js"])
def test_the_files_of_the_page_hold_nothing_and_are_given(stranger, path):
    assert stranger.ask(path).status == 200


def test_the_link_works_once(source):
    with serving(source) as server:
        owner, another = Client(server.link), Client(server.link)
        assert owner.ask("/session", {"token": "guess"}).status == 401
        cookie = owner.enter().getheader("set-cookie")
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert owner.json("/api/people")[0] == 200
        assert another.ask("/session", {"token": another.link}).status == 401


@pytest.mark.parametrize("given", [["no object"], {"token": 1}, {"token": ""}, {}])
def test_a_token_of_another_kind_is_refused(stranger, given):
    assert stranger.ask("/session", given).status == 401


@pytest.mark.parametrize("path", READS)
def test_the_owner_is_answered_and_nothing_is_stored(owner, path):
    answer = owner.ask(path)
    assert answer.status == 200
    assert answer.getheader("cache-control") == "no-store"
    assert answer.getheader("x-content-type-options") == "nosniff"
    policy = answer.getheader("content-security-policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.getheader("server") is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "", None])
def test_only_its_own_host_is_answered(owner, host):
    assert owner.ask("/", Host=host).status in (400, 421)
    assert owner.ask("/api/people", Host=host).status in (400, 421)


def test_another_site_gets_nothing_although_the_browser_sends_the_cookie(owner, source):
    for site in ("cross-site", "same-site"):
        assert owner.ask("/pictures/zoe", Sec_Fetch_Site=site).status == 403
    before = len(source.acts)
    for origin in ("http://evil.example", "null", "http://127.0.0.1", None):
        assert owner.ask("/acts", IGNORE, Origin=origin).status == 403
    assert owner.ask("/acts", IGNORE, X_Whosthere_Token=None).status == 403
    assert owner.ask("/acts", IGNORE, X_Whosthere_Token="guess").status == 403
    assert len(source.acts) == before
    assert owner.ask("/acts", IGNORE).status == 200


def test_a_get_decides_nothing(owner, source):
    before = len(source.acts), len(source.steered)
    assert owner.ask("/acts").status == owner.ask("/cameras", method="PUT").status == 405
    assert (len(source.acts), len(source.steered)) == before


def test_a_request_is_bounded(owner):
    assert owner.ask("/acts", {"act": "x" * MOST_BYTES}).status == 413
    assert owner.ask("/acts", IGNORE, Content_Length="-1").status in (400, 413)


@pytest.mark.parametrize("content", [{}, [], {"act": 1}, {"act": None}])
def test_an_odd_request_is_refused_in_words(owner, content):
    assert owner.json("/acts", content) == (400, {"error": "act has to be a text"})


def test_a_failure_is_told_by_its_class_and_printed_nowhere(owner, source, capfd):
    source.failing = RuntimeError("people/Zoë/1.jpg")
    try:
        assert owner.json("/acts", IGNORE) == (
            500,
            {"error": "The page's server failed: RuntimeError"},
        )
    finally:
        source.failing = None
    assert owner.json("/pictures/gone") == (400, {"error": "There is no such picture any more."})
    assert capfd.readouterr() == ("", "")
