"""Faces that the engine image-search follows from image to image instead of searching them again.

A face is searched in each image until it is sure who it is: as many searches in a row as confirm a
visit, two or more, gave the same answer. A similarity as high as `SURE` counts as two. From then on
it is followed by its box, with the matches of its last search. It is searched again after
`searchAgainSeconds`, where no face was followed to its place, where two faces or two places
compete, and where a stranger is nearer or looks more towards the camera than when he was
searched.

Not even DetectFaces is called for an image that looks like the one before, nor where the camera
itself found the persons who are followed, and nobody else: a person who moves has moved in each
image, and the camera looks for faces anyway.

Images come late, twice and in parallel. An image follows only from an earlier one of its session,
and only the newest is kept: what comes too late, or loses a race, is searched.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from whosthere.faces.followed_image import (
    MOST_DETECTED,
    MOST_MATCHES,
    MOST_NO_FACES,
    Detected,
    FollowedFace,
    FollowedImage,
)
from whosthere.faces.match import ASSOCIATION_WINDOW_MS, Sighting, classify_face
from whosthere.faces.places import Apart, clear_place, is_at, moved_to
from whosthere.geometry import Box, distance
from whosthere.imaging import Thumbnail
from whosthere.ingest.image import box_of
from whosthere.ingest.record import AnalysedFrame
from whosthere.session_store import Session

# What AWS recommends where a wrong match must not happen (Rekognition developer guide, "Use cases
# that involve public safety").
SURE = 99.0
# Degrees: a stranger who has turned so far towards the camera, or looks so much higher or lower,
# or whose face is so many times as high, may be somebody known who was not recognised before.
TURNED_YAW, TURNED_PITCH, NEARER = 10.0, 15.0, 1.25


class FaceFollower:
    """Follows faces to one image of a session, from the newest one before it.

    `strangers` are where and when the faces of strangers who are known by now were seen last, as
    rows of boxes. `is_certain` returns whether a person was never confused with somebody else.
    """

    def __init__(
        self,
        session: Session,
        moment_ms: int,
        before: FollowedImage | None,
        strangers: set[tuple[int, ...]],
        is_certain: Callable[[str], bool],
    ) -> None:
        """Begin with the image as it was written last; a later one is of no use."""
        if before and (before.session != session.id or before.captured_ms > moment_ms):
            before = None
        self._session, self._settings, self._moment_ms = session, session.settings, moment_ms
        self._before, self._strangers, self._is_certain = before, strangers, is_certain
        self._known = [
            face
            for face in (before.faces if before else ())
            if moment_ms - face.seen_ms <= ASSOCIATION_WINDOW_MS
        ]
        self._nearest: list[FollowedFace | None] = []
        self._is_followed: list[bool] = []
        self._lost: list[FollowedFace] = []
        self._detected_ms = moment_ms
        self._is_unchanged = False
        self._camera_faces: Sequence[Box] = ()

    def carry(
        self, thumbnail: Thumbnail | None, camera_faces: Sequence[Box] | None
    ) -> list[Detected] | None:
        """Return the faces found before if they are those of the image; None if not.

        They are if the image looks as it did then, or if the camera saw these faces and no other.
        """
        before, self._camera_faces = self._before, camera_faces or ()
        if before is None or before.thumbnail is None or thumbnail is None:
            return None
        if self._moment_ms - before.detected_ms >= self._settings.search_again_ms:
            return None
        self._is_unchanged = (
            thumbnail.change(before.thumbnail) <= self._settings.image_change_levels
        )
        carried = list(before.detected) if self._is_unchanged else self._moved(before)
        if carried is not None:
            self._detected_ms = before.detected_ms
        return carried

    def _moved(self, before: FollowedImage) -> list[Detected] | None:
        """Return the faces of the image before at the places where the camera saw them.

        Return None if the camera does not say, if it saw more or fewer, or if one of them is not
        followed, has another size or is no person's: of a stranger it has to be known where he
        looks.
        """
        boxes = [box for box in self._camera_faces if not is_at(box, before.no_faces)]
        if not boxes or len(boxes) != len(before.detected):
            return None
        moved = [moved_to(box, before.detected) for box in boxes]
        is_sure = all(
            known
            and known.who
            and known.seen_ms == before.captured_ms
            and self._apart(known, box) is not None
            for known, box in zip(self.follow(moved), boxes, strict=True)
        )
        return moved if is_sure else None

    def follow(self, detected: Sequence[Detected]) -> list[FollowedFace | None]:
        """Return for each face of the image the one that it is, if it need not be searched."""
        boxes = [box_of(face) for face in detected]
        rows = [[self._apart(face, box) for face in self._known] for box in boxes]
        columns: list[Apart] = [[row[place] for row in rows] for place in range(len(self._known))]
        self._lost = [
            face
            for face, column in zip(self._known, columns, strict=True)
            if all(apart is None for apart in column)
        ]
        places = [clear_place(row, number, columns) for number, row in enumerate(rows)]
        self._nearest = [None if place is None else self._known[place] for place in places]
        self._is_followed = [
            known is not None and self._is_settled(known, face)
            for known, face in zip(self._nearest, detected, strict=True)
        ]
        return [
            known if is_followed else None
            for known, is_followed in zip(self._nearest, self._is_followed, strict=True)
        ]

    def _apart(self, face: FollowedFace, box: Box) -> float | None:
        return distance(face.box, box, self._moment_ms - face.seen_ms)

    def _is_settled(self, known: FollowedFace, face: Detected) -> bool:
        if self._moment_ms - known.searched_ms >= self._settings.search_again_ms:
            return False
        if known.agreed < max(2, self._settings.confirm_sightings):
            return False
        if known.who:
            return True
        yaw, pitch = _pose_of(face)
        is_turned = (
            abs(known.yaw) - abs(yaw) > TURNED_YAW or abs(pitch - known.pitch) > TURNED_PITCH
        )
        is_nearer = box_of(face).height > NEARER * known.height
        is_stranger = (known.seen_ms, *known.box.to_row()) in self._strangers
        return is_stranger and not is_turned and not is_nearer

    def image(
        self,
        frame: AnalysedFrame,
        answers: Mapping[int, Mapping[str, Any]],
        detected: Sequence[Detected],
        thumbnail: Thumbnail | None,
    ) -> FollowedImage:
        """Return the image as the next one finds it.

        `answers` are the faces of its record, by their places among those that were detected;
        those that were followed have the matches of the face that they are.
        """
        faces = list(self._lost)
        for place, face in zip(answers, frame.faces, strict=True):
            shown, known = classify_face(frame, face, self._settings), self._nearest[place]
            given = answers[place]
            if known and self._is_followed[place]:
                faces.append(replace(known, box=face.box, seen_ms=self._moment_ms))
            elif shown.who or self._settings.strangers != "off":
                faces.append(self._searched(known, shown, given))
        no_faces = self._no_faces([box_of(face) for face in detected])
        image = FollowedImage(self._session.id, self._moment_ms, tuple(faces), no_faces)
        if self._is_unchanged and self._before:
            return replace(self._before, captured_ms=self._moment_ms, faces=image.faces)
        # With `strangers: off` nothing is kept of a face that is no person's.
        is_off = self._settings.strangers == "off"
        is_kept = len(faces) - len(self._lost) == len(detected) or not is_off
        if thumbnail is None or len(detected) > MOST_DETECTED or not is_kept:
            return image
        plain = [{**face, "Landmarks": []} for face in detected]
        return replace(image, detected_ms=self._detected_ms, detected=plain, thumbnail=thumbnail)

    def _no_faces(self, detected: Sequence[Box]) -> tuple[Box, ...]:
        """Return the places of what the camera takes for faces and DetectFaces does not."""
        known = self._before.no_faces if self._before else ()
        if self._detected_ms < self._moment_ms or self._settings.strangers == "off":
            return known
        new = [box for box in self._camera_faces if not is_at(box, known)]
        places = [
            box
            for box in (*known, *new)
            if all(distance(face, box, 0) is None for face in detected)
        ]
        return tuple(places[-MOST_NO_FACES:])

    def _searched(
        self, known: FollowedFace | None, shown: Sighting, given: Mapping[str, Any]
    ) -> FollowedFace:
        """Return a face that was searched, and how many searches in a row agree by now."""
        who = shown.who[0] if shown.who else ""
        agreed = 0
        if not shown.resembles and len(shown.who) < 2:
            agreed = 1 + (known.agreed if known and known.who == who else 0)
            if shown.similarity >= SURE and agreed == 1 and self._is_certain(who):
                agreed = 2
        return FollowedFace(
            shown.face.box,
            self._moment_ms,
            self._moment_ms,
            *_pose_of(given["DetectedFace"]),
            shown.face.box.height,
            who,
            agreed,
            list(given["MatchedFaces"])[:MOST_MATCHES],
        )


def _pose_of(face: Detected) -> tuple[float, float]:
    pose = face["Pose"]
    return pose.get("Yaw", 0.0), pose.get("Pitch", 0.0)
