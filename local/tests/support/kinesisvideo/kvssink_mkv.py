"""The Matroska that kvssink writes: the same elements in the same order, with sizes as wide."""

import secrets
import struct

from local.tests.support.media import mkv
from local.tests.support.media.mkv import element

NAME = "kinesis_video"
TITLE, APPLICATION = b"Kinesis Video SDK", b"Kinesis Video SDK 1.1.0"


def number(identity, value):
    """Return an integer in as few bytes as it needs."""
    return element(identity, value.to_bytes(max(1, (value.bit_length() + 7) // 8)))


def header(*tracks):
    """Everything before the first cluster; a session id of its own each time."""
    versions = ((0x4286, 1), (0x42F7, 1), (0x42F2, 4), (0x42F3, 8))
    readable = number(0x4287, 2) + number(0x4285, 2)
    before = b"".join(number(identity, value) for identity, value in versions)
    info = element(
        mkv.INFO,
        element(0x73A4, secrets.token_bytes(16)),
        mkv.integer(mkv.SCALE, 1_000_000),
        element(0x7BA9, TITLE),
        element(0x4D80, APPLICATION),
        element(0x5741, APPLICATION),
        width=2,
    )
    return b"".join(
        (
            element(mkv.EBML, before, element(mkv.DOC_TYPE, b"matroska"), readable),
            mkv.identity(mkv.SEGMENT) + mkv.UNKNOWN,
            info,
            element(mkv.TRACKS, *tracks, width=4),
        )
    )


def video(private, size):
    """Return the track entry of H.264 video."""
    picture = number(mkv.WIDTH, size[0]) + number(mkv.HEIGHT, size[1])
    return _track(1, 1, NAME, b"V_MPEG4/ISO/AVC", element(mkv.VIDEO, picture, width=4), private)


def audio(private, rate, channels):
    """Return the track entry of AAC sound."""
    sound = element(0xB5, struct.pack(">d", rate)) + number(0x9F, channels)
    return _track(2, 2, "audio", b"A_AAC", element(0xE1, sound, width=4), private)


def _track(identity, kind, name, codec, details, private):
    return element(
        mkv.ENTRY,
        number(mkv.NUMBER, identity),
        mkv.integer(0x73C5, identity),
        number(mkv.TYPE, kind),
        element(0x536E, name.encode()),
        element(mkv.CODEC, codec),
        details,
        element(mkv.PRIVATE, private),
        width=4,
    )


def cluster_head(time_ms):
    """Return the head of a cluster of unknown size."""
    time = mkv.integer(mkv.TIMESTAMP, time_ms)
    return mkv.identity(mkv.CLUSTER) + mkv.UNKNOWN + time + number(0xA7, 0)


def block(relative_ms, data, *, track=1, key=False):
    """Return a SimpleBlock, its size in eight bytes."""
    flags = b"\x80" if key else b"\x00"
    return element(
        mkv.BLOCK, mkv.coded(track), relative_ms.to_bytes(2, signed=True), flags, data, width=8
    )


def tags(*pairs):
    """One Tags element with one Tag; every size in eight bytes."""
    simple = [
        element(
            mkv.SIMPLE,
            element(mkv.NAME, name.encode(), width=8),
            element(mkv.STRING, value.encode(), width=8),
            width=8,
        )
        for name, value in pairs
    ]
    return element(mkv.TAGS, element(mkv.TAG, *simple, width=8), width=8)


def end():
    """Return the tag that ends a fragment, and with it the stream."""
    return tags((mkv.END, ""))
