"""Decodes single key frames of a stream that is otherwise passed on."""

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from .mkv import Track


class KeyFrames:
    """Keeps a decoder for the track that was seen last."""

    def __init__(self) -> None:
        self._track: Track | None = None
        self._decoder: VideoCodecContext | None = None

    def decode(self, data: bytes, track: Track) -> av.VideoFrame | None:
        """Give the picture of a key frame as Matroska holds it; None if it is damaged."""
        if self._decoder is None or track != self._track:
            self._track, self._decoder = track, _open(track)
        try:
            images = [*self._decoder.decode(av.Packet(data)), *self._decoder.decode(None)]
        except FFmpegError:
            images = []
        # Without this it would wait for the end of what was said to have ended.
        self._decoder.flush_buffers()
        return images[0] if images else None


def _open(track: Track) -> VideoCodecContext:
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata = track.codec_private
    decoder.thread_count = 1
    return decoder
