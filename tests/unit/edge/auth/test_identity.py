"""The credentials of a camera: fetched by certificate, refreshed in time, gone after unpairing."""

import contextlib
import datetime
import http.server
import json
import ssl
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.credentials import ReadOnlyCredentials
from botocore.parsers import ResponseParserError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.auth import credential_endpoint, identity
from edge.auth.credential_endpoint import TemporaryCredentials
from edge.auth.credentials import IotCredentials
from edge.config import parse
from edge.errors import RefusedError, UnreachableError
from edge.settings import Identity


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a self-signed certificate for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(pem))
    files[1].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


class Provider(http.server.ThreadingHTTPServer):
    """A fake credential provider that accepts one certificate."""

    def __init__(self, server: tuple[Path, Path], device: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []
        self.answer: tuple[int, object] = (200, {})
        self.date: str | None = None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*server)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(device)
        self.socket = context.wrap_socket(self.socket, server_side=True)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["x-amzn-iot-thingname"]))
        status, content = self.server.answer
        body = json.dumps(content).encode()
        self.send_response_only(status)
        if self.server.date:
            self.send_header("Date", self.server.date)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: tests look at `asked`."""


@pytest.fixture
def provider(tmp_path):
    served = certificate(tmp_path, "server")
    device = certificate(tmp_path, "device")
    server = Provider(served, device[0])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def paired(provider, tmp_path):
    return Identity(
        thing="home-gate",
        role_alias="home-camera",
        credential_endpoint=f"localhost:{provider.server_port}",
        certificate=tmp_path / "device.pem",
        key=tmp_path / "device.key",
    )


def keys_until(moment):
    return {
        "credentials": {
            "accessKeyId": "ASIAEXAMPLE",
            "secretAccessKey": "hush",
            "sessionToken": "token",
            "expiration": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    }


def in_15_minutes():
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=15)


def test_keys_are_fetched_with_the_certificate_for_the_thing(provider, paired, tmp_path):
    provider.answer = 200, keys_until(in_15_minutes())
    keys = credential_endpoint.fetch_credentials(paired, tmp_path / "server.pem")
    assert keys.frozen == ReadOnlyCredentials("ASIAEXAMPLE", "hush", "token")
    assert 880 < keys.seconds_left < 901
    assert provider.asked == [("/role-aliases/home-camera/credentials", "home-gate")]
    assert "hush" not in repr(keys)


def test_the_end_of_keys_goes_by_the_providers_clock(provider, paired, tmp_path):
    provider.date = "Sun, 06 Nov 2039 08:49:37 GMT"
    then = datetime.datetime(2039, 11, 6, 9, 4, 37, tzinfo=datetime.UTC)
    provider.answer = 200, keys_until(then)
    keys = credential_endpoint.fetch_credentials(paired, tmp_path / "server.pem")
    assert 880 < keys.seconds_left < 901


@pytest.mark.parametrize(
    ("status", "message", "error", "words"),
    [
        (403, "Certificate is invalid on this endpoint", RefusedError, "paired"),
        (404, "Role alias does not exist", RefusedError, "Pair this camera again"),
        (400, "Unable to assume the role", RefusedError, "role and role alias"),
        (429, "Too many", UnreachableError, "429"),
        (500, "Internal", UnreachableError, "500"),
    ],
)
def test_a_refusal_is_told_with_what_to_do(
    provider, paired, tmp_path, status, message, error, words
):
    provider.answer = status, {"message": message}
    with pytest.raises(error, match=words) as refused:
        credential_endpoint.fetch_credentials(paired, tmp_path / "server.pem")
    assert message in str(refused.value)


@pytest.mark.parametrize("answer", [[], {"credentials": {}}, "x"])
def test_an_answer_that_holds_no_keys_is_no_refusal(provider, paired, tmp_path, answer):
    provider.answer = 200, answer
    with pytest.raises(UnreachableError):
        credential_endpoint.fetch_credentials(paired, tmp_path / "server.pem")


def test_a_provider_that_cannot_prove_itself_gets_nothing(provider, paired):
    with pytest.raises(RefusedError, match="has no valid certificate"):
        credential_endpoint.fetch_credentials(paired, None)
    assert provider.asked == []


def test_a_provider_that_is_not_there_may_come_back(paired, tmp_path, closed_port):
    nobody = Identity(
        paired.thing,
        paired.role_alias,
        f"localhost:{closed_port}",
        paired.certificate,
        paired.key,
    )
    with pytest.raises(UnreachableError):
        credential_endpoint.fetch_credentials(nobody, tmp_path / "server.pem")


def test_a_certificate_that_is_gone_is_named(paired, tmp_path):
    paired.certificate.unlink()
    with pytest.raises(RefusedError, match=r"device\.pem"):
        credential_endpoint.fetch_credentials(paired, tmp_path / "server.pem")


class Source:
    """Returns credentials with those lifetimes, or raises the given errors."""

    def __init__(self, seconds=900.0):
        self.seconds, self.calls, self.error = seconds, 0, None

    def __call__(self):
        self.calls += 1
        if self.error:
            raise self.error
        frozen = ReadOnlyCredentials(f"KEY{self.calls}", "hush", "token")
        return TemporaryCredentials(frozen, time.monotonic() + self.seconds)


def test_keys_are_fetched_once_and_used_while_they_are_good():
    source = Source()
    keys = IotCredentials(source, pytest.fail)
    assert keys.refresh_needed(30)
    assert keys.access_key == keys.get_frozen_credentials().access_key == "KEY1"
    assert not keys.refresh_needed(30)
    assert source.calls == 1


def test_newer_keys_lie_ready_well_before_the_old_ones_end(wait_until):
    source = Source(seconds=299)
    keys = IotCredentials(source, pytest.fail)
    keys.get_frozen_credentials()
    source.seconds = 900
    wait_until(lambda: keys.refresh_needed(30))
    assert keys.get_frozen_credentials().access_key == "KEY2"
    assert not keys.refresh_needed(30)
    assert source.calls == 2


def test_a_failed_renewal_is_told_and_the_old_keys_go_on(wait_until):
    said = []
    source = Source(seconds=299)
    keys = IotCredentials(source, said.append)
    keys.get_frozen_credentials()
    source.error = UnreachableError("No credentials from there")
    assert not keys.refresh_needed(30)
    wait_until(lambda: said)
    assert "failed; the current ones expire in 29" in said[0]
    assert keys.get_frozen_credentials().access_key == "KEY1"
    source.error, source.seconds = None, 900
    wait_until(lambda: keys.refresh_needed(30))
    assert keys.get_frozen_credentials().access_key.startswith("KEY")


def test_when_the_old_keys_end_the_refusal_stops_the_edge(wait_until):
    said = []
    source = Source(seconds=2)
    keys = IotCredentials(source, said.append)
    keys.get_frozen_credentials()
    source.error = RefusedError("Certificate is invalid on this endpoint")
    assert not keys.refresh_needed(30), "what they sign now is no better"
    wait_until(lambda: said)
    assert "refused" in said[0]
    wait_until(lambda: keys.refresh_needed(30))
    with pytest.raises(RefusedError):
        keys.get_frozen_credentials()


def test_a_paired_cameras_session_signs_with_its_keys_at_its_endpoint(
    provider, paired, tmp_path, monkeypatch
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = tmp_path / "settings.toml"
    settings.write_text(
        'camera = "gate"\nregion = "eu-west-1"\nca = "server.pem"\n'
        'endpoint-url = "http://127.0.0.1:9"\n[identity]\nthing = "home-gate"\n'
        f'role-alias = "home-camera"\ncredential-endpoint = "{paired.credential_endpoint}"\n'
        'certificate = "device.pem"\nkey = "device.key"\n'
    )
    provider.answer = 200, keys_until(in_15_minutes())
    session = identity.create_botocore_session(parse(["--settings", str(settings)]), pytest.fail)
    client = session.create_client("kinesisvideo")
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client.meta.region_name == "eu-west-1"
    assert session.get_credentials().get_frozen_credentials().access_key == "ASIAEXAMPLE"
    assert session.get_config_variable("ca_bundle") == str(tmp_path / "server.pem")


def test_without_a_certificate_the_usual_chain_is_asked(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    session = identity.create_botocore_session(parse(["--camera", "gate"]), pytest.fail)
    assert session.get_credentials().access_key == "AKIDEXAMPLE"


def called(session, service, region):
    """Return where a session sends a call, and the region and service of its signature."""
    client = session.create_client(
        service,
        region_name=region,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="not-a-secret",
    )
    seen = []

    def answer(request, **_):
        seen.append((request.url, request.headers["Authorization"].split(b"/", 2)[2][:60]))
        return AWSResponse(request.url, 200, {}, SimpleNamespace(stream=lambda: iter([b"{}"])))

    client.meta.events.register("before-send", answer)
    if service == "sts":
        with contextlib.suppress(ResponseParserError):
            client.get_caller_identity()
    else:
        client.describe_stream(StreamName="any")
    return seen


def test_a_camera_finds_the_services_where_botocore_does(monkeypatch):
    """Though its data has no list of endpoints."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    plain, own = botocore.session.Session(), identity.BotocoreSession()
    regions = ("eu-west-1", "cn-north-1", "us-gov-west-1", "a-region-of-tomorrow-1")
    for region in regions:
        theirs, ours = (called(each, "kinesisvideo", region) for each in (plain, own))
        assert ours == theirs != [], region
    assert called(own, "sts", "cn-north-1") == called(plain, "sts", "cn-north-1") != []
