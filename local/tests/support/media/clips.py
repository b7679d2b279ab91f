"""One-fragment films: encoded once, then sent again and again at other times."""

import io
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from local.kinesisvideo.mkv import ebml

MUXING = {"cluster_time_limit": "100000", "cluster_size_limit": "50000000", "live": "1"}
ASIDE = {ebml.TIMESTAMP, ebml.CRC_32}


def encoded(
    pictures: Iterable[Image.Image], *, rate=10, codec="libx264", sound=False, **options
) -> bytes:
    """One fragment as a producer makes it: a Matroska file with a single cluster."""
    shown, file = list(pictures), io.BytesIO()
    with av.open(file, "w", format="matroska", options=MUXING) as container:
        voice = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.pix_fmt, stream.gop_size = "yuv420p", 600
        stream.width, stream.height = shown[0].size
        if voice:
            container.mux([*voice.encode(_silence()), *voice.encode()])
        for number, picture in enumerate(shown):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def film(*, frames=10, size=(64, 48), **more) -> bytes:
    """One fragment whose frames grow brighter, by 10 grey levels each."""
    return encoded((Image.new("RGB", size, (10 * n,) * 3) for n in range(frames)), **more)


def parts(media: bytes) -> tuple[bytes, bytes]:
    """What comes before the only cluster of a film, and the blocks in that."""
    at = media.index(ebml.CLUSTER.to_bytes(4))
    head = ebml.read_head(media, at)
    assert head and head.total == len(media) - at, "the film has more than one cluster"
    inside = ebml.children(media[at + head.length :])
    blocks = [ebml.element(number, bytes(data)) for number, data in inside if number not in ASIDE]
    return media[:at], b"".join(blocks)


def cluster(blocks: bytes, milliseconds: int) -> bytes:
    """Return a cluster that begins at a time."""
    timestamp = ebml.element(ebml.TIMESTAMP, milliseconds.to_bytes(8))
    return ebml.element(ebml.CLUSTER, timestamp + blocks)


def later(media: bytes, milliseconds: int) -> bytes:
    """Return a film with its cluster, and so all its frames, moved to another time."""
    header, blocks = parts(media)
    return header + cluster(blocks, milliseconds)


def _silence() -> av.AudioFrame:
    less = 14_000  # samples than a second has: the next fragment must not begin before the end
    frame = av.AudioFrame.from_ndarray(np.zeros((1, less), np.float32), "fltp", "mono")
    frame.sample_rate = 16000
    return frame
