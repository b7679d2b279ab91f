"""What reaches the service when connections break, errors come back and acks stop."""

import itertools
import ssl
import threading
import time

import pytest

from edge.buffer.buffer import FragmentBuffer
from edge.buffer.fragment import Limits
from edge.errors import ConnectionLostError, RefusedError, UnreachableError
from edge.media import mkv
from edge.media.mkv import EncodedFrame
from edge.timeouts import Timeouts
from edge.upload.put_media import PutMediaConnection, PutMediaRequest
from edge.upload.sender import Sender
from tests.support.edge import fake_kvs
from tests.support.edge.fake_kvs import stores

TRACK = mkv.VideoTrack(64, 48, b"\x01")
LIMIT_S = 60


class Stream:
    """A video stream without credentials, at the fake service."""

    final_event = "PERSISTED"

    def __init__(self, url, ca_file=None):
        self.url, self.ca_file = url, ca_file
        self.is_ending = False

    def connect(self, on_ack, on_change):
        self.is_ending = False
        request = PutMediaRequest(f"{self.url}/putMedia", {"Host": "any"}, ca_file=self.ca_file)
        return PutMediaConnection(request, on_ack, on_change)

    def is_expiring(self):
        return self.is_ending


class Run:
    """A sender that works on a buffer, with all that a test inspects."""

    def __init__(self, service, **options):
        self.service = service
        self.stream = Stream(service.url)
        self.buffer = options.pop("buffer", None) or FragmentBuffer()
        self.said, self.pauses = [], []
        options = {"speed": float("inf"), "pause": self.pauses.append} | options
        self.sender = Sender(self.buffer, self.stream, self.said.append, **options)

    def fragment(self, timecode, frames=3, *, is_whole=True, track=TRACK):
        self.buffer.begin(timecode, track)
        for number in range(frames):
            data = b"%d %d" % (timecode, number)
            at_ms = timecode + min(100, 1000 // frames) * number
            self.buffer.add(EncodedFrame(at_ms, number == 0, data))
        if is_whole:
            self.buffer.end(None)

    def send(self, *timecodes):
        for timecode in timecodes:
            self.fragment(timecode)
        self.buffer.close()
        self.sender.start()
        return self.end()

    def end(self):
        assert self.buffer.wait_until(lambda: self.sender.is_over, LIMIT_S), "it hangs"
        if self.sender.error:
            raise self.sender.error
        return self.buffer.counts


@pytest.fixture
def service(monkeypatch):
    # What holds back after a cut has a test of its own.
    monkeypatch.setattr("edge.upload.delivery.FRAGMENT_INTERVAL_S", 0.0)
    with fake_kvs.running() as service:
        yield service


def wait_for(condition):
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.005)


def cut_at(frame_number):
    """Cut the connection at the nth frame."""
    count = itertools.count(1)

    def react(call, event, connection):
        if event == "frame" and next(count) == frame_number:
            call.cut()
        stores(call, event, connection)

    return react


def error_at(timecode, error_id):
    """Answer one fragment with an ERROR ack."""

    def react(call, event, connection):
        if event == "end" and connection.timecode == timecode:
            call.ack("ERROR", timecode, ErrorId=error_id, ErrorCode="TEST")
        else:
            stores(call, event, connection)

    return react


def mute(_call, _event, _connection):
    """Send no ack."""


def test_all_fragments_are_stored_and_the_body_ends_cleanly(service):
    counts = Run(service).send(1000, 2000, 3000)
    (connection,) = service.connections
    assert (counts.frames, counts.fragments, counts.persisted) == (9, 3, 3)
    assert connection.whole == [1000, 2000, 3000]
    assert connection.is_ended
    assert connection.clusters[2000] == [
        b"\x81\x00\x00\x802000 0",
        b"\x81\x00\x64\x002000 1",
        b"\x81\x00\xc8\x002000 2",
    ]


def test_a_frame_is_sent_before_its_fragment_is_whole(service):
    run = Run(service)
    run.sender.start()
    run.fragment(1000, frames=2, is_whole=False)
    wait_for(
        lambda: service.connections and len(service.connections[0].clusters.get(1000, [])) == 2
    )
    assert service.stored == []
    run.buffer.close()
    assert run.end().persisted == 1


def test_after_a_cut_the_unfinished_fragment_is_sent_again_from_its_start(service):
    service.reactions[0] = cut_at(5)
    run = Run(service)
    run.sender.start()
    run.fragment(1000)
    assert run.buffer.wait_until(lambda: run.buffer.counts.persisted == 1, LIMIT_S)
    run.fragment(2000)
    run.fragment(3000)
    run.buffer.close()
    counts = run.end()
    first, second = service.connections
    assert list(first.clusters) == [1000, 2000]
    assert list(second.clusters) == [2000, 3000]
    assert [len(frames) for frames in second.clusters.values()] == [3, 3]
    assert second.body.startswith(b"\x1a\x45\xdf\xa3")
    assert (counts.persisted, counts.dropped) == (3, 0)


