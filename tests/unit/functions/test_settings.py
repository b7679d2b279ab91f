"""Settings: defaults, three layers, and errors that name each bad field."""

import io

import jsonschema
import pytest

from whosthere import settings, settings_file
from whosthere.errors import SessionInputError


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(settings.schema())


def test_defaults_fit_their_own_schema_and_make_settings():
    defaults = settings.defaults()
    settings.check(defaults, "settings", "defaults")
    made = settings.from_values(defaults)
    assert (made.match_threshold, made.gap_ms, made.confirm_sightings) == (90, 300_000, 2)
    assert made.tell == ("problem",)


def test_the_session_beats_the_camera_and_the_camera_beats_the_stack():
    file = {
        "gapSeconds": 100,
        "margin": 5,
        "strangers": "queue",
        "cameras": {"front-door": {"gapSeconds": 50, "strangers": "off"}},
    }
    merged = settings.merge(file, "front-door", {"gapSeconds": 10})
    assert (merged["gapSeconds"], merged["strangers"], merged["margin"]) == (10, "off", 5)
    elsewhere = settings.merge(file, "back-door", {})
    assert (elsewhere["gapSeconds"], elsewhere["strangers"]) == (100, "queue")


def test_quality_is_merged_field_by_field():
    merged = settings.merge({"quality": {"yaw": 10}}, "front-door", {"quality": {"height": 0.2}})
    assert (merged["quality"]["yaw"], merged["quality"]["height"]) == (10, 0.2)
    assert merged["quality"]["confidence"] == settings.defaults()["quality"]["confidence"]


def test_merging_changes_no_layer():
    file = {"quality": {"yaw": 10}}
    settings.merge(file, "front-door", {})
    assert file == {"quality": {"yaw": 10}}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"minutes": 5}, "'camera' is a required property"),
        ({"camera": "Front", "minutes": 5}, "camera: 'Front'"),
        ({"camera": "front-door"}, "either minutes (at most 1440) or until"),
        ({"camera": "front-door", "minutes": 5, "until": "06:00"}, "not both"),
        ({"camera": "front-door", "minutes": 1441}, "minutes: 1441"),
        ({"camera": "front-door", "minutes": 0}, "minutes: 0"),
        ({"camera": "front-door", "until": "6:00"}, "until: '6:00'"),
        ({"camera": "front-door", "minutes": 5, "mintues": 6}, "'mintues' was unexpected"),
        ({"camera": "front-door", "minutes": 5, "settings": {"gapSeconds": -1}}, "gapSeconds: -1"),
        (
            {"camera": "front-door", "minutes": 5, "settings": {"strangers": "no"}},
            "strangers: 'no'",
        ),
    ],
)
def test_a_bad_input_is_named(request_, words):
    with pytest.raises(SessionInputError) as caught:
        settings.check(request_, "input", "input")
    assert words in str(caught.value)


def test_every_bad_field_is_named_at_once():
    bad = {"camera": "X", "minutes": -1, "settings": {"gapSeconds": 0, "margin": 99}}
    with pytest.raises(SessionInputError) as caught:
        settings.check(bad, "input", "input")
    for field in ("camera", "minutes", "settings.gapSeconds", "settings.margin"):
        assert field in str(caught.value)


def test_a_bad_settings_file_says_where():
    with pytest.raises(SessionInputError, match=r"settings.json, cameras.front-door: strangers"):
        settings.merge({"cameras": {"front-door": {"strangers": "x"}}}, "front-door", {})


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"camera": "front-door\n", "minutes": 1}, "camera"),
        ({"camera": "front-door", "until": "07:00\n"}, "until"),
        ({"camera": "front-door", "minutes": 1e-300}, "minutes"),
        ({"camera": "front-door", "minutes": 1, "settings": {"margin": 1e-300}}, "settings.margin"),
        (
            {"camera": "front-door", "minutes": 1, "settings": {"quietHours": ["22:00-06:00\n"]}},
            "settings.quietHours.0",
        ),
        (
            {"camera": "front-door", "minutes": 1, "settings": {"quality": {"yaw": 1e-320}}},
            "settings.quality.yaw",
        ),
        (
            {"camera": "front-door", "minutes": 1, "settings": {"margin": float("nan")}},
            "settings.margin",
        ),
    ],
)
def test_what_a_later_step_could_not_hold_is_a_named_field(request_, field):
    with pytest.raises(SessionInputError, match=f"input: {field}: "):
        settings.check(request_, "input", "input")


def test_a_value_of_any_length_or_depth_is_told_shortly():
    deep: list = []
    for _ in range(5_000):
        deep = [deep]
    for value in ("x" * 1_000_000, 10**4000, deep):
        with pytest.raises(SessionInputError) as refused:
            settings.check({"margin": value}, "settings", "settings.json")
        assert len(str(refused.value)) < 500
    with pytest.raises(SessionInputError) as refused:
        settings.check({f"a{n}": n for n in range(1000)}, "settings", "settings.json")
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("text", ["[" * 100_000, '{"quality":' * 100_000, "[" * 900 + "]" * 900])
def test_a_settings_file_that_is_nested_too_deep_is_refused(text):
    class Bucket:
        @staticmethod
        def get_object(**_):
            return {"Body": io.BytesIO(text.encode())}

    with pytest.raises(SessionInputError, match=r"settings\.json: "):
        settings_file.read(Bucket(), "bucket")


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe"], ids=["unknown", "a folder of zones"])
def test_an_unknown_time_zone_is_named(zone):
    with pytest.raises(SessionInputError, match=zone):
        settings.merge({}, "front-door", {"timeZone": zone})


@pytest.mark.parametrize(
    ("confirm", "sampling", "window_ms"), [(5, 1, 5000), (2, 1, 3000), (5, 4, 12000)]
)
def test_the_window_of_confirmation_is_never_less_than_three_samples(confirm, sampling, window_ms):
    values = settings.merge({}, "c", {"confirmSeconds": confirm, "samplingSeconds": sampling})
    assert settings.from_values(values).confirm_window_ms == window_ms
