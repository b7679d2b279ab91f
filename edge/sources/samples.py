"""What a source returns: decoded frames, or packets of a codec."""

from dataclasses import dataclass

import av
from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded frame and its time, in seconds by the source's clock."""

    image: av.VideoFrame
    seconds: float


@dataclass(frozen=True, slots=True)
class CodedPacket:
    """A frame as the source's encoder made it, and its time by the source's clock."""

    packet: "av.Packet[VideoStream]"
    seconds: float