def test_nothing_that_was_acknowledged_is_sent_again(service):
    for number in range(6):
        service.reactions[number] = cut_at(4)
    counts = Run(service).send(*range(1000, 9000, 1000))
    assert counts.persisted == 8
    assert sorted(set(service.stored)) == list(range(1000, 9000, 1000))
    for earlier, later in itertools.pairwise(service.connections):
        assert min(later.clusters) >= max(earlier.whole)


def test_pauses_grow_while_nothing_comes_through_and_start_over_when_it_does(service):
    for number in range(4):
        service.reactions[number] = cut_at(1)
    service.reactions[4] = cut_at(4)
    run = Run(service)
    run.sender.is_accepted = True
    run.send(1000, 2000)
    bases = [0.1, 0.2, 0.4, 0.8, 0.1]
    assert len(run.pauses) == len(bases)
    for pause, base in zip(run.pauses, bases, strict=True):
        assert base <= pause <= 2 * base
    assert "Reconnecting in 0." in run.said[0]


def test_pauses_end_at_ten_seconds(closed_port):
    run = Run(type("Nowhere", (), {"url": f"http://127.0.0.1:{closed_port}"}))
    run.sender.is_accepted = True
    run.sender._pause = lambda s: (
        run.pauses.append(s) or (len(run.pauses) == 40 and run.sender._stopped.set())
    )
    run.fragment(1000)
    run.sender.start()
    run.end()
    assert 10 <= max(run.pauses) <= 20
    assert run.buffer.counts.waiting == 1


@pytest.mark.parametrize("error_id", [4001, 4002, 4004, 4006, 4009, 4011])
def test_an_error_about_one_fragment_leaves_it_out_and_goes_on(service, error_id):
    service.reactions[0] = error_at(2000, error_id)
    run = Run(service)
    counts = run.send(1000, 2000, 3000)
    assert (counts.persisted, counts.refused) == (2, 1)
    assert 2000 not in service.connections[1].clusters
    assert str(error_id) in run.said[0]


@pytest.mark.parametrize("error_id", [4000, 4003, 5000, 5001, 9999])
def test_an_error_that_may_pass_sends_the_fragment_again(service, error_id):
    service.reactions[0] = error_at(2000, error_id)
    counts = Run(service).send(1000, 2000, 3000)
    assert (counts.persisted, counts.refused) == (3, 0)
    assert 2000 in service.connections[1].clusters


@pytest.mark.parametrize("error_id", [4005, 4007, 4008, 4010, 4012, 4500, 4507])
def test_an_error_about_the_stream_stops_with_its_name(service, error_id):
    service.reactions[0] = error_at(2000, error_id)
    with pytest.raises(RefusedError, match=str(error_id)):
        Run(service).send(1000, 2000)
    assert len(service.connections) == 1


def test_an_error_while_its_fragment_is_under_way_drops_the_rest_of_it(service):
    def react(call, event, connection):
        if event == "cluster":
            call.ack("ERROR", connection.timecode, ErrorId=4006)

    service.reactions[0] = react
    run = Run(service)
    run.sender.start()
    run.fragment(1000, is_whole=False)
    assert run.buffer.wait_until(lambda: run.buffer.counts.refused == 1, LIMIT_S)
    run.buffer.add(EncodedFrame(1300, False, b"late"))
    run.fragment(2000)
    run.buffer.close()
    assert run.end().persisted == 1
    assert list(service.connections[1].clusters) == [2000]


def test_a_refusal_that_passes_is_tried_again(service):
    busy = (400, {"Message": "Too many"}, "ClientLimitExceededException")
    service.refusals |= {0: busy, 1: (500, {}, "InternalFailure")}
    assert Run(service).send(1000).persisted == 1


def test_a_refusal_that_stays_stops_with_what_aws_said_and_what_to_do(service):
    body = {"Message": "User is not authorized"}
    service.refusals[0] = (403, body, "AccessDeniedException:http://x/")
    with pytest.raises(RefusedError) as refused:
        Run(service).send(1000)
    text = str(refused.value)
    assert "403 AccessDeniedException. User is not authorized These credentials" in text


def test_nobody_at_the_first_attempts_is_an_error(closed_port):
    run = Run(type("Nowhere", (), {"url": f"http://127.0.0.1:{closed_port}"}))
    with pytest.raises(UnreachableError, match="cannot connect to 127.0.0.1"):
        run.send(1000)
    assert len(run.pauses) == 2


