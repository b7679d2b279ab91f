"""The laptop AWS as a process: its start, its end, and what it leaves."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from local.laptop import LaptopAWS, LaptopError, assert_loopback
from local.security import signing
from local.tests.support.kinesisvideo.client import Producer
from local.tests.support.laptop.parts import error_code, invoke, make_function
from local.tests.support.laptop.terminal import terminal
from local.tests.support.media import mkv

LONGEST_SECONDS = 20_000  # of a film: more than can be sent while something is waited for
IDLE_SECONDS = 15  # how long the laptop AWS keeps an idle connection


@pytest.fixture
def own(tmp_path):
    """A laptop AWS of this test's own, which it may end."""
    with LaptopAWS(tmp_path / "laptop") as running:
        yield running


def listening(pids):
    """Every address that a process of these listens on."""
    found = set()
    inodes = {
        str(link.readlink())
        for pid in pids
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.is_symlink()
    }
    for table in ("tcp", "tcp6", "udp", "udp6"):
        lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        for line in lines:
            _, local, remote, state, *rest = line.split()
            if f"socket:[{rest[5]}]" in inodes and (state == "0A" or table.startswith("udp")):
                found.add(local)
    return found


def test_it_listens_on_three_loopback_ports_and_nowhere_else(laptop):
    ports = {int(address.rsplit(":", 1)[1], 16) for address in listening([laptop.facts["pid"]])}
    hosts = {address.rsplit(":", 1)[0] for address in listening([laptop.facts["pid"]])}
    assert ports == set(laptop.ports())
    assert len(ports) == 3
    assert hosts == {"0100007F"}  # 127.0.0.1, as Linux writes it


def test_every_start_has_another_key(own, laptop):
    assert own.facts["access_key_id"] != laptop.facts["access_key_id"]
    assert own.facts["secret_access_key"] != laptop.facts["secret_access_key"]


def test_it_keeps_its_temporary_files_in_its_directory_and_takes_them_along(own):
    function = make_function(
        own, "import tempfile\ndef handler(event, context):\n    return tempfile.gettempdir()"
    )
    assert invoke(own, function) == (None, str(own.directory / "tmp"))
    own.stop()
    assert not (own.directory / "tmp").exists()


def test_stop_leaves_no_process_and_no_port(own):
    function = make_function(own, "def handler(event, context):\n    return 1")
    assert invoke(own, function) == (None, 1)
    assert len(own.processes()) >= 2
    own.stop()
    assert own.processes() == []
    assert own.ports() == []


def test_it_ends_with_whoever_holds_its_standard_input(own, wait_until):
    function = make_function(own, "def handler(event, context):\n    return 1")
    invoke(own, function)
    own._process.stdin.close()
    wait_until(lambda: not own.processes(), 60)
    assert own.ports() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(own, wait_until, number):
    os.kill(own.facts["pid"], number)
    wait_until(lambda: not own.processes(), 60)
    assert own._process.wait(5) == 0


def ask_for_images(laptop, stream):
    """From now on images are made of that stream's tagged fragments."""
    laptop.client("s3").create_bucket(Bucket=stream)
    destination = {"Uri": f"s3://{stream}", "DestinationRegion": laptop.facts["region"]}
    asked = {
        "Status": "ENABLED",
        "ImageSelectorType": "PRODUCER_TIMESTAMP",
        "DestinationConfig": destination,
        "SamplingInterval": 200,
        "Format": "JPEG",
    }
    control = laptop.client("kinesisvideo")
    control.create_stream(StreamName=stream, DataRetentionInHours=1)
    control.update_image_generation_configuration(
        StreamName=stream, ImageGenerationConfiguration=asked
    )


