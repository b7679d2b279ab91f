"""What one run of the edge was asked to do, read once into one frozen value."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import settings
from .options import command_line
from .settings import Identity
from .urls import has_password, without_secrets

Tag = Literal["never", "always", "motion", "face"]
PASSWORD_TYPED = (
    "--source: everybody on this machine can read a password on a command line. Write "
    'source = "..." into a file of mode 0600 and give it as --settings FILE instead of {}'
)


@dataclass(frozen=True, slots=True)
class Config:
    """One run. Lengths of time in seconds, `size` in pixels, `bitrate_kbit` a second.

    `source` is as it was typed and may hold a password: show `shown_source`.
    `identity` is None where credentials come from the usual AWS chain.
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
        """The source as it may be shown: a URL without what could be a password."""
        return without_secrets(self.source)


def parse(arguments: list[str] | None = None) -> Config:
    """Read the options of `run`, or end with a message that names the wrong one."""
    parser = command_line()
    options = parser.parse_args(arguments)
    if has_password(options.source):
        parser.error(PASSWORD_TYPED.format(without_secrets(options.source)))
    if options.settings is None:
        return _config(parser, options, None)
    try:
        read = settings.read(options.settings)
    except settings.SettingsError as exc:
        parser.error(str(exc))
    in_file = command_line(prog=str(options.settings)).parse_args(read.arguments)
    # What is typed counts more: it is read on top of what the file says.
    return _config(parser, parser.parse_args(arguments, in_file), read.identity)


def _config(
    parser: argparse.ArgumentParser, options: argparse.Namespace, identity: Identity | None
) -> Config:
    if options.camera is None:
        parser.error("which camera? Give --camera NAME")
    if options.only_tagged and options.tag == "never":
        parser.error("--only-tagged sends nothing at all with --tag never")
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
        tag=options.tag,
        is_only_tagged=options.only_tagged,
        sensitivity=options.sensitivity,
        mask=options.mask,
        explain=options.explain,
        buffer_mb=options.buffer_mb,
        buffer_folder=options.buffer_folder or state_folder(options.camera, os.environ),
        max_behind_s=options.max_behind,
        ack_limit_s=options.ack_limit,
        is_unpaced=options.as_fast_as_possible,
        is_held=options.hold,
        is_json=options.json,
        is_pipeline_printed=options.print_pipeline,
    )


def state_folder(camera: str, environment: Mapping[str, str]) -> Path:
    """Where a camera keeps what is not stored yet: systemd's place, else the user's."""
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "whosthere-edge" / camera
