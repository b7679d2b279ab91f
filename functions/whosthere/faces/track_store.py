"""The row of a camera's tracks, and which of several workers turns a track into a stranger."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import uuid4

from whosthere import dynamodb
from whosthere.clock import DAY_S
from whosthere.dynamodb import KEEP_ROWS_S, Attributes, Row, RowChangedError, Table
from whosthere.errors import TryAgainError
from whosthere.faces.followed_image import FollowedImage, newest
from whosthere.faces.match import Sighting
from whosthere.faces.tracker import FaceTrack, FaceTracker, TrackerState, TrackState
from whosthere.geometry import Box
from whosthere.ingest.record import AnalysedFrame, Face
from whosthere.names import STRANGER_PREFIX
from whosthere.session_store import Session

ATTEMPTS = 8
# A row has 400 KB (DynamoDB, Quotas): so many of a frame's other faces fit that of the most tracks
# with the most sightings. They keep a crop free of other faces; those far away do not matter.
MOST_OTHERS = 4


@dataclass(frozen=True, slots=True)
class ClaimedTracks:
    """The result of one batch: the tracks that this worker claimed, and other workers' claims.

    `duplicates` are ids of frames that were known already, `of_strangers` the new sightings of
    strangers who are known by now, `drops` the counts of faces that failed the quality gate.
    """

    mine: tuple[FaceTrack, ...]
    others: tuple[FaceTrack, ...]
    duplicates: set[str]
    of_strangers: dict[str, list[Sighting]]
    drops: Counter[str]


@dataclass(frozen=True, slots=True)
class StoredTracks:
    """The row of a camera's tracks as it was read, and the newer image that it is to have."""

    state: TrackerState
    version: int
    image: FollowedImage | None = None

    @property
    def strangers(self) -> set[tuple[int, ...]]:
        """Return when and where the faces of strangers who are known by now were seen last."""
        return {
            (track.box_ms, *track.box.to_row())
            for track in self.state.tracks
            if track.who.startswith(STRANGER_PREFIX)
        }


def read_tracks(table: Table, camera: str) -> StoredTracks:
    """Return the tracks of a camera as they were written last."""
    return StoredTracks(*_read(table, camera))


def save_image(table: Table, camera: str, stored: StoredTracks, now_ms: int) -> None:
    """Write the newer image alone; if another worker was first, its image is as good."""
    image = newest(stored.state.image, stored.image)
    with suppress(RowChangedError):
        _write(table, camera, replace(stored.state, image=image), stored.version, now_ms)


def update_tracks(
    table: Table,
    session: Session,
    frames: Sequence[AnalysedFrame],
    *,
    now_ms: int,
    lease_ms: int,
    stored: StoredTracks | None = None,
) -> ClaimedTracks:
    """Follow the faces of these frames and claim the strangers that they confirm.

    Sightings and claims are one write. A claim that is not resolved when its lease is over
    goes to the next worker with a frame of that track. `stored` is the row if it has been read.
    """
    image = stored.image if stored else None
    for _ in range(ATTEMPTS):
        if stored is None:
            stored = read_tracks(table, session.camera)
        before, version, stored = stored.state, stored.version, None
        tracker = FaceTracker(before, session.settings, now_ms)
        tracker.follow(frames)
        times = {frame.captured_ms for frame in frames}
        claim = uuid4().hex
        tracks = tuple(
            _claimed(track, times, claim, now_ms, lease_ms) for track in tracker.state.tracks
        )
        after = replace(tracker.state, tracks=tracks, image=newest(before.image, image))
        try:
            if after != before:
                _write(table, session.camera, after, version, now_ms)
        except RowChangedError:
            continue
        return ClaimedTracks(
            tuple(track for track in tracks if track.claim == claim),
            tuple(
                track
                for track in tracks
                if track.state == TrackState.CLAIMED and track.claim != claim
            ),
            tracker.duplicates,
            tracker.of_strangers,
            tracker.drops,
        )
    raise TryAgainError("the row of tracks keeps changing")


def resolve_track(table: Table, camera: str, track: FaceTrack, who: str, now_ms: int) -> None:
    """Note who a claimed track shows."""
    _change(
        table,
        camera,
        track,
        lambda found: replace(found, who=who, state=TrackState.DONE, sightings=()),
        now_ms,
    )


def release_track(table: Table, camera: str, track: FaceTrack, now_ms: int) -> None:
    """Release a claimed track, so that a retry need not wait for the lease."""
    _change(
        table,
        camera,
        track,
        lambda found: replace(found, state=TrackState.DUE, lease_ms=0),
        now_ms,
    )


