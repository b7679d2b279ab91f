"""The Matroska that the edge writes: as players read it, and byte by byte."""

import io

import av
import pytest

from edge.capture.encoder import Encoder, VideoFormat
from edge.media import mkv
from local.kinesisvideo.mkv.parser import FragmentFinished, FragmentParser
from local.tests.support.media.films import grey, number_of
from tests.support.edge.fake_kvs import (
    CLUSTER,
    EBML,
    INFO,
    SEGMENT,
    SIMPLE_BLOCK,
    TAGS,
    TIMESTAMP,
    TRACKS,
    elements,
    read_size,
    tag_names,
)

START = 1_795_363_780_380


@pytest.fixture
def body() -> bytes:
    """Make a body of two fragments of three frames each, the second one tagged."""
    encoder = Encoder(VideoFormat(64, 48, 10.0))
    pieces = []
    for first in (0, 3):
        pieces.append(mkv.image_generation({}) if first else b"")
        pieces.append(mkv.cluster(START + 100 * first))
        for number in range(first, first + 3):
            image = grey(number, 64, 48).reformat(format="yuv420p")
            is_key = number == first
            ((frame, track),) = encoder.encode(image, START + 100 * number, is_key=is_key)
            offset = 100 * (number - first)
            pieces.append(mkv.block(offset, is_key=is_key, data=frame.data))
        pieces.append(mkv.end_of_fragment())
    return b"".join([mkv.header(track), *pieces])


def test_a_player_decodes_every_frame_at_its_absolute_time(body):
    with av.open(io.BytesIO(body), format="matroska") as film:
        images = list(film.decode(video=0))
    assert [number_of(image) for image in images] == [0, 1, 2, 3, 4, 5]
    assert [round(image.time * 1000) for image in images] == [
        START + 100 * number for number in range(6)
    ]


def test_each_cluster_begins_with_a_key_frame_and_has_no_other(body):
    with av.open(io.BytesIO(body), format="matroska") as film:
        packets = [packet for packet in film.demux(video=0) if packet.size]
    keys = [packet.is_keyframe for packet in packets]
    assert keys == [True, False, False, True, False, False]


def test_the_elements_come_in_the_order_that_putmedia_wants(body):
    order = [identity for identity, _, _ in elements(body)]
    fragment = [CLUSTER, TIMESTAMP, SIMPLE_BLOCK, SIMPLE_BLOCK, SIMPLE_BLOCK, TAGS]
    assert order == [EBML, SEGMENT, INFO, TRACKS, *fragment, TAGS, *fragment]


def test_the_image_tag_stands_right_before_its_cluster(body):
    tags = [tag_names(content) for identity, content, _ in elements(body) if identity == TAGS]
    assert tags == [
        ["AWS_KINESISVIDEO_END_OF_FRAGMENT"],
        ["AWS_KINESISVIDEO_IMAGE_GENERATION"],
        ["AWS_KINESISVIDEO_END_OF_FRAGMENT"],
    ]


def test_the_images_tags_are_the_fragments_as_a_server_reads_them(body):
    more = {"faces": "1795363780380:317 394 197 263"}
    tagged = mkv.image_generation(more) + mkv.end_of_fragment()
    first = body.index(mkv.end_of_fragment())
    parser = FragmentParser()
    events = parser.feed(body[:first] + tagged + body[first + len(mkv.end_of_fragment()) :])
    done = [event for event in events if isinstance(event, FragmentFinished)]
    done += [event for event in parser.close() if isinstance(event, FragmentFinished)]
    assert [dict(event.tags) for event in done] == [
        {"AWS_KINESISVIDEO_IMAGE_GENERATION": "", **more},
        {"AWS_KINESISVIDEO_IMAGE_GENERATION": ""},
    ]


def test_segment_and_cluster_are_open_at_their_end(body):
    for identity in (SEGMENT, CLUSTER):
        at = body.index(identity.to_bytes(4, "big")) + 4
        assert read_size(body, at)[0] is None


def test_blocks_carry_the_units_behind_their_lengths(body):
    block = next(content for identity, content, _ in elements(body) if identity == SIMPLE_BLOCK)
    track, offset, flags, units = block[0], block[1:3], block[3], block[4:]
    assert (track, offset, flags) == (0x81, b"\x00\x00", 0x80)
    while units:
        length = int.from_bytes(units[:4], "big")
        assert 0 < length <= len(units) - 4
        units = units[4 + length :]


@pytest.mark.parametrize("length", [0, 1, 121, 122, 123, 16_377, 16_378, 16_379, 70_000])
def test_a_block_of_any_length_says_its_size(length):
    block = mkv.block(0, is_key=True, data=bytes(length))
    size, start = read_size(block, 1)
    assert size == len(block) - start == length + 4
