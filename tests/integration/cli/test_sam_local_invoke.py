"""`sam local invoke`: each function, in a container of the Lambda runtime, really does its work.

By default some of them are only tried with their sample event where they are deployed.
"""

import json
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest

from cli.commands.up import published, write_invoke_environment
from cli.setup.laptop_stack import BINARIES, sam_lock
from local.laptop import ROOT
from local.relay import gateway, relaying
from tests.support.stack.demo_film import DEMO, first_appearance, photos_of
from whosthere import session_store as sessions
from whosthere.session import lock as locks

IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"


def key_of(sample):
    """The object that the message of a sample event tells of."""
    (message,) = json.loads((ROOT / "events" / f"{sample}.json").read_text())["Records"]
    return json.loads(message["body"])["detail"]["object"]["key"]


FRAME, PHOTO = key_of("search_frame"), key_of("reconcile_object")


def why_not():
    """Why no container can be run here, or None."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        return "no Docker engine runs"
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True).returncode:
        return f"the image {IMAGE} is not here, and tests pull nothing"
    return None


@pytest.fixture(scope="module")
def in_container(laptop, stack, tmp_path_factory):
    """`in_container("open_session")`: run the function on its sample event; its answer."""
    if reason := why_not():
        pytest.skip(reason)
    written = tmp_path_factory.mktemp("invoke") / "invoke.json"
    write_invoke_environment(laptop, stack, written)
    variables = laptop.environment() | {"SAM_CLI_TELEMETRY": "0"}
    variables["PATH"] = f"{BINARIES}:{variables['PATH']}"

    def run(stem, event=None):
        words = "".join(word.title() for word in stem.split("_"))
        command = [BINARIES / "sam", "local", "invoke", f"{words}Function"]
        command += ["--config-env", "local", "-e", f"events/{event or stem}.json"]
        with sam_lock():  # it takes code and layers from where others build meanwhile
            done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return succeeded(json.loads(done.stdout.strip().splitlines()[-1]))

    with relaying(gateway(), laptop.ports()), published(written):
        yield run


@pytest.fixture(scope="module")
def deployed(laptop, stack):
    """`deployed("open_session")`: the same, by the function that the stack has."""
    client = laptop.client("lambda")

    def run(stem, event=None):
        words = "".join(word.title() for word in stem.split("_"))
        body = (ROOT / "events" / f"{event or stem}.json").read_bytes()
        answer = client.invoke(FunctionName=function_named(client, words), Payload=body)
        return succeeded(json.loads(answer["Payload"].read()))

    return run


@pytest.fixture
def invoke(request):
    """In a container, or as the parameter says: one of them takes ten seconds."""
    return request.getfixturevalue(getattr(request, "param", "in_container"))


# A container takes ten seconds and more; one function is tried in it by default.
by_default_deployed = pytest.mark.parametrize(
    "invoke", ["deployed", pytest.param("in_container", marks=pytest.mark.long)], indirect=True
)


def succeeded(answer):
    assert "errorType" not in (answer or {}), answer
    return answer


def function_named(client, words):
    functions = client.list_functions()["Functions"]
    names = [one["FunctionName"] for one in functions]
    return next(name for name in names if name.startswith(f"whosthere-{words}"))


@pytest.fixture
def held(product, stack):
    """The camera is held by the session of the sample events."""
    session = sample_opened(product)
    yield session
    forget_sample(product)
    take_away_visits(product)


def sample_opened(product):
    client = product.client("lambda")
    client.invoke(
        FunctionName=function_named(client, "OpenSession"),
        Payload=(ROOT / "events" / "open_session.json").read_bytes(),
    )
    found = sessions.read_session(product.table, "sample")
    assert found is not None
    return found


def forget_sample(product):
    """The sample events all have one session, which would stay ended for the next test."""
    locks.unlock(product.table, sessions.read_session(product.table, "sample"))
    product.table.delete_item(Key={"pk": "session#sample", "sk": "session"})


@contextmanager
def rule_off(product, word):
    """Nobody but the container reacts to S3 meanwhile."""
    events = product.client("events")
    names = [rule["Name"] for rule in events.list_rules()["Rules"] if word in rule["Name"]]
    assert names, word
    for name in names:
        events.disable_rule(Name=name)
    try:
        yield
    finally:
        for name in names:
            events.enable_rule(Name=name)


def people(product):
    found = product.client("rekognition").list_faces(CollectionId="whosthere-people")["Faces"]
    return len(found)


def forget_all(product):
    """Take the sample's photo out again, the product's own way."""
    product.client("s3").delete_object(Bucket=product.stack.bucket, Key=PHOTO)


@by_default_deployed
def test_open_session_locks_the_camera(invoke, product):
    answer = invoke("open_session")
    try:
        assert answer["processor"] == "whosthere-front-door-sample"
        assert sessions.latest_session(product.table, "front-door").id == "sample"
        assert not product.is_free()
    finally:
        forget_sample(product)


@by_default_deployed
def test_check_session_reads_the_video_streams_own_endpoint(invoke, held, product):
    now = round(time.time() * 1000)
    product.table.update_item(  # the sample's own time is over
        Key=sessions.session_key("sample"),
        UpdateExpression="SET startedAt = :now, deadline = :later",
        ExpressionAttributeValues={":now": now, ":later": now + 3_600_000},
    )
    answer = invoke("check_session")
    assert set(answer) == {"next", "sleepSeconds", "requests", "ending", "failedChecks"}
    assert answer["next"] in ("sleep", "start")


@by_default_deployed
def test_stop_session_writes_the_report_and_frees_the_camera(invoke, held, product):
    answer = invoke("stop_session", "stop_session.ending")
    assert answer["endedBy"] == "stop"
    assert product.is_free()
    assert product.report("arn:sample")["endedBy"] == "stop"
    assert [message["kind"] for message in product.messages()] == ["session"]


@by_default_deployed
def test_stop_session_cleans_up_after_an_aborted_execution(invoke, held, product):
    assert invoke("stop_session")["endedBy"] == "aborted"
    assert product.nothing_is_left()


@by_default_deployed
def test_alert_person_sends_the_alert(invoke, held, product, wait_until):
    who = json.loads((ROOT / "events" / "alert_person.json").read_text())
    assert invoke("alert_person") == {"batchItemFailures": []}
    alerts = wait_until(product.messages)
    assert [alert["kind"] for alert in alerts] == ["person"]
    assert alerts[0]["session"] == "sample"
    assert len(who["Records"]) == 2


@by_default_deployed
def test_alert_person_sets_poison_aside_whole(invoke, held, product):
    assert invoke("alert_person", "alert_person.poison") == {"batchItemFailures": []}
    found = product.client("s3").list_objects_v2(Bucket=product.stack.bucket, Prefix="failures/")
    assert found["KeyCount"] >= 1


@by_default_deployed
def test_queue_stranger_puts_the_stranger_into_the_queue(invoke, held, product, wait_until):
    assert invoke("queue_stranger") == {"batchItemFailures": []}
    (alert,) = wait_until(product.messages)
    assert alert["kind"] == "stranger"
    found = product.client("s3").list_objects_v2(
        Bucket=product.stack.bucket, Prefix=f"review/pending/{alert['name']}/"
    )
    assert found["KeyCount"] >= 1


@by_default_deployed
def test_reconcile_object_does_and_undoes(invoke, product, wait_until):
    s3 = product.client("s3")
    with rule_off(product, "ObjectsRule"):
        before = people(product)
        s3.upload_file(str(photos_of("Zoë")[0]), product.stack.bucket, PHOTO)
        assert invoke("reconcile_object") == {"batchItemFailures": []}
        assert people(product) == before + 1
        forget_all(product)
        assert people(product) == before + 1
        invoke("reconcile_object", "reconcile_object.deleted")
        assert people(product) == before


def test_search_frame_makes_the_record_of_an_image(invoke, held, product, tmp_path):
    image = tmp_path / "frame.jpg"
    moment = first_appearance("stranger-1")[0] + 1.5
    command = [BINARIES / "python", "-m", "demo.draw", "--frame", str(moment), "--out"]
    subprocess.run([*command, str(image.with_suffix(".png"))], cwd=ROOT, check=True)
    to_jpeg(image.with_suffix(".png"), image)
    metadata = {
        "aws_kinesisvideo_fragment_number": "91343852333181432392682062607743920146264094720",
        "aws_kinesisvideo_producer_timestamp": "1893456000193",
        "aws_kinesisvideo_server_timestamp": "1893456000455",
    }
    product.client("s3").upload_file(  # of the other engine: nobody but the container reacts
        str(image),
        product.stack.bucket,
        FRAME,
        ExtraArgs={"Metadata": metadata, "ContentType": "image/jpeg"},
    )
    before = counted(product)
    assert invoke("search_frame") == {"batchItemFailures": []}
    assert counted(product) == before + 1


def counted(product):
    return int(product.row("arn:sample")["counts"].get("records", 0))


def to_jpeg(source, target):
    from PIL import Image

    with Image.open(source) as picture:
        picture.convert("RGB").save(target, quality=92)


def take_away_visits(product):
    """The sample events lie in 2030: no later visit at this camera would come after them."""
    rows = product.table.scan(ConsistentRead=True)["Items"]
    for row in rows:
        if row["pk"] == "camera#front-door" and row["sk"] != "lock":
            product.table.delete_item(Key={"pk": row["pk"], "sk": row["sk"]})


def test_the_demo_has_what_these_tests_take_from_it():
    assert (DEMO / "film.mp4").is_file()
    assert len(photos_of("Zoë")) >= 2
