"""An environment may be used for a deploy only if nothing of it leads away from this laptop."""

import pytest

from local.laptop import NotLoopbackError, assert_loopback


@pytest.fixture
def environment(tmp_path):
    """One that is accepted."""
    for name in ("config", "credentials"):
        (tmp_path / name).touch()
    return {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "PATH": "/usr/bin",
    }


def test_a_loopback_endpoint_and_empty_files_are_accepted(environment):
    assert_loopback(environment)
    assert_loopback({**environment, "AWS_ENDPOINT_URL": "http://localhost:1"})
    assert_loopback({**environment, "AWS_ENDPOINT_URL": "http://[::1]:1"})


@pytest.mark.parametrize(
    "name", ["AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]
)
def test_each_of_three_has_to_be_there(environment, name):
    del environment[name]
    with pytest.raises(NotLoopbackError, match=name):
        assert_loopback(environment)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://s3.amazonaws.com",
        "http://evil.example:4566",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        "http://user@127.0.0.1:4566",
        "http://192.168.0.1:4566",
        "http://0.0.0.0:4566",
        "https://127.0.0.1:4566",
        "127.0.0.1:4566",
    ],
)
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_every_endpoint_has_to_be_on_this_laptop(environment, name, url):
    with pytest.raises(NotLoopbackError, match=name):
        assert_loopback({**environment, name: url})


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ],
)
def test_what_leads_to_a_real_account_is_refused(environment, name):
    with pytest.raises(NotLoopbackError, match=name):
        assert_loopback({**environment, name: "true"})


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_file_with_something_in_it_is_refused(environment, tmp_path, name):
    (tmp_path / "full").write_text("[default]\n")
    with pytest.raises(NotLoopbackError, match=name):
        assert_loopback({**environment, name: str(tmp_path / "full")})


@pytest.mark.parametrize(
    "name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"]
)
def test_a_proxy_is_refused_unless_the_loopback_is_spared(environment, name):
    through = {**environment, name: "http://proxy.example:3128"}
    with pytest.raises(NotLoopbackError, match=name):
        assert_loopback(through)
    with pytest.raises(NotLoopbackError, match=name):
        assert_loopback({**through, "NO_PROXY": "127.0.0.1,localhost"})
    with pytest.raises(NotLoopbackError, match=name):
        assert_loopback({**through, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"})
    spared = "10.0.0.0/8,127.0.0.1,localhost"
    assert_loopback({**through, "NO_PROXY": spared, "no_proxy": spared})
