"""A camera from pairing to unpairing, with the real verbs, stack and edge."""

import json
import os
import re
import shutil
import stat
import subprocess
import threading
import tomllib
from contextlib import contextmanager

import boto3
import pytest
from botocore.exceptions import ClientError

import edge.__main__
from cli.__main__ import main
from edge.auth import credential_endpoint
from edge.auth.credentials import IotCredentials
from edge.config import parse
from edge.errors import RefusedError
from local.laptop import ROOT
from local.tests.support.media.films import draw
from tests.support.edge.faults import good_until
from tests.support.edge.run import fragments_in
from tests.support.stack.command import called, in_shell


@pytest.fixture(scope="module")
def verb(laptop, stack, tmp_path_factory):
    """Run a verb in a folder of its own, as the owner does."""
    folder = tmp_path_factory.mktemp("owner")

    def run(*arguments):
        return called(main, arguments, folder, laptop.environment())

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def shell(laptop, verb):
    """Run a verb in a shell, so that the test can type."""

    def run(*arguments, typed=""):
        return in_shell(arguments, verb.folder, laptop.environment(), typed)

    return run


@pytest.fixture
def place(verb):
    """Where front-door's folder will be; afterwards it is gone and the camera unpaired."""
    yield verb.folder / "front-door"
    verb("unpair", "front-door")
    shutil.rmtree(verb.folder / "front-door")


@pytest.fixture
def paired(verb, place):
    """Pair front-door; return its folder."""
    done = verb("pair", "front-door")
    assert done.returncode == 0, done.stderr
    return place


def test_a_new_folder_is_made_and_it_is_said_where_it_goes(shell, place):
    done = shell("pair")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "laptop\n"
    assert "scp -r front-door pi:" in done.stdout
    assert (place / "private.key").is_file()


def keys(folder):
    config = parse(["--settings", str(folder / "settings.toml")])
    return credential_endpoint.fetch_credentials(config.identity, config.ca)


def client(laptop, service, folder):
    frozen = keys(folder).frozen
    return boto3.client(
        service,
        endpoint_url=laptop.endpoint,
        region_name="us-east-1",
        aws_access_key_id=frozen.access_key,
        aws_secret_access_key=frozen.secret_key,
        aws_session_token=frozen.token,
    )


def send(folder, film, *arguments):
    """Run the edge with only the folder's identity as AWS credentials."""
    options = ["run", "--settings", folder / "settings.toml", "--source", film]
    options += ["--buffer-folder", folder / "state", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return called(edge.__main__.main, options, ROOT, environment)


def test_the_folder_holds_all_that_the_camera_needs_and_is_nobody_elses(paired, laptop):
    names = {path.name for path in paired.iterdir()}
    assert names >= {
        "install", "uninstall", "settings.toml", "certificate.pem", "private.key",
        "authority.pem", "whosthere-edge@.service", ".gitignore",
    }  # fmt: skip
    assert [name for name in names if name.startswith("whosthere_edge-") and ".whl" in name]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paired.iterdir()}
    assert (modes["private.key"], modes["settings.toml"]) == (0o600, 0o600)
    assert modes["install"] == modes["uninstall"] == 0o755
    assert stat.S_IMODE(paired.stat().st_mode) == 0o700
    settings = tomllib.loads((paired / "settings.toml").read_text())
    assert (settings["camera"], settings["stack"]) == ("front-door", "whosthere")
    assert settings["identity"]["thing"] == "whosthere-front-door"
    assert laptop.facts["secret_access_key"] not in (paired / "settings.toml").read_text()


def test_git_does_not_see_the_folder(paired):
    git = ["git", "-C", str(paired.parent)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    listed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=all"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "front-door" not in listed.stdout


def test_a_camera_the_stack_does_not_have_is_refused_with_those_it_has(verb):
    done = verb("pair", "garage")
    assert done.returncode == 1
    assert "has no camera garage; it has: front-door" in done.stderr
    assert not (verb.folder / "garage").exists()


def test_a_stack_that_is_not_there_is_named(verb):
    done = verb("pair", "front-door", "--stack", "nowhere")
    assert done.returncode == 1
    assert "there is no stack nowhere" in done.stderr


def test_the_edge_sends_with_its_certificate_alone(paired, laptop, tmp_path):
    film = draw(tmp_path / "film.mp4", frames=20, rate=10)
    before = len(fragments_in(laptop, "whosthere-front-door"))
    done = send(paired, film, "--json", "--tag", "always")
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout.splitlines()[-1])
    assert ended["persisted"] == ended["fragments"] >= 1
    stored = len(fragments_in(laptop, "whosthere-front-door"))
    assert stored - before == ended["fragments"]


def test_the_check_of_a_paired_camera_finds_nothing_wrong(paired, tmp_path):
    film = draw(tmp_path / "film.mp4", frames=2)
    environment = {"PATH": os.environ["PATH"], "HOME": str(paired)}
    options = ["check", "--settings", paired / "settings.toml", "--source", film]
    done = called(edge.__main__.main, options, ROOT, environment)
    assert done.returncode == 0, done.stdout
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert [line[:2] for line in lines] == [
        *(["ok", "source"], ["ok", "keys"], ["ok", "stream"], ["ok", "clock"]),
    ]
    assert lines[1][2] == "from the certificate"


