"""Decides which fragments are marked for image generation."""

import av

from .config import Config
from .fragments import EncodedFrame
from .mkv import Track


class Tagger:
    """Looks at what goes by, and decides at the end of each fragment."""

    def __init__(self, config: Config) -> None:
        self._is_always = config.tag == "always"

    def look(self, image: av.VideoFrame, at_ms: int) -> None:
        """Look at a picture that is about to be encoded."""

    def pass_by(self, frame: EncodedFrame, track: Track, *, is_due: bool) -> None:
        """Look at a frame that is passed on as it is; `is_due` if a fragment may begin with it."""

    def is_tagged(self) -> bool:
        """Decide on the fragment that ends now."""
        return self._is_always
