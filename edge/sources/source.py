"""The interface that all sources share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from av.video.codeccontext import VideoCodecContext

from ..media.timeline import Timeline
from .samples import CodedPacket, DecodedFrame

# A live source that is silent for so long is lost.
STALL_S = 10.0
# How soon a silent source notices that it should stop.
STOP_POLL_S = 0.5


class Source(ABC):
    """An opened video source; a `with` block closes it.

    `name` may be logged. `rate` is in frames a second, `aspect` is the pixel aspect ratio (width to
    height). `can_pass_through` says that the packets, if their codec is one that can be sent, need
    no rotation; `extradata` holds their parameter sets, `decoder` decodes packets of any codec.
    `has_times` says that the packets have presentation times, which B-frames need.
    """

    name: str
    rate: float
    timeline: Timeline
    is_live = True
    can_pass_through = False
    has_times = True
    aspect = 1.0
    extradata = b""
    decoder: VideoCodecContext | None = None
    # Called when a held film is released, with the time in milliseconds since 1970.
    on_playing: Callable[[int], None] = staticmethod(lambda _at_ms: None)

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the source."""
        self.close()

    @abstractmethod
    def samples(self) -> Iterator[CodedPacket] | Iterator[DecodedFrame]:
        """Return frames or packets in order; can be called once."""

    @abstractmethod
    def close(self) -> None:
        """Release the device, connection or file."""
