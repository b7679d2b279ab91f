"""HEVC's parameter sets and its decoder configuration record, compared with FFmpeg's."""

import av
import pytest

from edge.media import h264, hevc
from edge.media.codec import H264, HEVC, codec_of_record
from tests.support.edge.h264 import good, hevc_stream, units_of

KINDS = (hevc.VPS, hevc.SPS, hevc.PPS)
# In the record: minimum segmentation, parallelism and frame rate, which are hints.
HINTS = (*range(13, 16), 19, 20)


def parameters_of(packets):
    return [unit for unit in units_of(packets)[0] if hevc.nal_type(unit) in KINDS]


@pytest.mark.parametrize("size", [(160, 96), (1920, 1080), (322, 242)])
def test_the_size_is_that_of_the_picture_without_its_padding(size):
    (sequence,) = [
        unit for unit in parameters_of(hevc_stream(1, size=size)) if hevc.nal_type(unit) == hevc.SPS
    ]
    parsed = hevc.parse_sps(sequence)
    assert (parsed.width, parsed.height) == size
    assert (parsed.chroma, parsed.luma_bits, parsed.chroma_bits) == (1, 8, 8)


def test_the_record_is_what_ffmpeg_writes(tmp_path):
    packets = hevc_stream(3)
    raw, film = tmp_path / "film.hevc", tmp_path / "film.mkv"
    raw.write_bytes(b"".join(bytes(packet) for packet in packets))
    with av.open(str(raw)) as bare, av.open(str(film), "w") as container:
        copy = container.add_stream_from_template(bare.streams.video[0])
        for number, packet in enumerate(one for one in bare.demux(video=0) if one.size):
            packet.pts = packet.dts = number
            packet.stream = copy
            container.mux(packet)
    with av.open(str(film)) as container:
        theirs = bytes(container.streams.video[0].codec_context.extradata)
    ours = hevc.codec_private(parameters_of(packets))
    head = [at for at in range(22) if at not in HINTS]
    assert [ours[at] for at in head] == [theirs[at] for at in head]
    assert hevc.parameter_sets(ours) == parameters_of(packets)
    assert set(parameters_of(packets)) <= set(hevc.parameter_sets(theirs))


def test_a_record_says_which_codec_it_is_of():
    assert codec_of_record(hevc.codec_private(parameters_of(hevc_stream(1)))) is HEVC
    sets = [unit for unit in units_of(good(1))[0] if h264.nal_type(unit) in (h264.SPS, h264.PPS)]
    assert codec_of_record(h264.codec_private(sets)) is H264
