"""What a source gives: pictures, or packets of a codec."""

from dataclasses import dataclass

import av
from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded frame and when it comes, in seconds by the source's own clock."""

    image: av.VideoFrame
    seconds: float


@dataclass(frozen=True, slots=True)
class Coded:
    """One frame as the source's encoder made it, and when it comes by the source's clock."""

    packet: "av.Packet[VideoStream]"
    seconds: float
