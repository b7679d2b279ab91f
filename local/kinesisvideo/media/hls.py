"""GetHLSStreamingSessionURL: playlists and fragmented MP4, as media players ask for them.

The session is in its token, which nobody else can make. Only players that send no Origin reach the
links (security/guard.py). Modes LIVE and ON_DEMAND; sound and picture are in one rendition.
"""

import io
import math
import re
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from local import ministack
from local.kinesisvideo import requests
from local.kinesisvideo.errors import KinesisVideoError, encode, invalid_argument, nothing_found
from local.kinesisvideo.media import clip
from local.kinesisvideo.media.connection import Connection
from local.kinesisvideo.store import archive
from local.kinesisvideo.store.fragment_index import Fragment, Selector
from local.kinesisvideo.store.state import KinesisVideo
from local.kinesisvideo.store.streams import Stream

FOLDER = "/hls/v1/"
MASTER, PLAYLIST = "getHLSMasterPlaylist.m3u8", "getHLSMediaPlaylist.m3u8"
INITIAL, MEDIA = "getMP4InitFragment.mp4", "getMP4MediaFragment.mp4"
LINKS = frozenset(FOLDER + name for name in (MASTER, PLAYLIST, INITIAL, MEDIA))
PARAMETERS = frozenset({"SessionToken", "FragmentNumber"})
SEALED_FOR = "GetHLSStreamingSessionURL"
PLAYLIST_TYPE = "application/x-mpegURL"

EXPIRES_SECONDS = 300
MOST_FRAGMENTS = {"LIVE": 5, "ON_DEMAND": 1000}
# A gap or overlap from which ON_DISCONTINUITY marks it.
DISCONTINUITY_MS = 50
FRAGMENTED = {"movflags": "empty_moov+default_base_moof+frag_keyframe"}
# ISO/IEC 14496-12: `mdhd` has the timescale after two times, `tfhd` begins with the track's number,
# and `tfdt` (version 1) holds the time at which a track's part of a fragment begins.
TRACK_HEADER = re.compile(rb"mdhd\x00.{3}.{8}(.{4})", re.DOTALL)
TRACK_FRAGMENT = re.compile(rb"tfhd.{4}(.{4}).*?tfdt\x01.{3}(.{8})", re.DOTALL)

Session = Mapping[str, Any]
Query = Mapping[str, list[str]]


async def get_hls_streaming_session_url(
    service: KinesisVideo,
    stream: Stream,
    parameters: requests.Parameters,
    connection: Connection,
) -> None:
    """Answer with the URL of a new session's master playlist."""
    archive.require_retention(stream)
    session = _new_session(service, stream, parameters)
    found = _fragments(service, session)
    if not found:
        raise nothing_found()
    token = requests.seal(SEALED_FOR, {**session, "zero": found[0].producer_ms})
    url = f"{ministack.media_endpoint()}{FOLDER}{MASTER}?SessionToken={quote(token, safe='')}"
    answer = encode({"HLSStreamingSessionURL": url})
    await connection.answer(200, {"content-type": "application/json"}, answer)


def _new_session(
    service: KinesisVideo, stream: Stream, parameters: requests.Parameters
) -> dict[str, Any]:
    mode = parameters.get("PlaybackMode", "LIVE")
    container = parameters.get("ContainerFormat", "FRAGMENTED_MP4")
    if mode not in MOST_FRAGMENTS or container != "FRAGMENTED_MP4":
        raise invalid_argument(f"{mode} in {container} is not implemented on the laptop AWS")
    chosen = parameters.get("HLSFragmentSelector", {})
    given = chosen.get("TimestampRange")
    if (given is None) is (mode == "ON_DEMAND"):
        raise invalid_argument("ON_DEMAND needs a TimestampRange, and LIVE has none")
    return {
        "arn": stream.arn,
        "mode": mode,
        "by": chosen.get("FragmentSelectorType", Selector.SERVER.value),
        "range": archive.time_range(given) if given else None,
        "most": parameters.get("MaxMediaPlaylistFragmentResults", MOST_FRAGMENTS[mode]),
        "marks": parameters.get("DiscontinuityMode", ""),
        "dated": parameters.get("DisplayFragmentTimestamp") == "ALWAYS",
        "expires": service.clock() + parameters.get("Expires", EXPIRES_SECONDS),
    }


def _fragments(service: KinesisVideo, session: Session) -> list[Fragment]:
    """Return the fragments of the playlist as it is now."""
    stream = service.streams.by_arn(session["arn"])
    if stream is None:
        raise nothing_found()
    selector = Selector(session["by"])
    start, end = session["range"] or (0, round(service.clock() * 1000) + 86_400_000)
    found = archive.each_time_once(archive.between(service, stream, selector, start, end))
    most = session["most"]
    return found[:most] if session["range"] else found[-most:]


async def answer_link(
    service: KinesisVideo, path: str, query: Query, connection: Connection
) -> None:
    """Answer one request of a media player."""
    session = _opened(service, query.get("SessionToken", [""])[0])
    answers: dict[str, Callable[..., Awaitable[tuple[str, bytes]]]] = {
        MASTER: _master,
        PLAYLIST: _playlist,
        INITIAL: _initial,
        MEDIA: _media,
    }
    kind, body = await answers[path.removeprefix(FOLDER)](service, session, query)
    await connection.answer(200, {"content-type": kind}, body)


