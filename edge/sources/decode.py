"""Turns packets into pictures, whatever the codec."""

from collections.abc import Iterator

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from ..timeline import MendedTimes
from .samples import Coded, Picture


class Decoding:
    """Decodes one stream from a key frame on; its times go on from the first packet's."""

    def __init__(self, decoder: VideoCodecContext, rate: float) -> None:
        self._decoder = decoder
        self._rate = rate
        self._times: MendedTimes | None = None

    def take(self, sample: Coded) -> Iterator[Picture]:
        """Give the pictures that are ready once this packet is in."""
        if self._times is None:
            self._times = MendedTimes(self._rate, sample.seconds)
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
            yield Picture(image, self._times.seconds(image.time))
