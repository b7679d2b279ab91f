"""The configuration of one run: options and settings file, read once into a frozen value."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import settings
from .options import build_parser
from .settings import Identity
from .urls import has_password, redact_url

Tag = Literal["never", "always", "motion", "face"]
Passthrough = Literal["auto", "always", "never"]
PASSWORD_TYPED = (
    "--source: everybody on this machine can read a password on a command line. Write "
    'source = "..." into a file of mode 0600 and give it as --settings FILE instead of {}'
)


PICAMERA = "picamera"


@dataclass(frozen=True, slots=True)
class ModuleOptions:
    """The options of the Pi's camera module; `more` are rpicam-vid's own."""

    rotate: int = 0
    hflip: bool = False
    vflip: bool = False
    autofocus: str | None = None
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """One run's configuration. Times are in seconds, `size` is in pixels.

    `source` may hold a password: log `shown_source` instead. `identity` is None where credentials
    come from the usual AWS chain.
    """

    camera: str
    source: str
    stream: str
    stack: str
    region: str
    endpoint_url: str
    ca: Path | None
    identity: Identity | None
    settings: Path | None
    fragment_seconds: float
    size: tuple[int, int]
    rate: float
    bitrate_kbit: int
    passthrough: Passthrough
    rtsp_transport: str
    module: ModuleOptions
    tag: Tag
    is_only_tagged: bool
    sensitivity: float
    mask: Path | None
    explain: Path | None
    buffer_mb: int
    buffer_folder: Path
    max_behind_s: float
    ack_limit_s: float
    is_unpaced: bool
    is_held: bool
    is_json: bool
    is_pipeline_printed: bool

    @property
    def shown_source(self) -> str:
        """Return the source without the parts of a URL that may be secret."""
        return redact_url(self.source)


def parse(arguments: list[str] | None = None) -> Config:
    """Parse the options of `run`; exit with a message that names the wrong one."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if has_password(options.source):
        parser.error(PASSWORD_TYPED.format(redact_url(options.source)))
    if options.settings is None:
        return _config(parser, options, None)
    try:
        read = settings.read(options.settings)
    except settings.SettingsError as exc:
        parser.error(str(exc))
    # Typed options override those of the file.
    return _config(parser, parser.parse_args(arguments, read.options), read.identity)


def _config(
    parser: argparse.ArgumentParser, options: argparse.Namespace, identity: Identity | None
) -> Config:
    if options.camera is None:
        parser.error("which camera? Give --camera NAME")
    if options.only_tagged and options.tag == "never":
        parser.error("--only-tagged sends nothing at all with --tag never")
    module = ModuleOptions(
        options.rotate,
        options.hflip,
        options.vflip,
        options.autofocus,
        tuple(options.rpicam_options),
    )
    if module != ModuleOptions() and options.source.partition(":")[0] not in ("", PICAMERA):
        parser.error(
            "--rotate, --hflip, --vflip, --autofocus and --rpicam-options are for the source "
            "picamera only"
        )
    return Config(
        camera=options.camera,
        source=options.source,
        stream=options.stream or f"{options.stack}-{options.camera}",
        stack=options.stack,
        region=options.region,
        endpoint_url=options.endpoint_url,
        ca=options.ca,
        identity=identity,
        settings=options.settings,
        fragment_seconds=options.fragment_seconds,
        size=options.size,
        rate=options.rate,
        bitrate_kbit=options.bitrate,
        passthrough=options.passthrough,
        rtsp_transport=options.rtsp_transport,
        module=module,
        tag=options.tag,
        is_only_tagged=options.only_tagged,
        sensitivity=options.sensitivity,
        mask=options.mask,
        explain=options.explain,
        buffer_mb=options.buffer_mb,
        buffer_folder=options.buffer_folder or default_buffer_folder(options.camera, os.environ),
        max_behind_s=options.max_behind,
        ack_limit_s=options.ack_limit,
        is_unpaced=options.as_fast_as_possible,
        is_held=options.hold,
        is_json=options.json,
        is_pipeline_printed=options.print_pipeline,
    )


def runtime_folder(camera: str, environment: Mapping[str, str]) -> Path | None:
    """Return the folder in memory that outlives a run: systemd's, else the user's, if any."""
    if given := environment.get("RUNTIME_DIRECTORY"):
        return Path(given.split(":")[0])
    if given := environment.get("XDG_RUNTIME_DIR"):
        return Path(given) / "whosthere-edge" / camera
    return None


def default_buffer_folder(camera: str, environment: Mapping[str, str]) -> Path:
    """Return the folder for unsent fragments: systemd's, else one in the user's state folder."""
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "whosthere-edge" / camera
