"""Clips: fragments of all kinds joined to one MP4 whose every frame can be decoded."""

import io
import struct

import av
import pytest

from local.kinesisvideo.errors import KinesisVideoError
from local.kinesisvideo.media import clip
from local.kinesisvideo.mkv.header import MediaError
from local.kinesisvideo.mkv.parser import FragmentParser
from local.tests.support.media import mkv
from local.tests.support.media.films import draw, number_of

AUDIO, RATE, CHANNELS = 0xE1, 0xB5, 0x9F
REORDERED = {"bf": "3", "b_strategy": "0", "sc_threshold": "0"}
WAVE = {"a-law": 6, "u-law": 7}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Draw a film of ten numbered frames in a second."""
    folder, made = tmp_path_factory.mktemp("films"), {}

    def drawn(**more):
        key = repr(more)
        if key not in made:
            made[key] = draw(folder / f"{len(made)}.mkv", **more).read_bytes()
        return made[key]

    return drawn


def joined(*parts):
    """The clip of films, each with the second at which it starts."""
    file = io.BytesIO()
    wanted = [clip.ClipPart(*halves(film), round(start * 1000), 0, 1000) for start, film in parts]
    assert clip.write(wanted, file)
    return file.getvalue()


def halves(film):
    """What PutMedia would keep of a film of one fragment: its header and its cluster."""
    try:
        parser = FragmentParser()
        [_, fragment] = [*parser.feed(film), *parser.close()]
    except (MediaError, ValueError):
        return film, b""
    return fragment.header, fragment.cluster


def frames(film):
    with av.open(io.BytesIO(film)) as container:
        return [
            (round(frame.time, 3), number_of(frame), frame.width)
            for frame in container.decode(video=0)
        ]


def seconds(film):
    with av.open(io.BytesIO(film)) as container:
        return container.duration / 1_000_000


def packets_of(film):
    with av.open(io.BytesIO(film)) as container:
        video = container.streams.video[0]
        found = [(int(p.pts), bytes(p)) for p in container.demux(video) if p.pts is not None]
        return bytes(video.codec_context.extradata), found


def numbered(start, width=64):
    return [(round(start + number / 10, 3), number, width) for number in range(10)]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_every_frame_of_every_fragment_is_there_in_order(film, codec):
    made = film(codec=codec, options=REORDERED if codec == "libx264" else None)
    order = [at for at, _ in packets_of(made)[1]]
    assert order != sorted(order)  # or the frames' order would prove nothing
    whole = joined((100, made), (101, made), (102, made))
    assert frames(whole) == numbered(0) + numbered(1) + numbered(2)
    assert seconds(whole) == pytest.approx(3, abs=0.01)


def test_fragments_with_and_without_reordered_frames_follow_each_other(film):
    plain = film(options={"bf": "0"})
    assert [at for at, _ in packets_of(plain)[1]] == [number * 100 for number in range(10)]
    reordered = film(options=REORDERED)
    whole = joined((0, plain), (1, reordered), (2, plain), (3, reordered))
    assert frames(whole) == [one for start in range(4) for one in numbered(start)]


def test_a_pause_between_fragments_stays_a_pause(film):
    whole = joined((7, film()), (12.5, film()))
    assert frames(whole) == numbered(0) + numbered(5.5)
    assert seconds(whole) == pytest.approx(6.5, abs=0.01)


def test_overlapping_fragments_are_put_one_behind_the_other(film):
    whole = joined((7, film()), (7.4, film()))
    assert frames(whole) == numbered(0) + numbered(1)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_change_of_size_is_followed_there_and_back(film, codec):
    small, wide = film(codec=codec), film(codec=codec, size=(96, 64))
    whole = joined((0, small), (1, wide), (2, small))
    assert frames(whole) == numbered(0) + numbered(1, 96) + numbered(2)


def test_sound_lies_beside_the_pictures(film):
    whole = joined((0, film(is_with_sound=True)), (3, film(is_with_sound=True)))
    with av.open(io.BytesIO(whole)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        sounds = [round(frame.time, 1) for frame in container.decode(audio=0)]
    assert sounds[0] == pytest.approx(0, abs=0.1)
    assert sounds[-1] == pytest.approx(3, abs=0.1)
    assert frames(whole) == numbered(0) + numbered(3)


@pytest.mark.parametrize("law", WAVE)
def test_g_711_sound_is_taken_too(film, law):
    private, packets = packets_of(film())
    shape = element_of_wave(WAVE[law])
    blocks = [mkv.block(at, data) for at, data in packets]
    blocks += [mkv.block(at * 100, b"\xd5" * 800, number=2) for at in range(10)]
    film = mkv.header(mkv.track(private=private), shape) + mkv.cluster(0, *blocks)
    whole = joined((0, film), (1, film))
    assert frames(whole) == numbered(0) + numbered(1)
    with av.open(io.BytesIO(whole)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) == 16_000


def element_of_wave(tag):
    """A track of sound as ACM writes it: one channel, 8 bits at 8 kHz."""
    wave = struct.pack("<HHIIHHH", tag, 1, 8000, 8000, 1, 8, 0)
    sound = mkv.element(AUDIO, mkv.element(RATE, struct.pack(">d", 8000)), mkv.integer(CHANNELS, 1))
    return mkv.element(
        mkv.ENTRY,
        mkv.integer(mkv.NUMBER, 2),
        mkv.integer(mkv.TYPE, 2),
        mkv.element(mkv.CODEC, b"A_MS/ACM"),
        sound,
        mkv.element(mkv.PRIVATE, wave),
    )


def remade(film, private):
    _, packets = packets_of(film)
    blocks = [mkv.block(at, data) for at, data in packets]
    return mkv.header(mkv.track(private=private)) + mkv.cluster(0, *blocks)


@pytest.mark.parametrize(
    ("private", "name"),
    [
        (b"", "MissingCodecPrivateDataException"),
        (bytes.fromhex("00000001674d0029"), "InvalidCodecPrivateDataException"),
        (bytes.fromhex("014d0029ffe100ff674d"), "InvalidCodecPrivateDataException"),
        (b"\x01", "InvalidCodecPrivateDataException"),
    ],
    ids=["none", "Annex B", "cut short", "one byte"],
)
def test_private_data_of_another_form_is_named(film, private, name):
    with pytest.raises(KinesisVideoError) as caught:
        joined((0, remade(film(), private)))
    assert caught.value.code == name


def test_pictures_of_another_codec_are_named(film):
    with pytest.raises(KinesisVideoError) as caught:
        joined((0, film(codec="mpeg4")))
    assert caught.value.code == "UnsupportedStreamMediaTypeException"


def test_sound_that_is_gone_in_the_middle_is_named(film):
    with pytest.raises(KinesisVideoError) as caught:
        joined((0, film(is_with_sound=True)), (1, film()))
    assert caught.value.code == "UnsupportedStreamMediaTypeException"


def test_a_cluster_that_is_none_is_named(film):
    header, _ = halves(film())
    parts = [clip.ClipPart(header, b"no cluster" * 9, 0, 0, 1000)]
    with pytest.raises(KinesisVideoError) as caught:
        clip.write(parts, io.BytesIO())
    assert caught.value.code == "InvalidMediaFrameException"


def test_nothing_makes_no_clip():
    assert not clip.write([], io.BytesIO())
