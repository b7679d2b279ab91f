"""JPEG pictures of frames."""

import av


def encode_jpeg(image: av.VideoFrame) -> bytes:
    """Return a frame as a JPEG."""
    codec = av.CodecContext.create("mjpeg", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = image.width, image.height, "yuvj420p"
    frame = image.reformat(format="yuvj420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])
