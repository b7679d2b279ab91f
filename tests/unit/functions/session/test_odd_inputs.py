"""Whatever a session is asked for and its settings say: it opens, or each bad field is named."""

import io
import json
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from hypothesis import strategies

from tests.support.records.alert_harness import START, a_table, empty
from tests.support.records.given_many import given_many
from tests.support.records.odd_records import DEEP, odd_values
from whosthere import settings
from whosthere.clock import DAY_S, iso
from whosthere.errors import SessionInputError
from whosthere.session.open import Deployment, OpenContext, open_requested_session, opened, plan
from whosthere.session_store import latest_session

REASON_LENGTH = 5000
FIELDS = settings.schema()["$defs"]["settings"]["properties"]
# At the edges of what the schema allows, and beyond.
NEAR = [0, 1e-300, 0.2, 1, 1.5, 20, 80, 90, 100, 600, 86_400, 86_401, 1440, 1e300]
TEXTS = ["alert", "off", "wait", "UTC", "Europe", "Asia/Kathmandu", "../x", "23:59", "24:00"]
TEXTS += ["22:00-06:00", "00:00-24:00", "front-door\n", "UTC\n", "\ud800", "x" * 10_000]
values = odd_values() | strategies.sampled_from([*NEAR, *TEXTS])
values |= strategies.lists(strategies.sampled_from([*TEXTS, "start"]), max_size=3)
known = strategies.sampled_from(sorted(FIELDS))
qualities = strategies.sampled_from(sorted(FIELDS["quality"]["properties"]))
layers = strategies.dictionaries(known | strategies.text(max_size=3), values, max_size=3)
layers |= strategies.fixed_dictionaries(
    {"quality": strategies.dictionaries(qualities, values, max_size=2)}
)
layers |= strategies.sampled_from([{}, {}, {"strangers": "off"}, {"timeZone": "Asia/Kathmandu"}])
ends = strategies.sampled_from([{"minutes": 1}, {"minutes": 1440}, {"until": "23:59"}, {}])
ends |= strategies.fixed_dictionaries({"minutes": values}) | strategies.fixed_dictionaries(
    {"until": values}
)
inputs = strategies.builds(
    lambda camera, end, more: {"camera": camera, **end, **more},
    strategies.just("front-door") | strategies.just("front-door") | values,
    ends,
    strategies.sampled_from([{}, {}, {"x": 1}])
    | strategies.fixed_dictionaries({"settings": layers}),
)
inputs |= values
files = strategies.builds(
    lambda stack_wide, own: {**stack_wide, "cameras": own},
    layers,
    strategies.just({}) | strategies.fixed_dictionaries({"front-door": layers | values}) | values,
)
contents = (files | values).map(lambda made: json.dumps(made).encode())
contents |= strategies.just(b"{}") | strategies.binary(max_size=20)
contents |= strategies.sampled_from([b"[" * DEEP * 5, b'{"a":' * DEEP, b"\xff{}", b"9" * 5000])


@given_many(45_000, inputs, files | values.filter(lambda one: isinstance(one, dict)))
def test_an_input_and_settings_are_a_plan_or_named_errors(given, file):
    try:
        settings.check(given, "input", "input")
        merged = settings.merge(file, given["camera"], given.get("settings", {}))
        session = plan(
            given,
            merged,
            stack="whosthere",
            engine="image-search",
            session_id="one",
            execution="arn:one",
            started_ms=START,
        )
    except SessionInputError as error:
        check_reason(error)
        return
    check_session(session)
    kept = opened(
        session,
        requests=0,
        stack="whosthere",
        video_arn="V",
        data_arn="D",
        bucket="B",
        region="us-east-1",
    )
    assert json.dumps(kept, allow_nan=False)


def check_reason(error):
    assert 0 < len(str(error)) < REASON_LENGTH


def check_session(session):
    assert START < session.deadline_ms <= START + DAY_S * 1000
    assert iso(session.deadline_ms)
    assert session.settings.confirm_window_ms > 0


class SettingsFile:
    """S3 with a settings.json."""

    def __init__(self, content):
        self.content = content

    def get_object(self, **_):
        return {"Body": io.BytesIO(self.content)}


class CamerasStreams:
    """Kinesis Video Streams with one camera's stream."""

    def describe_stream(self, *, StreamName):
        if StreamName != "whosthere-front-door":
            error = {"Code": "ResourceNotFoundException", "Message": ""}
            raise ClientError({"Error": error}, "DescribeStream")
        return {"StreamInfo": {"StreamARN": "arn:video"}}


@pytest.fixture
def context():
    with a_table() as table:
        yield OpenContext(
            table=table,
            s3=SettingsFile(b"{}"),
            kinesisvideo=CamerasStreams(),
            create_schedule=lambda _session: None,
            deployment=Deployment("whosthere", "image-search", "bucket", "us-east-1", "arn:data/"),
        )


@given_many(5_000, inputs, contents)
def test_a_session_opens_with_what_was_asked_or_says_why_not(context, given, content):
    empty(context.table)
    try:
        open_requested_session(
            replace(context, s3=SettingsFile(content)),
            given,
            session_id="one",
            execution="arn:one",
            started_ms=START,
        )
    except SessionInputError as error:
        check_reason(error)
        assert latest_session(context.table, "front-door") is None
        return
    check_session(latest_session(context.table, "front-door"))
