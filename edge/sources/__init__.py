"""Where video comes from: each source gives samples, and a clock that dates them."""

import threading
from pathlib import Path

from ..config import Config
from ..errors import SourceError
from .film import Film, HeldFilm
from .pattern import PatternSource
from .source import Source

TEST = "test"


def open_source(config: Config, stop: threading.Event) -> Source:
    """Open what the configuration names.

    Raises SourceError for what can never work, SourceLostError for a live source that
    is not there now.
    """
    if config.source == TEST:
        return PatternSource(*config.size, config.rate, is_unpaced=config.is_unpaced)
    if not config.source:
        raise SourceError("Which source? Give --source.")
    film = Film(Path(config.source), is_unpaced=config.is_unpaced)
    return HeldFilm(film, stop) if config.is_held else film
