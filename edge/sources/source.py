"""What every source has in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from av.video.codeccontext import VideoCodecContext

from ..media.timeline import Timeline
from .samples import Coded, Picture

# A live source that gives nothing for so long is lost.
STALL_S = 10.0
# How soon a source that gives nothing is to notice that it should stop.
STOP_POLL_S = 0.5


class Source(ABC):
    """An opened source of video; a `with` block closes it.

    `name` may be shown. `rate` is in frames a second, `aspect` how many times as wide as
    high a pixel is shown. `is_passable` says that the packets are H.264 that may be handed
    on as they are; `extradata` is what comes before them, `decoder` decodes any packets.
    """

    name: str
    rate: float
    timeline: Timeline
    is_live = True
    is_passable = False
    aspect = 1.0
    extradata = b""
    decoder: VideoCodecContext | None = None
    # Told when a film that was held begins, in milliseconds since 1970.
    on_playing: Callable[[int], None] = staticmethod(lambda _at_ms: None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def samples(self) -> Iterator[Coded] | Iterator[Picture]:
        """Give what comes, in order; once."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the device, connection or file."""
