"""`python -m edge` as its user sees it: messages, sent video and exit codes."""

import ast
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import botocore.session
import pytest

from edge.__main__ import main
from edge.monitor import restart_backoff
from edge.upload.stream import VideoStream
from local.tests.support.media.films import draw
from local.tests.support.plugin import wait_until_true
from tests.support.edge import fake_kvs

ROOT = Path(__file__).resolve().parents[3]
SECRET = "wJalrXUtnFEMI/not/a/real/secret"
LIMIT_S = 60


@pytest.fixture
def service():
    with fake_kvs.running() as service:
        yield service


@pytest.fixture
def environment(service, tmp_path, monkeypatch):
    """Make an environment in which the only AWS is the fake one."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    nowhere = str(tmp_path / "none")
    for name, value in {
        "AWS_ENDPOINT_URL": service.url,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        # Whoever runs the tests may have a camera of that name.
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def film(tmp_path):
    return draw(tmp_path / "film.mp4", frames=2)


@pytest.fixture
def edge(environment, film, capsys):
    """Run the command in this process; return its exit code and output."""

    def run(*arguments, source=film):
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            code = main(["--camera", "front-door", "--source", str(source), *arguments])
        except SystemExit as ended:
            code = ended.code
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return code, *capsys.readouterr()

    return run


def test_a_film_is_sent_and_told_in_json(edge, service):
    before = time.time()
    code, out, err = edge("--json")
    started, ended = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert err == ""
    assert started.keys() == {"event", "first_capture"}
    first = datetime.fromisoformat(started["first_capture"]).timestamp()
    assert before <= first <= time.time()
    assert ended == {
        "event": "ended",
        "frames": 2,
        "fragments": 1,
        "persisted": 1,
        "refused": 0,
        "dropped": 0,
        "seconds": 0.2,
    }
    (connection,) = service.connections
    assert connection.timecode == round(first * 1000)
    assert connection.headers["x-amzn-stream-name"] == "whosthere-front-door"
    assert connection.headers["x-amzn-fragment-timecode-type"] == "ABSOLUTE"
    assert "/us-east-1/kinesisvideo/aws4_request" in connection.headers["authorization"]


def test_a_person_reads_where_it_goes_and_what_became_of_it(edge, film):
    code, out, err = edge()
    assert (code, out) == (0, "")
    first, *_, last = err.splitlines()
    assert f"front-door: {film} at 64x48 to whosthere-front-door in us-east-1" in first
    assert "ended after 0.2 s: 2 frames, 1 of 1 fragments stored" in last


def test_the_film_plays_at_its_own_pace(edge, tmp_path):
    source = draw(tmp_path / "slow.mp4", frames=4)
    started = time.monotonic()
    edge(source=source)
    assert time.monotonic() - started >= 0.3


def test_stack_and_stream_name_the_video_stream(edge, service):
    edge("--stack", "home")
    edge("--stream", "any.name")
    names = [connection.headers["x-amzn-stream-name"] for connection in service.connections]
    assert names == ["home-front-door", "any.name"]


def test_fragments_have_the_length_asked_for(edge, service, tmp_path):
    source = draw(tmp_path / "long.mp4", frames=16, rate=10)
    assert edge("--fragment-seconds", "1.2", source=source)[0] == 0
    (connection,) = service.connections
    assert [len(frames) for frames in connection.clusters.values()] == [12, 4]
    first, second = connection.clusters
    assert second - first == 1200


@pytest.mark.parametrize(("tag", "expected"), [("always", 1), ("never", 0)])
def test_fragments_are_tagged_when_asked(edge, service, tag, expected):
    edge("--tag", tag)
    tags = service.connections[0].tags
    assert tags.count("AWS_KINESISVIDEO_IMAGE_GENERATION") == expected
    assert tags[-1] == "AWS_KINESISVIDEO_END_OF_FRAGMENT"


def test_a_stream_that_keeps_nothing_is_said_and_works(edge, service):
    service.retention_hours = 0
    code, _, err = edge()
    assert code == 0
    assert "retains nothing" in err


def test_a_refused_fragment_shows_in_the_exit_code(edge, service):
    def react(call, event, connection):
        if event == "end":
            call.ack("ERROR", connection.timecode, ErrorId=4006)

    service.reactions[0] = react
    code, _, err = edge()
    assert code == 1
    assert "4006 INVALID_MKV_DATA" in err
    assert "1 refused" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--camera", "Front Door"], "is no camera name"),
        (["--camera", "a" * 33], "is no camera name"),
        (["--fragment-seconds", "0.5"], "is not between 1 and 10"),
        (["--fragment-seconds", "eleven"], "is not between 1 and 10"),
        (["--tag", "sometimes"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_named(edge, arguments, words):
    code, _, err = edge(*arguments)
    assert code == 2
    assert words in err


def test_help_shows_an_example_and_the_exit_codes(edge):
    code, out, _ = edge("--help")
    assert code == 0
    assert "python -m edge --camera front-door --source film.mp4" in out
    assert "exit codes:" in out


def test_a_missing_film_is_named_before_anybody_is_called(edge, service, tmp_path):
    code, _, err = edge(source=tmp_path / "absent.mp4")
    assert code == 2
    assert f"There is no file {tmp_path / 'absent.mp4'}." in err
    assert service.calls == []


def failing(status, code, message):
    return status, {"message": message, "Message": message}, code


@pytest.mark.parametrize(
    ("path", "failure", "words"),
    [
        (
            "/describeStream",
            failing(404, "ResourceNotFoundException", "The requested stream is not found"),
            "DescribeStream on stream whosthere-front-door: ResourceNotFoundException: "
            "The requested stream is not found. There is no such stream here.",
        ),
        (
            "/describeStream",
            failing(403, "UnrecognizedClientException", "The security token is invalid"),
            "The security token is invalid. Check the credentials",
        ),
        (
            "/getDataEndpoint",
            failing(403, "AccessDeniedException", "You may not"),
            "GetDataEndpoint on stream whosthere-front-door: AccessDeniedException: You may "
            "not. These credentials lack the permission.",
        ),
    ],
)
def test_what_aws_refuses_is_told_with_what_to_do(edge, service, path, failure, words):
    service.failures[path] = failure
    code, _, err = edge()
    assert code == 3
    assert words in err
    assert SECRET not in err


def test_putmedia_refused_is_told_with_what_to_do(edge, service):
    service.refusals[0] = failing(403, "AccessDeniedException", "You may not")
    code, out, err = edge("--json")
    assert (code, out) == (3, "")
    assert "PutMedia was refused: 403 AccessDeniedException. You may not" in err


def test_an_endpoint_where_nobody_listens_is_named(edge, environment, closed_port):
    nowhere = f"http://127.0.0.1:{closed_port}"
    environment.setenv("AWS_ENDPOINT_URL", nowhere)
    code, _, err = edge()
    assert code == 4
    assert nowhere in err
    assert "AWS cannot be reached" in err


def test_missing_credentials_are_an_error_that_says_how_to_give_them(edge, environment):
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    code, _, err = edge()
    assert code == 3
    assert "No AWS credentials found. Run `aws configure`" in err


def test_a_missing_region_is_an_error_that_names_the_variable(edge, environment):
    environment.delenv("AWS_DEFAULT_REGION")
    code, _, err = edge()
    assert code == 3
    assert "AWS_DEFAULT_REGION" in err


@pytest.mark.long  # ten seconds of video, in real time
def test_told_to_stop_it_finishes_its_fragment_and_waits_for_the_ack(
    environment, service, tmp_path
):
    long = draw(tmp_path / "long.mp4", frames=100)
    with started_edge(long) as process:
        assert json.loads(process.stdout.readline())["event"] == "started"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=LIMIT_S)
    ended = json.loads(out)
    assert (process.returncode, err) == (0, "")
    assert ended["frames"] == 10 * ended["persisted"] < 100
    assert service.connections[0].is_ended


def test_told_twice_it_ends_at_once(environment, service, tmp_path):
    acks_held_back = threading.Event()
    service.reactions[0] = lambda call, event, connection: acks_held_back.wait(LIMIT_S)
    long = draw(tmp_path / "long.mp4", frames=100)
    with started_edge(long) as process:
        process.stdout.readline()
        deadline = time.monotonic() + LIMIT_S
        while process.poll() is None:
            # Two that come as one count once, so there is a pause between them.
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            assert time.monotonic() < deadline
    acks_held_back.set()
    assert process.returncode == 130


@pytest.fixture
def manager(environment, tmp_path):
    """A fake service manager, and the messages that it received."""
    path = tmp_path / "notify"
    (tmp_path / "run").mkdir()
    environment.setenv("NOTIFY_SOCKET", str(path))
    environment.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    environment.setattr(restart_backoff, "FIRST_DELAY_S", 0.02)
    messages = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(path))
        # It reads all the time, as systemd does: the kernel may queue no more than ten.
        reader = threading.Thread(target=read_all, args=(bound, messages))
        reader.start()
        yield messages
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(path))
        reader.join(LIMIT_S)


def read_all(bound, messages):
    while message := bound.recv(4096):
        messages.append(message.decode())


def heard(messages, beginning):
    """What the service manager was told; it reads beside us, and in order."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
        last.sendto(b"read until here", os.environ["NOTIFY_SOCKET"])
    deadline = time.monotonic() + LIMIT_S
    while "read until here" not in messages:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    messages.remove("read until here")
    return [message for message in messages if message.startswith(beginning)]


