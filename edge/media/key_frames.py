"""Decodes the key frames of a stream that is passed through."""

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from .mkv import VideoTrack


class KeyFrameDecoder:
    """A decoder for single key frames; a new track opens a new decoder."""

    def __init__(self) -> None:
        """Start without a decoder; the first key frame opens it."""
        self._track: VideoTrack | None = None
        self._decoder: VideoCodecContext | None = None

    def decode(self, data: bytes, track: VideoTrack) -> av.VideoFrame | None:
        """Decode a key frame in Matroska's form; return None if it is damaged."""
        if self._decoder is None or track != self._track:
            self._track, self._decoder = track, _open(track)
        try:
            images = [*self._decoder.decode(av.Packet(data)), *self._decoder.decode(None)]
        except FFmpegError:
            images = []
        # decode(None) has put the decoder into its end state; this makes it accept packets again.
        self._decoder.flush_buffers()
        return images[0] if images else None


def _open(track: VideoTrack) -> VideoCodecContext:
    decoder = av.CodecContext.create(track.codec.name, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata = track.codec_private
    decoder.thread_count = 1
    return decoder
