"""Settings: defaults, three layers, and errors that name each bad field."""

import jsonschema
import pytest

from whosthere import settings
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


def test_an_unknown_time_zone_is_named():
    with pytest.raises(SessionInputError, match="Mars/Base"):
        settings.merge({}, "front-door", {"timeZone": "Mars/Base"})


@pytest.mark.parametrize(
    ("confirm", "sampling", "window_ms"), [(5, 1, 5000), (2, 1, 3000), (5, 4, 12000)]
)
def test_the_window_of_confirmation_is_never_less_than_three_samples(confirm, sampling, window_ms):
    values = settings.merge({}, "c", {"confirmSeconds": confirm, "samplingSeconds": sampling})
    assert settings.from_values(values).confirm_window_ms == window_ms