def stop_when(is_that_far):
    """Send the edge that runs in this process a stop signal, as soon as it handles them."""

    def stop():
        wait_until_true(is_that_far)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()


def test_what_a_restart_does_not_mend_is_tried_ever_more_rarely(edge, service, manager, tmp_path):
    service.failures["/describeStream"] = failing(403, "AccessDeniedException", "You may not")
    for failures in (1, 2, 3):
        assert edge()[0] == 3
        state = json.loads((tmp_path / "run" / "status.json").read_text())
        assert (state["failures"], state["is_healthy"]) == (failures, False)
        assert "You may not" in state["last_error"]
    held = [int(text.partition("=")[2]) / 1e6 - 30 for text in heard(manager, "EXTEND_TIMEOUT")]
    assert held == pytest.approx([0.02, 0.04, 0.08])
    del service.failures["/describeStream"]
    assert edge()[0] == 0
    state = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (state["failures"], state["last_error"]) == (0, "")


def test_told_to_stop_while_it_waits_to_be_tried_again_it_ends(edge, service, manager, environment):
    environment.setattr(restart_backoff, "FIRST_DELAY_S", 300.0)
    service.failures["/describeStream"] = failing(403, "AccessDeniedException", "You may not")

    stop_when(lambda: heard(manager, "EXTEND_TIMEOUT"))
    begun = time.monotonic()
    code, _, err = edge()
    assert (code, time.monotonic() - begun < 30) == (3, True)
    assert "The next attempt is in 300 s." in err
    assert heard(manager, "WATCHDOG") == ["WATCHDOG=1"], "a wait is no hang"


