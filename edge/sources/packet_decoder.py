"""Decodes packets of any codec into frames."""

from collections.abc import Iterator
from typing import Any

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from ..media.timeline import MonotonicTimestamps
from .samples import CodedPacket, DecodedFrame


class PacketDecoder:
    """Decodes one stream from a key frame on; timestamps continue from the first packet's."""

    def __init__(self, decoder: VideoCodecContext, rate: float) -> None:
        """Use an opened decoder; `rate` is in frames a second."""
        self._decoder = decoder
        self._rate = rate
        self._times: MonotonicTimestamps | None = None
        self._time_base: Any = None

    def push(self, sample: CodedPacket) -> Iterator[DecodedFrame]:
        """Decode a packet; return the frames that are ready."""
        if self._times is None:
            self._times = MonotonicTimestamps(self._rate, sample.seconds)
        self._time_base = sample.packet.time_base
        return self._pictures(sample.packet)

    def flush(self) -> Iterator[DecodedFrame]:
        """Return the frames that the decoder still holds at the end of the stream."""
        return self._pictures(None)

    def _pictures(self, packet: "av.Packet[av.VideoStream] | None") -> Iterator[DecodedFrame]:
        if self._times is None:
            return
        try:
            images = self._decoder.decode(packet)
        except FFmpegError:
            # A damaged frame; the decoder recovers at the next key frame.
            return
        for image in images:
            # PyAV 18 gives the last frames no time, because they come without a packet.
            base, raw = self._time_base, None
            if image.pts is not None and base is not None:
                raw = float(image.pts * base)
            yield DecodedFrame(image, self._times.next_seconds(raw))