def test_a_silent_service_is_left_for_a_new_connection(service):
    service.reactions[0] = mute
    age = [0.0]
    run = Run(service, monotonic=lambda: time.monotonic() + age[0])
    run.fragment(1000)
    run.fragment(2000)
    run.buffer.close()
    run.sender.start()
    wait_for(lambda: service.connections and service.connections[0].whole == [1000, 2000])
    age[0] = Timeouts().ack_s + 1
    assert run.end().persisted == 2
    assert list(service.connections[1].clusters) == [1000, 2000]


def test_a_stream_that_keeps_nothing_is_content_with_received(service):
    def react(call, event, connection):
        if event == "end":
            call.ack("RECEIVED", connection.timecode)

    service.reactions[0] = react
    run = Run(service)
    run.stream.final_event = "RECEIVED"
    assert run.send(1000, 2000).persisted == 2


def test_received_is_not_enough_for_a_stream_that_keeps_video(service):
    def react(call, event, connection):
        if event == "end":
            call.ack("RECEIVED", connection.timecode)

    service.reactions[0] = react
    run = Run(service, timeouts=Timeouts(ack_s=0.3))
    assert run.send(1000).persisted == 1
    assert len(service.connections) > 1


def renewed(service, make_due, run):
    """Send a fragment, let the connection become due, send another."""
    run.sender.start()
    run.fragment(1000)
    assert run.buffer.wait_until(lambda: run.buffer.counts.persisted == 1, LIMIT_S)
    run.fragment(2000, is_whole=False)
    wait_for(lambda: 2000 in service.connections[0].clusters)
    make_due()
    run.buffer.end(None)
    run.fragment(3000)
    run.buffer.close()
    counts = run.end()
    assert counts.persisted == 3
    first, second = service.connections
    assert (first.whole, second.whole) == ([1000, 2000], [3000])
    assert first.is_ended
    assert run.pauses == run.said == []


def test_an_old_connection_is_renewed_between_fragments_and_loses_nothing(service):
    age = [0.0]
    run = Run(service, monotonic=lambda: time.monotonic() + age[0])
    renewed(service, lambda: age.__setitem__(0, 40 * 60.0), run)


def test_a_connection_is_renewed_before_its_credentials_end(service):
    run = Run(service)
    renewed(service, lambda: setattr(run.stream, "is_ending", True), run)


def test_credentials_that_stay_about_to_end_are_used_and_bring_no_flood_of_connections(service):
    run = Run(service)
    run.stream.is_expiring = lambda: True
    assert run.send(1000, 2000, 3000).persisted == 3
    assert len(service.connections) <= 3


def test_a_full_buffer_drops_the_oldest_and_counts_it():
    buffer = FragmentBuffer(Limits(buffer_bytes=2500))
    for timecode in range(1000, 6000, 1000):
        buffer.begin(timecode, TRACK)
        buffer.add(EncodedFrame(timecode, True, bytes(1000)))
    assert buffer.next_after(None).timecode == 4000
    assert (buffer.counts.dropped, buffer.counts.waiting) == (3, 2)
    assert buffer.counts.dropped_by == {"buffer full": 3}
    assert len(buffer.messages) == 1
    assert "--buffer-mb" in buffer.messages[0]


def test_what_was_held_back_goes_out_below_the_services_limit(service, monkeypatch):
    monkeypatch.setattr("edge.upload.delivery.FRAGMENT_INTERVAL_S", 0.05)
    started = time.monotonic()
    Run(service).send(*range(1000, 7000, 1000))
    assert time.monotonic() - started >= 5 * 0.05


def test_acks_on_a_full_duplex_tls_connection_come_while_video_goes_out(tls_service):
    service, ca_file = tls_service
    run = Run(service)
    run.stream = Stream(service.url.replace("http://127.0.0.1", "https://localhost"), ca_file)
    run.sender._service = run.stream
    run.sender.start()
    for timecode in range(1000, 21_000, 1000):
        run.fragment(timecode, frames=20)
    assert run.buffer.wait_until(lambda: run.buffer.counts.persisted == 20, LIMIT_S)
    run.buffer.close()
    assert run.end().frames == 400
    assert len(service.connections) == 1


def test_a_certificate_that_does_not_fit_is_an_error(tls_service):
    service, _ = tls_service
    request = PutMediaRequest(service.url.replace("http:", "https:"), {"Host": "any"})
    with pytest.raises(ConnectionLostError, match="certificate"):
        PutMediaConnection(request, lambda ack: None, lambda: None)


@pytest.fixture
def tls_service(service, tmp_path):
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    plain = service.get_request

    def get_request():
        connection, address = plain()
        return context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        ), address

    service.get_request = get_request
    service.handle_error = lambda request, address: None
    return service, str(certificate)


def make_certificate(folder):
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "certificate.pem", folder / "key.pem"


def test_no_thread_is_left(service):
    Run(service).send(1000)
    wait_for(lambda: not [t for t in threading.enumerate() if t.name in ("sender", "acks")])