def test_a_cameras_keys_reach_its_own_stream_and_images_only(paired, laptop, stack):
    owner = laptop.client("kinesisvideo")
    other = owner.create_stream(StreamName="whosthere-back-door", DataRetentionInHours=1)
    camera = client(laptop, "kinesisvideo", paired)
    assert camera.describe_stream(StreamName="whosthere-front-door")
    assert camera.get_data_endpoint(StreamName="whosthere-front-door", APIName="PUT_MEDIA")
    for refused in (
        lambda: camera.describe_stream(StreamName="whosthere-back-door"),
        lambda: camera.get_data_endpoint(StreamName="whosthere-back-door", APIName="PUT_MEDIA"),
        lambda: camera.list_streams(),
        lambda: camera.create_stream(StreamName="whosthere-more"),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied|NotAuthorized"):
            refused()
    s3 = client(laptop, "s3", paired)
    s3.put_object(Bucket=stack.bucket, Key="frames/whosthere-front-door/a.jpg", Body=b"a")
    for key in (
        "frames/whosthere-back-door/a.jpg",
        "frames/front-door/a.jpg",
        "frames/a.jpg",
        "people/Eve/a.jpg",
        "settings.json",
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket=stack.bucket, Key=key, Body=b"a")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=stack.bucket, Key="frames/whosthere-front-door/a.jpg")
    laptop.client("s3").delete_object(Bucket=stack.bucket, Key="frames/whosthere-front-door/a.jpg")
    owner.delete_stream(StreamARN=other["StreamARN"])


def test_pairing_again_keeps_the_certificate_and_what_the_owner_has_set(paired, verb, laptop):
    text = (paired / "settings.toml").read_text()
    (paired / "settings.toml").write_text("rate = 5\n" + text)
    before = (paired / "certificate.pem").read_text()
    done = verb("pair", "front-door", "--json")
    assert json.loads(done.stdout)["is_new"] is False
    assert (paired / "certificate.pem").read_text() == before
    assert tomllib.loads((paired / "settings.toml").read_text())["rate"] == 5
    principals = laptop.client("iot").list_thing_principals(thingName="whosthere-front-door")
    assert len(principals["principals"]) == 1


def test_a_password_is_asked_for_and_lies_in_the_settings_only(paired, verb, shell):
    source = "rtsp://zoe@camera.lan:8554/stream1"
    done = shell("pair", "front-door", "--source", source, typed="hu/sh@\n")
    assert done.returncode == 0, done.stderr
    assert "hu/sh" not in done.stdout + done.stderr
    config = parse(["--settings", str(paired / "settings.toml")])
    assert config.source == "rtsp://zoe:hu%2Fsh%40@camera.lan:8554/stream1"
    refused = verb("pair", "front-door", "--source", "rtsp://zoe:hush@camera.lan/")
    assert refused.returncode == 1
    assert "hush" not in refused.stderr


def test_a_lost_folder_needs_a_new_certificate_and_the_old_one_ends(paired, verb, tmp_path):
    folder = str(tmp_path / "elsewhere")
    done = verb("pair", "front-door", "--to", folder)
    assert done.returncode == 1
    assert "--renew" in done.stderr
    assert keys(paired)
    assert verb("pair", "front-door", "--to", folder, "--renew").returncode == 0
    assert keys(tmp_path / "elsewhere")
    with pytest.raises(RefusedError):
        keys(paired)
    assert verb("pair", "front-door", "--renew").returncode == 0
    assert keys(paired)


def test_the_pipeline_for_kvssink_names_the_certificate_and_holds_no_key(paired):
    done = send(paired, "test", "--print-pipeline")
    assert done.returncode == 0, done.stderr
    named = r"iot-certificate='iot-certificate,endpoint=\(string\)\"localhost:\d+\",cert-path="
    assert re.search(named, done.stdout)
    assert "allow-create-stream=false" in done.stdout
    assert "PRIVATE KEY" not in done.stdout


@contextmanager
def running_out(paired, say):
    """Give a running edge's credentials shortly before they expire."""
    end = threading.Event()
    renewed = IotCredentials(lambda: good_until(end, keys(paired).frozen), say)
    renewed.get_frozen_credentials()
    yield renewed
    end.set()


def test_after_unpairing_nothing_is_left_and_the_edge_says_so(
    paired, verb, laptop, tmp_path, wait_until
):
    said = []
    with running_out(paired, said.append) as running:
        old = client(laptop, "kinesisvideo", paired)
        done = verb("unpair", "front-door")
        assert done.returncode == 0, done.stderr
        assert "deactivated, detached and deleted" in done.stdout
        assert "at most 15 minutes" in done.stdout
        # The window that the README states: keys that are out stay good.
        assert old.describe_stream(StreamName="whosthere-front-door")
        assert not running.refresh_needed(30)
        wait_until(lambda: said)
    assert "Refreshing the credentials was refused" in said[0]
    iot = laptop.client("iot")
    assert "whosthere-front-door" not in things(iot)
    assert iot.list_targets_for_policy(policyName="whosthere-camera")["targets"] == []
    again = send(paired, draw(tmp_path / "film.mp4", frames=4))
    assert again.returncode == 3
    assert "Certificate is invalid on this endpoint" in again.stderr
    assert "paired" in again.stderr
    assert verb("unpair", "front-door").stdout == "front-door is not paired.\n"


def test_what_a_deleted_stack_has_left_paired_can_still_be_unpaired(verb, laptop):
    iot = laptop.client("iot")
    iot.create_thing(thingName="gone-front-door")
    done = verb("unpair", "front-door", "--stack", "gone")
    assert done.returncode == 0, done.stderr
    assert "thing gone-front-door deleted" in done.stdout
    assert "at most 15 minutes" in done.stdout
    assert "gone-front-door" not in things(iot)


def things(iot):
    """Return the names of all IoT things, those of other tests included."""
    pages = iot.get_paginator("list_things").paginate()
    return [thing["thingName"] for page in pages for thing in page["things"]]