def _opened(service: KinesisVideo, token: str) -> dict[str, Any]:
    try:
        session = requests.unseal(SEALED_FOR, token)
    except KinesisVideoError:
        session = {"expires": 0.0}
    if service.clock() > session["expires"]:
        message = "The session token is not valid, or no more"
        raise KinesisVideoError("NotAuthorizedException", message, 401)
    return session


async def _master(service: KinesisVideo, session: Session, query: Query) -> tuple[str, bytes]:
    found = _fragments(service, session)
    seconds = sum(one.length_ms for one in found) / 1000 or 1
    rate = math.ceil(8 * sum(one.size for one in found) / seconds)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        f"#EXT-X-STREAM-INF:BANDWIDTH={rate}",
        _link(PLAYLIST, query),
    ]
    return PLAYLIST_TYPE, _text(lines)


async def _playlist(service: KinesisVideo, session: Session, query: Query) -> tuple[str, bytes]:
    return PLAYLIST_TYPE, _text(_lines(_fragments(service, session), session, query))


def _lines(found: list[Fragment], session: Session, query: Query) -> Iterator[str]:
    longest = max((one.length_ms for one in found), default=1000)
    yield from ("#EXTM3U", "#EXT-X-VERSION:6")
    if session["range"]:
        yield "#EXT-X-PLAYLIST-TYPE:VOD"
    yield f"#EXT-X-TARGETDURATION:{math.ceil(longest / 1000)}"
    # A number that only rises while fragments leave a live playlist.
    yield f"#EXT-X-MEDIA-SEQUENCE:{found[0].arrival if found and not session['range'] else 1}"
    yield f'#EXT-X-MAP:URI="{_link(INITIAL, query)}"'
    for before, fragment in zip([None, *found], found, strict=False):
        if before and _is_marked(before, fragment, session):
            yield "#EXT-X-DISCONTINUITY"
        if session["dated"]:
            start = datetime.fromtimestamp(fragment.start(Selector(session["by"])) / 1000, UTC)
            yield f"#EXT-X-PROGRAM-DATE-TIME:{start.isoformat(timespec='milliseconds')}"
        yield f"#EXTINF:{fragment.length_ms / 1000:.3f},"
        yield _link(MEDIA, query, fragment.number)
    if session["range"]:
        yield "#EXT-X-ENDLIST"


def _is_marked(before: Fragment, fragment: Fragment, session: Session) -> bool:
    """Return whether a discontinuity is marked; by default as for the selector's kind of time."""
    default = "ALWAYS" if session["by"] == Selector.SERVER.value else "NEVER"
    marks = session["marks"] or default
    gap = fragment.producer_ms - before.producer_ms - before.length_ms
    return marks == "ALWAYS" or (marks == "ON_DISCONTINUITY" and abs(gap) > DISCONTINUITY_MS)


async def _initial(service: KinesisVideo, session: Session, _query: Query) -> tuple[str, bytes]:
    found = _fragments(service, session)
    if not found:
        raise nothing_found()
    return "video/mp4", (await _muxed(service, session, found[0]))[0]


async def _media(service: KinesisVideo, session: Session, query: Query) -> tuple[str, bytes]:
    fragment = service.store.by_number(session["arn"], query.get("FragmentNumber", [""])[0])
    if fragment is None or not _is_in(fragment, session):
        raise nothing_found()
    return "video/mp4", (await _muxed(service, session, fragment))[1]


def _is_in(fragment: Fragment, session: Session) -> bool:
    """Return whether a session may have a fragment: nothing outside of its range."""
    start, end = session["range"] or (0, math.inf)
    return bool(start <= fragment.start(Selector(session["by"])) <= end)


async def _muxed(
    service: KinesisVideo, session: Session, fragment: Fragment
) -> tuple[bytes, bytes]:
    """Return the initialization of the player and the media of a fragment."""
    media = await service.on_disk(service.store.read, session["arn"], fragment)
    if media is None:
        raise nothing_found()
    part = clip.ClipPart(*media, fragment.producer_ms, fragment.cluster_ms, fragment.length_ms)
    return await service.decode(_fragmented, part, session["zero"])


def _fragmented(part: clip.ClipPart, zero_ms: int) -> tuple[bytes, bytes]:
    output = io.BytesIO()
    clip.write([part], output, options=FRAGMENTED)
    initial, media = b"", b""
    for kind, box in _boxes(output.getvalue()):
        if kind in (b"ftyp", b"moov"):
            initial += box
        elif kind == b"moof":
            media += _moved(box, _timescales(initial), part.start_ms - zero_ms)
        elif kind == b"mdat":
            media += box
    return initial, media


def _timescales(initial: bytes) -> list[int]:
    """Return the units of time per second of each track, from their headers (mdhd, version 0)."""
    return [int.from_bytes(found[1]) for found in TRACK_HEADER.finditer(initial)]


def _moved(moof: bytes, timescales: list[int], milliseconds: int) -> bytes:
    """Return a fragment's header with its tracks' times moved; FFmpeg starts each file at 0."""
    moved = bytearray(moof)
    for found in TRACK_FRAGMENT.finditer(moof):
        units = timescales[int.from_bytes(found[1]) - 1]
        begins = int.from_bytes(found[2]) + max(0, milliseconds) * units // 1000
        moved[slice(*found.span(2))] = begins.to_bytes(8)
    return bytes(moved)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at : at + size]
        at += size


def _link(name: str, query: Query, fragment: str = "") -> str:
    number = f"FragmentNumber={fragment}&" if fragment else ""
    return f"{name}?{number}SessionToken={quote(query['SessionToken'][0], safe='')}"


def _text(lines: Iterator[str] | list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
