"""The GStreamer pipeline for AWS's own producer, kvssink, with this camera's settings."""

import shlex
from fractions import Fraction

from ..config import PICAMERA, Config, ModuleOptions
from ..settings import Identity
from ..urls import is_url, redact_url, user_name

# The CA bundle of Debian, and so of Raspberry Pi OS.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
H264 = "video/x-h264,stream-format=avc,alignment=au"
JOIN = " ! \\\n  "


def gstreamer_pipeline(config: Config) -> str:
    """Return the shell command; it holds no key and no password."""
    return JOIN.join([f"gst-launch-1.0 -e {_source(config)}", _sink(config)])


def omissions(config: Config) -> str:
    """Return a note on what the command lacks; an empty text if it is complete."""
    note = ""
    if redact_url(config.source) != config.source:
        note = (
            "The camera's password (user-pw=...) and the query of its URL are left out: anyone "
            "who can list processes could read them in this command. whosthere-edge run needs "
            "neither.\n"
        )
    if config.source.startswith(f"{PICAMERA}:") and config.source != f"{PICAMERA}:0":
        note += (
            "libcamerasrc takes the first camera module: name the second by camera-name=..., "
            "as `cam --list` shows it.\n"
        )
    if config.module.autofocus or config.module.more:
        note += "--autofocus and --rpicam-options are left out: they are rpicam-vid's.\n"
    return note


def _source(config: Config) -> str:
    width, height = config.size
    rate = Fraction(config.rate).limit_denominator(1001)
    each = f"{rate.numerator}/{rate.denominator}"
    raw = f"video/x-raw,width={width},height={height},framerate={each}"
    if is_url(config.source):
        # Passed through: the camera's own settings decide its key frame interval.
        location = shlex.quote(config.shown_source)
        user = f" user-id={shlex.quote(name)}" if (name := user_name(config.source)) else ""
        return JOIN.join([f"rtspsrc location={location}{user}", "rtph264depay", "h264parse", H264])
    if config.source.partition(":")[0] in ("", PICAMERA):
        captured = ["libcamerasrc", raw, *_flips(config.module)]
    elif config.source == "test":
        captured = ["videotestsrc is-live=true pattern=ball", raw, "timeoverlay"]
    elif config.source.startswith("/dev/"):
        captured = [f"v4l2src do-timestamp=true device={config.source}", "decodebin"]
        captured += ["videoconvert", "videoscale", "videorate", raw]
    else:
        name = shlex.quote(config.source)
        captured = [f"filesrc location={name}", "decodebin", "videoconvert", "videoscale"]
        captured += ["videorate", raw, "identity sync=true"]
    return JOIN.join([*captured, "videoconvert", "video/x-raw,format=I420", _encoder(config), H264])


def _flips(module: ModuleOptions) -> list[str]:
    methods = {
        "rotate-180": bool(module.rotate),
        "horizontal-flip": module.hflip,
        "vertical-flip": module.vflip,
    }
    return [f"videoflip method={method}" for method, is_wanted in methods.items() if is_wanted]


def _encoder(config: Config) -> str:
    # Always one key frame a second, because kvssink cuts fragments at key frames.
    return (
        f"x264enc bframes=0 key-int-max={round(config.rate)} bitrate={config.bitrate_kbit} "
        "tune=zerolatency speed-preset=superfast ! h264parse"
    )


def _sink(config: Config) -> str:
    parts = [f"kvssink stream-name={config.stream}", "allow-create-stream=false"]
    if config.region:
        parts.append(f"aws-region={config.region}")
    if config.identity:
        parts.append(f"iot-certificate={shlex.quote(_certificate(config, config.identity))}")
    return " ".join(parts)


def _certificate(config: Config, identity: Identity) -> str:
    fields = {
        "endpoint": identity.credential_endpoint,
        "cert-path": identity.certificate.resolve(),
        "key-path": identity.key.resolve(),
        "ca-path": config.ca.resolve() if config.ca else AUTHORITIES,
        "role-aliases": identity.role_alias,
        "iot-thing-name": identity.thing,
    }
    return ",".join(
        ["iot-certificate", *(f'{name}=(string)"{value}"' for name, value in fields.items())]
    )
