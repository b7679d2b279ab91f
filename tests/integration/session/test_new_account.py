"""The whole first day in a new account: stream processors are closed, streams and events slow.

As AWS is there, the laptop AWS denies every operation on stream processors without a message,
refuses a mapping whose data stream is not ACTIVE, and tells EventBridge nothing of a new bucket.
"""

import re
import subprocess
import time

import pytest

from cli.setup.laptop_stack import BINARIES, WORK_DIR, describe_stack
from local.laptop import ROOT, LaptopAWS, assert_loopback
from tests.support.session.safeguards import Told
from tests.support.stack.camera import streaming
from tests.support.stack.deploy import deploy, is_deleted, update
from tests.support.stack.deployed import subscribed
from tests.support.stack.functions import invoke

# A laptop AWS and three deployments by sam of their own: about two minutes.
pytestmark = pytest.mark.long
NAME = "whosthere"
SILENT_SECONDS = 40
README = (ROOT / "README.md").read_text()
PHOTO = ROOT / "demo" / "people" / "Ravi" / "1.jpg"


@pytest.fixture(scope="module")
def laptop(tmp_path_factory, no_account):
    settings = {
        "KVS_IMAGE_DELAY_SECONDS": "1",
        "REKOGNITION_PROCESSORS_CLOSED": "1",
        "KINESIS_CREATING_SECONDS": "3",
        "S3_EVENTBRIDGE_SECONDS": str(SILENT_SECONDS),
    }
    with LaptopAWS(tmp_path_factory.mktemp("new"), settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def stack(laptop):
    """Deployed for the first time."""
    return deploy(laptop, NAME, Cameras="front-door", Engine="stream-processor")


@pytest.fixture(scope="module")
def product(laptop, stack, tmp_path_factory):
    """Whose camera sends, and whose first photo was put before S3 tells anybody."""
    put = laptop.client("s3").put_object
    put(Bucket=stack.bucket, Key="people/Ravi/1.jpg", Body=PHOTO.read_bytes())
    with streaming(laptop, tmp_path_factory.mktemp("new")), subscribed(laptop, stack) as opened:
        yield opened


def typed(laptop, command):
    """Run a command as the owner types it: sam of the README's folder, and an aws behind it."""
    variables = laptop.environment()
    variables["PATH"] = f"{WORK_DIR / 'bin'}:{variables['PATH']}:{BINARIES}"
    assert_loopback(variables)
    command = re.sub(r"\bsam (\w+)", r"sam \1 --config-env local", command)
    command = command.replace("sam delete", "sam delete --no-prompts")
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def photos(product):
    rows = product.table.scan()["Items"]
    return {row["key"]: row["status"] for row in rows if row["sk"].startswith("photo#")}


def session_ends_as_denied_and_the_line_deploys_again(laptop, product, wait_until):
    execution = product.start()
    told = Told(product, execution)
    assert product.ended(execution)["status"] == "FAILED"
    assert product.row(execution)["endedBy"] == "denied"
    assert product.report(execution)["endedBy"] == "denied"
    (text,) = wait_until(told.texts, 20)
    assert "Rekognition offers no stream processors here" in text
    assert product.is_free()
    # The safeguards find nothing that they would have to stop, and do not fail.
    found = invoke(product, "SweepSessionsFunction", {})
    assert (found["locks"], found["processors"], found["images"]) == (0, 0, 0)
    (line,) = [line for line in text.splitlines() if line.startswith("sam deploy")]
    typed(laptop, f"(PATH=$PWD/.whosthere/bin:$PATH; {line})")
    parameters = laptop.client("cloudformation").describe_stacks(StackName=NAME)
    engine = {"ParameterKey": "Engine", "ParameterValue": "image-search"}
    assert engine in [
        {name: one[name] for name in engine} for one in parameters["Stacks"][0]["Parameters"]
    ]


def photo_without_an_event_is_enrolled(product, wait_until):
    wait_until(lambda: photos(product) == {"people/Ravi/1.jpg": "enrolled"}, 20)


def session_of_the_other_engine_searches(product, wait_until):
    execution = product.start()
    wait_until(lambda: product.is_watching(execution), 60)
    product.stop()
    assert product.ended(execution)["status"] == "SUCCEEDED"
    assert product.row(execution)["endedBy"] == "stop"


def cameras_are_added_although_their_streams_take_a_while(laptop, stack):
    began = time.monotonic()
    update(laptop, stack, Cameras="front-door,back-door", Engine="stream-processor")
    assert time.monotonic() - began > 3
    listed = laptop.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    arns = [one["EventSourceArn"] for one in listed]
    assert len([arn for arn in arns if f":stream/{NAME}-" in arn]) == 4


def lines_of_the_readme_remove_everything(laptop, stack, product, wait_until):
    execution = product.start(silenceSeconds=60)
    wait_until(lambda: product.state(execution)["status"] != "RUNNING", 60)
    section = README.partition("## Remove it from AWS")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    lines = block.replace("BUCKET", stack.bucket).splitlines()
    assert len(lines) == 3
    for line in lines:
        typed(laptop, line)
    assert is_deleted(laptop, NAME)
    assert not laptop.client("kinesis").list_streams()["StreamNames"]
    assert not laptop.client("kinesisvideo").list_streams()["StreamInfoList"]
    buckets = laptop.client("s3").list_buckets()["Buckets"]
    assert stack.bucket not in [one["Name"] for one in buckets]
    with pytest.raises(Exception, match="does not exist"):
        describe_stack(laptop, NAME)


def test_the_first_day_from_the_first_deployment_to_the_last_line(
    laptop, stack, product, wait_until
):
    """One story, as each step stands on the one before."""
    session_ends_as_denied_and_the_line_deploys_again(laptop, product, wait_until)
    photo_without_an_event_is_enrolled(product, wait_until)
    session_of_the_other_engine_searches(product, wait_until)
    cameras_are_added_although_their_streams_take_a_while(laptop, stack)
    lines_of_the_readme_remove_everything(laptop, stack, product, wait_until)
