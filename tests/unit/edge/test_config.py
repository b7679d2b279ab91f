"""The configuration of a run, from the command line and from a settings file."""

from pathlib import Path

import pytest

from edge.config import default_buffer_folder, parse
from edge.urls import has_password, is_url, redact_url

URL = "rtsp://zoe:hush%40@camera.lan:8554/stream1?user=zoe&password=hush"
IDENTITY = """
[identity]
thing = "home-gate"
role-alias = "home-gate"
credential-endpoint = "127.0.0.1:4567"
certificate = "certificate.pem"
key = "/keys/private.key"
"""


@pytest.fixture
def settings(tmp_path):
    def write(text, mode=0o600):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def error_of(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        parse([str(argument) for argument in arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_the_defaults_suit_faces_and_tag_what_moves():
    config = parse(["--camera", "gate"])
    assert (config.size, config.rate, config.fragment_seconds) == ((1280, 720), 10, 1)
    assert (config.tag, config.is_only_tagged, config.source) == ("motion", False, "")
    assert (config.stream, config.buffer_mb, config.max_behind_s) == ("whosthere-gate", 512, 600)
    assert (config.ack_limit_s, config.identity, config.is_unpaced) == (30, None, False)


def test_a_settings_file_holds_every_option_and_the_identity(settings):
    path = settings(
        'camera = "gate"\nstack = "home"\nrate = 5\nonly-tagged = true\njson = false\n'
        'max-behind = "2m"\nmask = "mask.png"\n' + IDENTITY
    )
    config = parse(["--settings", str(path)])
    assert (config.camera, config.stream, config.rate) == ("gate", "home-gate", 5)
    assert (config.is_only_tagged, config.is_json, config.max_behind_s) == (True, False, 120)
    assert config.mask == path.parent / "mask.png"
    assert config.settings == path
    assert config.identity.thing == "home-gate"
    assert config.identity.certificate == path.parent / "certificate.pem"
    assert config.identity.key == Path("/keys/private.key")


def test_the_options_of_rpicam_are_a_list_and_of_no_use_elsewhere(settings, capsys):
    path = settings('camera = "gate"\nhflip = true\nrpicam-options = ["--awb", "indoor"]\n')
    config = parse(["--settings", str(path)])
    assert (config.module.hflip, config.module.more) == (True, ("--awb", "indoor"))
    error = error_of(capsys, "--settings", path, "--source", "test")
    assert "--hflip" in error
    assert "picamera only" in error


def test_what_is_typed_counts_more_than_the_settings_file(settings):
    path = settings('camera = "gate"\nrate = 5\ntag = "always"\n')
    config = parse(["--settings", str(path), "--rate", "10", "--tag", "motion"])
    assert (config.camera, config.rate, config.tag) == ("gate", 10, "motion")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("camera = ", "is no TOML"),
        ('camera = "gate"\nrate = 500', "'500' is not between 1 and 60"),
        ('camera = "gate"\nspeed = 5', "--speed"),
        ('camera = "gate"\n\nbitrat = 5', "line 3: there is no option --bitrat. Is bitrate meant?"),
        ('camera = "gate"\n# rate\nrate = 500', "line 3: argument --rate: '500' is not between"),
        ('camera = "gate"\nmask = true', "line 2: argument --mask: expected one argument"),
        ('camera = "gate"\n[video]\nrate = 5', "line 2: there is no option --video."),
        ('camera = "gate"\nsize = [1, 2]', "size must be a text, a number"),
        ('camera = "gate"\n[identity]\nthing = "x"', "[identity] needs"),
    ],
)
def test_what_is_wrong_in_a_settings_file_is_named_with_the_file(settings, capsys, text, words):
    path = settings(text)
    error = error_of(capsys, "--settings", path)
    assert words in error
    assert str(path) in error


def test_a_password_in_a_settings_file_is_never_shown(settings):
    config = parse(["--settings", str(settings(f'camera = "gate"\nsource = "{URL}"\n'))])
    assert config.source == URL
    assert config.shown_source == "rtsp://camera.lan:8554/stream1"


def test_a_settings_file_with_a_password_must_be_its_owners_alone(settings, capsys):
    path = settings(f'camera = "gate"\nsource = "{URL}"\n', mode=0o640)
    error = error_of(capsys, "--settings", path)
    assert f"chmod 600 {path}" in error
    assert "hush" not in error
    parse(["--settings", str(settings('camera = "gate"\n', mode=0o644))])


def test_a_password_on_the_command_line_is_refused_and_not_repeated(capsys):
    error = error_of(capsys, "--camera", "gate", "--source", URL)
    assert "--settings FILE" in error
    assert "hush" not in error


@pytest.mark.parametrize(
    ("source", "shown", "secret"),
    [
        ("rtsp://camera.lan/a", "rtsp://camera.lan/a", False),
        ("rtsp://zoe@camera.lan/a", "rtsp://camera.lan/a", False),
        ("rtsps://zoe:p@ss@[fe80::1]:554", "rtsps://[fe80::1]:554", True),
        ("film@home:1.mp4", "film@home:1.mp4", False),
        ("/dev/video0", "/dev/video0", False),
    ],
)
def test_urls_are_shown_without_user_and_query(source, shown, secret):
    assert redact_url(source) == shown
    assert has_password(source) is secret
    assert is_url(source) is source.startswith("rtsp")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--size", "1281x720"),
        ("--size", "big"),
        ("--rate", "0"),
        ("--sensitivity", "1.5"),
        ("--max-behind", "soon"),
        ("--buffer-mb", "0"),
    ],
)
def test_a_wrong_value_is_repeated_with_its_option(capsys, option, value):
    error = error_of(capsys, "--camera", "gate", option, value)
    assert option in error
    assert repr(value) in error


def test_without_a_camera_there_is_nothing_to_do(capsys):
    assert "--camera NAME" in error_of(capsys, "--rate", "5")


def test_state_lies_where_systemd_says_else_with_the_user(tmp_path):
    assert default_buffer_folder("gate", {"STATE_DIRECTORY": "/var/lib/a:/b"}) == Path("/var/lib/a")
    own = default_buffer_folder("gate", {"XDG_STATE_HOME": str(tmp_path)})
    assert own == tmp_path / "whosthere-edge" / "gate"


def test_what_would_send_nothing_at_all_is_refused(capsys):
    given = ("--camera", "gate", "--only-tagged", "--tag", "never")
    assert "--only-tagged sends nothing" in error_of(capsys, *given)