def _claimed(
    track: FaceTrack, times: set[int], claim: str, now_ms: int, lease_ms: int
) -> FaceTrack:
    is_expired = track.state == TrackState.CLAIMED and track.lease_ms < now_ms
    is_free = track.state == TrackState.DUE or is_expired
    if not is_free or not any(one.frame.captured_ms in times for one in track.sightings):
        return track
    return replace(track, state=TrackState.CLAIMED, claim=claim, lease_ms=now_ms + lease_ms)


def _change(
    table: Table,
    camera: str,
    track: FaceTrack,
    change: Callable[[FaceTrack], FaceTrack],
    now_ms: int,
) -> None:
    for _ in range(ATTEMPTS):
        state, version = _read(table, camera)
        tracks = tuple(
            change(found) if (found.id, found.claim) == (track.id, track.claim) else found
            for found in state.tracks
        )
        try:
            _write(table, camera, replace(state, tracks=tracks), version, now_ms)
            return
        except RowChangedError:
            continue
    raise TryAgainError("the row of tracks keeps changing")


def _key(camera: str) -> dict[str, str]:
    return {"pk": f"camera#{camera}", "sk": "tracks"}


def _read(table: Table, camera: str) -> tuple[TrackerState, int]:
    item = dynamodb.read(table, _key(camera))
    if item is None:
        return TrackerState(), 0
    tracks = tuple(_track(found, camera) for found in item["tracks"])
    frames = tuple(int(time) for time in item["frames"])
    image = FollowedImage.from_row(item["image"]) if "image" in item else None
    return TrackerState(tracks, frames, image), int(item["version"])


def _write(table: Table, camera: str, state: TrackerState, version: int, now_ms: int) -> None:
    item: Attributes = {
        **_key(camera),
        "tracks": [_track_item(track) for track in state.tracks],
        "frames": list(state.frames),
        "expires": now_ms // 1000 + KEEP_ROWS_S,
    }
    if state.image:  # no longer than the images themselves
        item = {**item, "image": state.image.to_row(), "expires": now_ms // 1000 + DAY_S}
    dynamodb.write(table, dynamodb.put(item, version))


def _track_item(track: FaceTrack) -> Attributes:
    return {
        "id": track.id,
        "box": track.box.to_row(),
        "boxAt": track.box_ms,
        "touched": track.updated_ms,
        "who": track.who,
        "trail": [{"at": at_ms, "box": box.to_row()} for at_ms, box in track.path],
        "hits": [_sighting_item(sighting) for sighting in track.sightings],
        "unsure": track.unsure_ms,
        "state": str(track.state),
        "claim": track.claim,
        "lease": track.lease_ms,
    }


def _track(item: Row, camera: str) -> FaceTrack:
    return FaceTrack(
        id=item["id"],
        box=Box.from_row(item["box"]),
        box_ms=int(item["boxAt"]),
        updated_ms=int(item["touched"]),
        who=item["who"],
        path=tuple((int(step["at"]), Box.from_row(step["box"])) for step in item["trail"]),
        sightings=tuple(_sighting(hit, camera) for hit in item["hits"]),
        unsure_ms=int(item["unsure"]),
        state=item["state"],
        claim=item["claim"],
        lease_ms=int(item["lease"]),
    )


def _sighting_item(sighting: Sighting) -> Attributes:
    frame, face = sighting.frame, sighting.face
    looks = (face.confidence, face.sharpness, face.brightness, face.yaw)
    return {
        "captured": frame.captured_ms,
        "server": frame.server_ms,
        "recognised": frame.recognised_ms,
        "offset": frame.offset_ms,
        "fragment": frame.fragment,
        "box": face.box.to_row(),
        "looks": [Decimal(str(round(look, 2))) for look in looks],
        "others": [box.to_row() for box in sighting.other_boxes[:MOST_OTHERS]],
    }


def _sighting(item: Row, camera: str) -> Sighting:
    face = _face(item["box"], *(float(look) for look in item["looks"]))
    # Of the frame's other faces only the places are kept.
    others = [_face(box, 0.0, 0.0, 0.0, 0.0) for box in item["others"]]
    frame = AnalysedFrame(
        id="",
        camera=camera,
        fragment=item["fragment"],
        offset_ms=int(item["offset"]),
        captured_ms=int(item["captured"]),
        server_ms=int(item["server"]),
        recognised_ms=int(item["recognised"]),
        faces=(face, *others),
    )
    return Sighting(frame, face)


def _face(
    box: list[int], confidence: float, sharpness: float, brightness: float, yaw: float
) -> Face:
    return Face(Box.from_row(box), confidence, sharpness, brightness, yaw, ())