def test_it_reports_its_start_when_frames_flow_and_not_before(edge, manager, tmp_path, closed_port):
    assert edge()[0] == 0
    assert heard(manager, "READY") == ["READY=1"]
    file = tmp_path / "run" / "status.json"
    state = json.loads(file.read_text())
    assert state["video"] == "H.264 encoded to H.264 at 64x48"
    assert state["cpu_percent"] > 0
    manager.clear()
    file.unlink()
    stop_when(file.exists)  # it writes that only when it also looks whether frames flow
    edge(source=f"rtsp://127.0.0.1:{closed_port}/live")
    assert heard(manager, "READY") == []


@contextlib.contextmanager
def started_edge(source):
    command = [sys.executable, "-m", "edge", "--camera", "front-door", "--json"]
    process = subprocess.Popen(
        [*command, "--source", str(source)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Renewable:
    """Credentials that expire, as botocore has them for roles."""

    access_key, secret_key, token = "AKIDEXAMPLE", SECRET, "a-token"

    def __init__(self, seconds_left):
        self.seconds_left = seconds_left

    def refresh_needed(self, seconds):
        return self.seconds_left < seconds

    def get_frozen_credentials(self):
        return self


def test_credentials_that_end_soon_are_noticed_and_their_token_is_sent(environment, service):
    session = botocore.session.Session()
    stream = VideoStream("s", session)
    assert not stream.is_expiring()
    session._credentials = Renewable(seconds_left=600)
    assert not stream.is_expiring()
    session._credentials = Renewable(seconds_left=20)
    assert stream.is_expiring()
    assert stream._signed_request().headers["X-Amz-Security-Token"] == "a-token"


def test_the_edge_needs_nothing_but_what_it_requires_and_opencv_for_faces_alone():
    required = {*sys.stdlib_module_names, "av", "botocore", "numpy"}
    for path in (ROOT / "edge").rglob("*.py"):
        allowed = required | ({"cv2"} if path.name == "faces.py" else set())
        for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 11))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            assert {name.split(".")[0] for name in names} <= allowed, path.name


def test_the_page_about_the_inside_says_what_each_file_does():
    readme = (ROOT / "edge" / "INSIDE.md").read_text()
    rooms = {path.parent.name for path in (ROOT / "edge").glob("*/__init__.py")}
    told = [path for path in (ROOT / "edge").rglob("*.py") if "__" not in path.name]
    files = {path.name for path in told if path.parent.name not in ("sources", "pi")}
    assert {name for name in files if f"`{name}`" not in readme} == set()
    assert {name for name in rooms if f"`{name}/`" not in readme} == set()
