"""Makes H.264 and HEVC of all kinds from the test pattern, and takes it apart."""

from fractions import Fraction

import av

from edge.media import h264
from edge.sources.pattern import Pattern

MS = Fraction(1, 1000)


def stream(frames=20, *, rate=10, size=(160, 96), group=10, first=0, pix_fmt="yuv420p", **options):
    """Encode numbered frames; return Annex B packets in decoding order, with timestamps."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = *size, pix_fmt
    codec.time_base, codec.framerate, codec.gop_size = MS, rate, group
    codec.options = {"preset": "ultrafast", "forced-idr": "1"} | {
        name.replace("_", "-"): str(value) for name, value in options.items()
    }
    pattern, packets = Pattern(*size, rate), []
    for number in range(first, first + frames):
        image = pattern.frame(number, number / rate).reformat(format=pix_fmt)
        image.pts, image.time_base = number * 1000 // rate, MS
        packets += codec.encode(image)
    return packets + codec.encode(None)


def hevc_stream(frames=20, *, rate=10, size=(160, 96), first=0, parameters="bframes=0"):
    """Encode numbered frames to HEVC, a key frame each second; return Annex B packets."""
    codec = av.CodecContext.create("libx265", "w")
    codec.width, codec.height, codec.pix_fmt = *size, "yuv420p"
    codec.time_base, codec.framerate, codec.gop_size = MS, rate, rate
    more = f"log-level=none:keyint={rate}:min-keyint={rate}:scenecut=0:repeat-headers=1"
    codec.options = {"preset": "ultrafast", "x265-params": f"{more}:{parameters}"}
    pattern, packets = Pattern(*size, rate), []
    for number in range(first, first + frames):
        image = pattern.frame(number, number / rate)
        image.pts, image.time_base = number * 1000 // rate, MS
        packets += codec.encode(image)
    return packets + codec.encode(None)


def good(frames=20, **more):
    """Make H.264 that passes through: a key frame each second, and no B-frames, as the SPS says."""
    return stream(frames, **{"bf": 0, "x264_params": "scenecut=0"} | more)


def write(path, packets, *, is_annex_b=False):
    """Write packets into a film without changing them."""
    if is_annex_b:
        path.write_bytes(b"".join(bytes(packet) for packet in packets))
        return path
    parameters = [
        unit for unit in h264.split_annex_b(bytes(packets[0])) if h264.nal_type(unit) in (7, 8)
    ]
    extradata = b"".join(h264.START_CODE + unit for unit in parameters)
    with av.open(str(path), "w") as container:
        out = container.add_stream("h264", rate=10)
        out.codec_context.extradata = extradata
        for packet in packets:
            packet.stream = out
            container.mux(packet)
    return path


def units_of(packets):
    """Return the NAL units of each frame."""
    return [h264.split_annex_b(bytes(packet)) for packet in packets]


def sent_units(frames):
    """Return the NAL units of each frame as it was sent."""
    return [list(h264.split_avcc(frame.data, 4)) for frame in frames]
