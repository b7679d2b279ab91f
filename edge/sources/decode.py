"""Turns packets into pictures, whatever the codec."""

from collections.abc import Iterator
from typing import Any

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from ..media.timeline import MendedTimes
from .samples import Coded, Picture


class Decoding:
    """Decodes one stream from a key frame on; its times go on from the first packet's."""

    def __init__(self, decoder: VideoCodecContext, rate: float) -> None:
        self._decoder = decoder
        self._rate = rate
        self._times: MendedTimes | None = None
        self._time_base: Any = None

    def take(self, sample: Coded) -> Iterator[Picture]:
        """Give the pictures that are ready once this packet is in."""
        if self._times is None:
            self._times = MendedTimes(self._rate, sample.seconds)
        self._time_base = sample.packet.time_base
        return self._pictures(sample.packet)

    def rest(self) -> Iterator[Picture]:
        """Give the pictures that are still inside when the stream has ended."""
        return self._pictures(None)

    def _pictures(self, packet: "av.Packet[av.VideoStream] | None") -> Iterator[Picture]:
        if self._times is None:
            return
        try:
            images = self._decoder.decode(packet)
        except FFmpegError:
            # A damaged frame; the decoder finds its way at the next key frame.
            return
        for image in images:
            # PyAV 18 knows no time of the last images, which come without a packet.
            base, raw = self._time_base, None
            if image.pts is not None and base is not None:
                raw = float(image.pts * base)
            yield Picture(image, self._times.seconds(raw))