def test_it_ends_in_order_while_a_camera_sends_and_images_are_made(tmp_path, film, wait_until):
    tag = mkv.tags(("AWS_KINESISVIDEO_IMAGE_GENERATION", ""))
    settings = {"KVS_IMAGE_DELAY_SECONDS": "0"}
    with LaptopAWS(tmp_path / "laptop", settings=settings) as running:
        ask_for_images(running, "front-door")
        with Producer(running, "front-door") as producer:

            def send():
                with contextlib.suppress(OSError):  # it has ended
                    producer.send(film.header)
                    for second in range(LONGEST_SECONDS):
                        producer.send(tag, film.fragment(1000 * second), mkv.end())

            sending = threading.Thread(target=send)
            sending.start()
            listed = partial(running.client("s3").list_objects_v2, Bucket="front-door")
            wait_until(lambda: listed()["KeyCount"], 60)
            running.stop()
            sending.join()
        assert running._process.returncode == 0
        assert "Traceback" not in (running.directory / "laptop.log").read_text()


def test_workers_die_with_it_even_when_it_is_killed(own, wait_until):
    function = make_function(own, "def handler(event, context):\n    return 1")
    invoke(own, function)
    os.kill(own.facts["pid"], signal.SIGKILL)
    wait_until(lambda: not own.processes(), 60)


def test_a_start_that_fails_says_why(tmp_path, laptop):
    taken = laptop.ports()[0]
    with pytest.raises(LaptopError, match="in use"):
        LaptopAWS(tmp_path / "second", port=taken).start()


def test_its_environment_is_accepted_and_reaches_it(laptop):
    environment = laptop.environment()
    assert_loopback(environment)
    code = "import boto3, json; print(json.dumps(boto3.client('sts').get_caller_identity()['Arn']))"
    python = Path(laptop.emulator).parents[2] / "project" / "bin" / "python"
    answer = subprocess.run(
        [python, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout) == "arn:aws:iam::000000000000:user/owner"


def test_its_environment_ignores_the_callers_own_account(laptop, monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n[profile real]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        monkeypatch.setenv(name, "real")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert_loopback(laptop.environment())
    account = laptop.client("sts").get_caller_identity()["Account"]
    assert account == "000000000000"


def test_a_real_account_in_its_own_environment_is_forgotten(tmp_path):
    real = {"AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL", "AWS_SECRET_ACCESS_KEY": "real-secret"}
    with LaptopAWS(tmp_path / "laptop", settings=real) as running:
        code = "import os\ndef handler(event, context):\n    return dict(os.environ)"
        _, environment = invoke(running, make_function(running, code))
        assert "real-secret" not in environment.values()
        session = boto3.Session("AKIAREALREALREALREAL", "real-secret", region_name="us-east-1")
        client = session.client("sts", endpoint_url=running.endpoint)
        assert error_code(client.get_caller_identity) != ""


def test_with_nothing_invoked_it_stays_well_below_600_megabytes(own):
    pages = 0
    for process in own.processes():
        fields = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        pages += next(int(line.split()[1]) for line in fields if line.startswith("Pss:"))
    assert pages / 1024 < 400


def test_our_own_requests_leave_no_connection_behind(own, wait_until):
    facts = own.facts
    keys = signing.Credentials(facts["access_key_id"], facts["secret_access_key"])
    files = Path(f"/proc/{facts['pid']}/fd")
    before = len(list(files.iterdir()))
    for _ in range(30):
        signing.call(facts["endpoint"], keys, "kinesis", "ListStreams", {}, region="us-east-1")
    wait_until(lambda: len(list(files.iterdir())) < before + 10, 20)


@pytest.mark.long  # waits twice until a connection is idle
def test_an_idle_connection_is_closed_and_clients_do_not_notice(laptop, tmp_path, wait_until):
    where = "127.0.0.1", urlsplit(laptop.endpoint).port
    client = laptop.client("kinesisvideo")
    with (
        socket.create_connection(where, 2 * IDLE_SECONDS) as idle,
        terminal(laptop, tmp_path) as at,
    ):
        for _ in range(2):
            client.list_streams()
            at.aws("kinesisvideo list-streams")
            assert idle.recv(1) == b""
