"""`./whosthere settings`: where each value comes from, what is refused, and what a change keeps."""

import json

import pytest

from cli import __main__ as command
from cli.aws import effective_settings
from cli.aws.effective_settings import PREVIOUS_KEY, parse_value, setting_rules
from cli.commands import settings as verb_module
from cli.errors import InputError
from tests.support.stack.moto_target import BUCKET, running_session
from whosthere import settings
from whosthere.errors import WhosthereError

KEY = "settings.json"


@pytest.fixture
def s3(target):
    return target.session.client("s3")


@pytest.fixture
def say(verb):
    return lambda *words: verb(verb_module, *words)[1]


@pytest.fixture
def answer(say):
    return lambda *words: json.loads(say(*words, "--json"))


def put(s3, values):
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps(values).encode())


def kept(s3, key=KEY):
    return json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def sources(found):
    return {one["key"]: (one["value"], one["default"], one["from"]) for one in found["settings"]}


def test_every_setting_of_the_schema_is_shown_with_its_default(answer):
    found = sources(answer())
    assert set(found) == set(setting_rules())
    assert found["matchThreshold"] == (90, 90, "default")
    assert found["quality.yaw"] == (50, 50, "default")
    leaves = {key.partition(".")[0] for key in found}
    assert leaves == set(settings.defaults())


def test_a_value_comes_from_the_nearest_place_that_has_it(answer, say, s3):
    own = {"strangers": "off", "quality": {"yaw": 30}}
    put(s3, {"strangers": "queue", "margin": 3, "cameras": {"back-door": own}})
    found = sources(answer("back-door"))
    assert found["strangers"] == ("off", "alert", "settings.json, cameras.back-door")
    assert found["quality.yaw"] == (30, 50, "settings.json, cameras.back-door")
    assert found["quality.height"] == (0.05, 0.05, "default")
    assert found["margin"] == (3, 2, "settings.json")
    assert sources(answer("front-door"))["strangers"][0] == "queue"
    assert sources(answer())["strangers"] == ("queue", "alert", "settings.json")
    text = say()
    assert "back-door has its own strangers: off" in text
    assert [line.split()[0] for line in say("back-door", "margin").splitlines()] == [
        "setting",
        "margin",
    ]


def test_a_running_session_keeps_its_own_values_and_is_named(answer, say, table):
    running_session(table, matchThreshold=97, timeZone="UTC")
    (found,) = answer("front-door", "matchThreshold")["settings"]
    assert (found["value"], found["running"]) == (90, 97)
    assert "the running session has 97" in say("front-door", "matchThreshold")
    assert "running" not in answer("front-door", "margin")["settings"][0]


def test_a_change_keeps_the_version_before_and_says_from_when_it_holds(answer, say, s3, table):
    assert "It holds now" in say("matchThreshold", "92")
    assert kept(s3) == {"matchThreshold": 92}
    running_session(table)
    found = answer("matchThreshold", "95")
    assert (found["before"], found["value"], found["holds"]) == (92, 95, "next session")
    assert (found["running"], found["previous"]) == (["one"], f"s3://{BUCKET}/{PREVIOUS_KEY}")
    assert (kept(s3), kept(s3, PREVIOUS_KEY)) == ({"matchThreshold": 95}, {"matchThreshold": 92})
    text = say("front-door", "matchThreshold", "96")
    assert (
        "front-door: matchThreshold is 96\nIt holds from the next session; one at front-door"
        in (text)
    )
    assert f"The file before: s3://{BUCKET}/{PREVIOUS_KEY}" in text
    assert "It holds now" in say("back-door", "matchThreshold", "97")
    # The session at the front door would not read this one: that camera has its own.
    text = say("matchThreshold", "91")
    assert "It holds now" in text and "front-door has its own: 96" in text
    cameras = {"front-door": {"matchThreshold": 96}, "back-door": {"matchThreshold": 97}}
    assert kept(s3) == {"matchThreshold": 91, "cameras": cameras}


def test_a_removed_value_falls_back_and_leaves_no_empty_section(say, answer, s3):
    say("back-door", "quality.yaw", "30")
    assert kept(s3) == {"cameras": {"back-door": {"quality": {"yaw": 30}}}}
    found = answer("back-door", "quality.yaw", "--remove")
    assert (found["before"], found["value"]) == (30, 50)
    assert kept(s3) == {}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("tell", "start,end", ["start", "end"]),
        ("tell", '["start"]', ["start"]),
        ("quietHours", "22:00-06:00", ["22:00-06:00"]),
        ("quietHours", "[]", []),
        ("strangers", "off", "off"),
        ("margin", "2.5", 2.5),
        ("margin", "NaN", "NaN"),
        ("timeZone", "Europe/Zurich", "Europe/Zurich"),
    ],
)
def test_values_are_parsed_as_people_type_them(key, text, value):
    assert parse_value(text, setting_rules()[key]) == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["matchTreshold", "92"],
            "there is no setting 'matchTreshold'; did you mean matchThreshold",
        ),
        (["back-dor"], "did you mean back-door"),
        (["front-door", "yaw", "3"], "no setting 'yaw'"),
        (["quietours"], "did you mean quietHours"),
        (["zzz", "1"], "there are: matchThreshold, margin"),
        (["matchThreshold", "100.5"], "settings.json: matchThreshold: 100.5 is greater than"),
        (["matchThreshold", "NaN"], "matchThreshold: 'NaN' is not of type 'number'"),
        (["back-door", "strangers", "of"], "settings.json, cameras.back-door: strangers: 'of'"),
        (["quietHours", "22-6"], "quietHours.0: '22-6' does not match"),
        (["timeZone", "Europe/Nowhere"], "is no IANA time zone"),
        (["garage", "margin", "1"], "has no camera garage"),
        (["a", "b", "c", "d"], "too many words"),
        (["--remove"], "say which"),
        (["front-door", "margin", "1", "--remove"], "say which"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(say, s3, words, message):
    with pytest.raises((InputError, WhosthereError)) as error:
        say(*words)
    assert message in str(error.value)
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_a_file_with_a_wrong_field_is_named_and_the_verb_corrects_it(say, s3):
    put(s3, {"marign": 3, "margin": 1})
    with pytest.raises(InputError, match="marign"):
        say()
    with pytest.raises(InputError, match="marign"):
        say("margin", "2")
    assert "marign is nothing" in say("marign", "--remove")
    assert kept(s3) == {"margin": 1}


def test_a_broken_file_stays_as_it_is(say, s3):
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"{")
    with pytest.raises(InputError, match="not JSON"):
        say("margin", "2")
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"{"


@pytest.mark.parametrize("before", [{}, {"margin": 1}])
def test_a_change_that_somebody_else_made_meanwhile_is_not_overwritten(
    say, s3, monkeypatch, before
):
    if before:
        put(s3, before)
    changed = effective_settings.changed_file

    def slow(*given):
        put(s3, {"margin": 9})
        return changed(*given)

    monkeypatch.setattr(verb_module, "changed_file", slow)
    with pytest.raises(InputError, match="somebody else"):
        say("margin", "2")
    assert kept(s3) == {"margin": 9}


def test_the_same_value_again_writes_nothing(say, s3):
    say("margin", "3")
    assert PREVIOUS_KEY not in say("margin", "3"), "there is no such file"
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1


def test_settings_is_in_the_group_care():
    assert "settings" in command.GROUPS["care"]
