"""The row of a camera's tracks, and who of several workers turns a track into a stranger."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

from whosthere import dynamodb as rows
from whosthere.dynamodb import KEEP_ROWS_S, RowChangedError, Table
from whosthere.errors import TryAgainError
from whosthere.faces.match import Sighting
from whosthere.faces.tracker import CLAIMED, DONE, DUE, Board, Follower, Hit, Track
from whosthere.geometry import Box
from whosthere.ingest.record import Face, Received
from whosthere.session_store import Session

ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of one batch: tracks to settle, and those that another worker has in hand.

    `came_again` are the ids of frames that were taken in before, `seen` sightings of
    strangers known by now, `drops` why faces were not kept.
    """

    mine: tuple[Track, ...]
    others: tuple[Track, ...]
    came_again: set[str]
    seen: dict[str, list[Sighting]]
    drops: Counter[str]


def take_turn(
    table: Table,
    session: Session,
    received: Sequence[Received],
    *,
    now_ms: int,
    lease_ms: int,
) -> Turn:
    """Follow the faces of these frames and claim the strangers that they confirm.

    Sightings and claims are one write; a claim that was not settled when its lease is
    over goes to whoever comes next with a frame of that track.
    """
    for _ in range(ATTEMPTS):
        board, version = _read(table, session.camera)
        follower = Follower(board, session.settings, now_ms)
        follower.follow(received)
        times = {one.frame.captured_ms for one in received}
        claim = uuid4().hex
        tracks = tuple(
            _claimed(track, times, claim, now_ms, lease_ms) for track in follower.board.tracks
        )
        after = replace(follower.board, tracks=tracks)
        try:
            if after != board:
                _write(table, session.camera, after, version, now_ms)
        except RowChangedError:
            continue
        mine = tuple(track for track in tracks if track.claim == claim)
        others = tuple(track for track in tracks if track.state == CLAIMED)
        return Turn(
            mine,
            tuple(track for track in others if track not in mine),
            follower.came_again,
            follower.seen,
            follower.drops,
        )
    raise TryAgainError("the row of tracks keeps changing")


def settle(table: Table, camera: str, track: Track, stranger: str, now_ms: int) -> None:
    """Note whose a claimed track is."""
    _change(
        table,
        camera,
        track,
        lambda found: replace(found, who=stranger, state=DONE, hits=()),
        now_ms,
    )


def release(table: Table, camera: str, track: Track, now_ms: int) -> None:
    """Give a claimed track back, so that a retry need not wait for the lease."""
    _change(table, camera, track, lambda found: replace(found, state=DUE, lease_ms=0), now_ms)


def _claimed(track: Track, times: set[int], claim: str, now_ms: int, lease_ms: int) -> Track:
    free = track.state == DUE or (track.state == CLAIMED and track.lease_ms < now_ms)
    if not free or not any(hit.captured_ms in times for hit in track.hits):
        return track
    return replace(track, state=CLAIMED, claim=claim, lease_ms=now_ms + lease_ms)


def _change(
    table: Table,
    camera: str,
    track: Track,
    change: Callable[[Track], Track],
    now_ms: int,
) -> None:
    for _ in range(ATTEMPTS):
        board, version = _read(table, camera)
        tracks = tuple(
            change(found) if (found.id, found.claim) == (track.id, track.claim) else found
            for found in board.tracks
        )
        try:
            _write(table, camera, replace(board, tracks=tracks), version, now_ms)
            return
        except RowChangedError:
            continue
    raise TryAgainError("the row of tracks keeps changing")


def _key(camera: str) -> dict[str, str]:
    return {"pk": f"camera#{camera}", "sk": "tracks"}


def _read(table: Table, camera: str) -> tuple[Board, int]:
    item = rows.read(table, _key(camera))
    if item is None:
        return Board(), 0
    tracks = tuple(_track(found) for found in item["tracks"])
    frames = tuple(int(time) for time in item["frames"])
    return Board(tracks, frames), int(item["version"])


def _write(table: Table, camera: str, board: Board, version: int, now_ms: int) -> None:
    item = _key(camera) | {
        "tracks": [_track_item(track) for track in board.tracks],
        "frames": list(board.frames),
        "expires": now_ms // 1000 + KEEP_ROWS_S,
    }
    rows.write(table, rows.put(item, version))


def _track_item(track: Track) -> dict[str, Any]:
    return {
        "id": track.id,
        "box": track.box.to_row(),
        "boxAt": track.box_ms,
        "touched": track.touched_ms,
        "who": track.who,
        "trail": [{"at": at_ms, "box": box.to_row()} for at_ms, box in track.trail],
        "hits": [_hit_item(hit) for hit in track.hits],
        "unsure": track.unsure_ms,
        "state": track.state,
        "claim": track.claim,
        "lease": track.lease_ms,
    }


def _track(item: dict[str, Any]) -> Track:
    return Track(
        id=item["id"],
        box=Box.from_row(item["box"]),
        box_ms=int(item["boxAt"]),
        touched_ms=int(item["touched"]),
        who=item["who"],
        trail=tuple((int(step["at"]), Box.from_row(step["box"])) for step in item["trail"]),
        hits=tuple(_hit(hit) for hit in item["hits"]),
        unsure_ms=int(item["unsure"]),
        state=item["state"],
        claim=item["claim"],
        lease_ms=int(item["lease"]),
    )


def _hit_item(hit: Hit) -> dict[str, Any]:
    face = hit.face
    looks = (face.confidence, face.sharpness, face.brightness, face.yaw)
    return {
        "captured": hit.captured_ms,
        "server": hit.server_ms,
        "recognised": hit.recognised_ms,
        "offset": hit.offset_ms,
        "fragment": hit.fragment,
        "box": face.box.to_row(),
        "looks": [Decimal(str(round(look, 2))) for look in looks],
        "others": [box.to_row() for box in hit.others],
    }


def _hit(item: dict[str, Any]) -> Hit:
    confidence, sharpness, brightness, yaw = (float(look) for look in item["looks"])
    box = Box.from_row(item["box"])
    return Hit(
        captured_ms=int(item["captured"]),
        server_ms=int(item["server"]),
        recognised_ms=int(item["recognised"]),
        offset_ms=int(item["offset"]),
        fragment=item["fragment"],
        face=Face(box, confidence, sharpness, brightness, yaw, ()),
        others=tuple(Box.from_row(other) for other in item["others"]),
    )
