"""The video sources: camera module, devices, network cameras, films, a test pattern.

Each returns frames or packets, and a timeline that dates them.
Uses: media and the modules beside this package.
"""

import threading
from pathlib import Path

from ..config import PICAMERA, Config
from ..errors import SourceError
from ..urls import is_url
from .film import FilmSource, HeldFilmSource
from .pattern import PatternSource
from .picamera import PiCameraSource, module_numbers
from .rtsp import SCHEMES, open_rtsp
from .source import Source
from .v4l2 import open_v4l2

TEST = "test"
DEVICES = "/dev/"
NO_SOURCE = (
    "No camera module answers here. Give --source: a device such as /dev/video0, "
    "rtsp://HOST/PATH, a film, or test."
)

NO_RTSP = "{} cannot be read: give a network camera as rtsp://HOST/PATH. Its manual names the path."


def open_source(config: Config, stop: threading.Event) -> Source:
    """Open the source that the configuration names.

    Raises SourceError for a source that can never work, SourceLostError for a live source that does
    not answer now.
    """
    if config.is_held:
        return HeldFilmSource(FilmSource(Path(config.source), is_unpaced=config.is_unpaced), stop)
    if config.source == TEST:
        return PatternSource(*config.size, config.rate, is_unpaced=config.is_unpaced)
    if config.source.partition(":")[0] == PICAMERA:
        return PiCameraSource(config, stop)
    if config.source.startswith(SCHEMES):
        return open_rtsp(config.source, config.shown_source, stop, transport=config.rtsp_transport)
    if config.source.startswith(DEVICES):
        return open_v4l2(config.source, config, stop)
    if not config.source:
        return _default(config, stop)
    if is_url(config.source):
        raise SourceError(NO_RTSP.format(config.shown_source))
    return FilmSource(Path(config.source), is_unpaced=config.is_unpaced)


def _default(config: Config, stop: threading.Event) -> Source:
    if not module_numbers():
        raise SourceError(NO_SOURCE)
    return PiCameraSource(config, stop)
