"""Tell a person from who was taken for that person before: one search when a visit is told.

The picture of a sighting is searched among the look-alikes' faces. If it is more alike to one of
them than it was to the person, the visit becomes a stranger's. While he stays at his place nothing
is searched again.

camera#<camera>   look-alike#<person id>   who stands there, taken for the person
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from whosthere import dynamodb
from whosthere.clock import now_ms
from whosthere.dynamodb import Attributes, Table
from whosthere.errors import TryAgainError, is_permanent
from whosthere.faces.match import ASSOCIATION_WINDOW_MS, Sighting
from whosthere.faces.tracker import FaceTrack, stranger_id
from whosthere.geometry import Box, distance
from whosthere.people.photos import LOWEST_SIMILARITY, MOST_ALIKE
from whosthere.people.store import Person
from whosthere.session_store import Session
from whosthere.strangers import store
from whosthere.strangers.collection import FaceSearchResult, search_or_index
from whosthere.strangers.pictures import PresignedUrls, StoredVideo
from whosthere.strangers.process import Snapshot, add_to_queue, take_snapshot
from whosthere.strangers.record_stranger import record_stranger
from whosthere.strangers.review_queue import StrangerContext, StrangerFiles
from whosthere.visits.record_sightings import AlertContext
from whosthere.visits.store import delete_visit, read_stored
from whosthere.visits.visit import Visit

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_kinesis_video_archived_media import KinesisVideoArchivedMediaClient

# Whatever hangs must leave time to tell who it was: a function has a minute.
TIMEOUTS = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
KEEP_S = 3600


@dataclass(frozen=True, slots=True)
class LookAlikeSearch:
    """Searches look-alikes' faces in one collection; `strangers` queues who is one."""

    strangers: StrangerContext
    collection: str

    def is_look_alike(
        self,
        alerting: AlertContext,
        session: Session,
        visit: Visit,
        persons: Sequence[Person],
        sightings: Sequence[Sighting],
    ) -> bool:
        """Return whether a visit is a look-alike's; then it has become a stranger's.

        Every step can be repeated.
        """
        seen = [one for one in sightings if one.who or one.resembles]  # not one turned away
        ordered = sorted(seen, key=attrgetter("frame.captured_ms"))
        if not ordered:
            raise TryAgainError("the sightings that can be compared come again")
        stranger = _who_stands_there(alerting.table, visit, ordered[0])
        if not stranger:
            stranger = self._search(alerting, session, visit, persons, ordered)
            if not stranger:
                return False
        elif session.settings.strangers != "off":
            own = [replace(one, who=(stranger,)) for one in _all_of(visit, ordered)]
            record_stranger(alerting, self.strangers, session, stranger, own)
        _note_who_stands_there(alerting.table, visit, ordered[-1], stranger)
        _delete(alerting.table, visit)
        return True

    def _search(
        self,
        alerting: AlertContext,
        session: Session,
        visit: Visit,
        persons: Sequence[Person],
        sightings: Sequence[Sighting],
    ) -> str:
        """Return the stranger that a look-alike is, queued; empty if it is one of the persons."""
        snapshot = take_snapshot(self.strangers, sightings)
        if snapshot.crops is None:
            return ""
        face, similarity = snapshot.crops.face, snapshot.sighting.similarity
        best = self._similarities(face)
        if not all(_best_of(person.look_alikes, best) > similarity for person in persons):
            return ""
        whole = _all_of(visit, sightings)
        if session.settings.strangers == "off":
            return track_of(whole).id
        who = {person.id for person in persons}
        return queue_look_alike(alerting, self.strangers, session, whole, snapshot, who)

    def _similarities(self, face: bytes) -> dict[str, float]:
        """Return how alike a face is to each look-alike's face, by label."""
        try:
            found = self.strangers.files.rekognition.search_faces_by_image(
                CollectionId=self.collection,
                Image={"Bytes": face},
                FaceMatchThreshold=LOWEST_SIMILARITY,
                MaxFaces=MOST_ALIKE,
                QualityFilter="NONE",
            )
        except ClientError as error:
            if is_permanent(error):  # no face in the picture
                return {}
            raise
        return {
            match["Face"].get("ExternalImageId", ""): match["Similarity"]
            for match in found["FaceMatches"]
        }


def queue_look_alike(
    alerting: AlertContext,
    context: StrangerContext,
    session: Session,
    sightings: Sequence[Sighting],
    snapshot: Snapshot,
    persons: Container[str] = (),
) -> str:
    """Put whoever was taken for a person into the queue; return the stranger's id.

    It is empty if the owner has named that stranger as one of the `persons`.
    """
    track = track_of(sightings)
    result = FaceSearchResult(track.id, "")
    if snapshot.crops:
        threshold = session.settings.match_threshold
        result = search_or_index(context.files, snapshot.crops.face, track.id, threshold)
    known = store.who_is(alerting.table, result.stranger)
    if known and known.person in persons:
        return ""
    add_to_queue(alerting, context, session, track, snapshot, result)
    return known.id if known else result.stranger


def _all_of(visit: Visit, sightings: Sequence[Sighting]) -> list[Sighting]:
    """Return sightings at all times of a visit: some may have come with earlier batches."""
    known = {one.frame.captured_ms: one for one in sightings}
    first = sightings[0]
    found = []
    for time_ms in sorted({*visit.times, *visit.unsure.times, *known}):
        one = known.get(time_ms, first)
        frame = replace(one.frame, captured_ms=time_ms)
        found.append(replace(one, frame=frame, who=(), resembles=()))
    return found


def track_of(sightings: Sequence[Sighting]) -> FaceTrack:
    """Return sightings of one face as a track; its id is made of the first one."""
    first, last = sightings[0], sightings[-1]
    return FaceTrack(
        id=stranger_id(first.frame.camera, first.frame.captured_ms, first.face.box),
        box=last.face.box,
        box_ms=last.frame.captured_ms,
        updated_ms=last.frame.server_ms,
        sightings=tuple(sightings),
    )


def _best_of(labels: Iterable[str], similarities: dict[str, float]) -> float:
    return max((similarities.get(label, 0.0) for label in labels), default=0.0)


def _key(visit: Visit) -> dict[str, str]:
    return {"pk": f"camera#{visit.camera}", "sk": f"look-alike#{visit.who}"}


def _who_stands_there(table: Table, visit: Visit, sighting: Sighting) -> str:
    """Return the stranger who was at the place of a sighting a moment ago; empty if nobody was."""
    row = dynamodb.read(table, _key(visit))
    if row is None:
        return ""
    elapsed_ms = abs(sighting.frame.captured_ms - int(row["seen"]))
    if elapsed_ms > ASSOCIATION_WINDOW_MS:
        return ""
    is_near = distance(Box.from_row(row["box"]), sighting.face.box, elapsed_ms) is not None
    return str(row["stranger"]) if is_near else ""


def _note_who_stands_there(table: Table, visit: Visit, sighting: Sighting, stranger: str) -> None:
    row: Attributes = {
        "stranger": stranger,
        "seen": sighting.frame.captured_ms,
        "box": sighting.face.box.to_row(),
        "expires": sighting.frame.server_ms // 1000 + KEEP_S,
    }
    table.put_item(Item={**_key(visit), **dynamodb.STAMP, **row})


def _delete(table: Table, visit: Visit) -> None:
    """Delete a visit that was nobody's; a worker that has changed it tells who it is."""
    stored = read_stored(table, visit)
    if stored and not delete_visit(table, stored):
        raise TryAgainError("the visit's row has changed")


def connect(
    stack: str,
    bucket: str,
    collections: tuple[str, str],
    role_arn: str,
    watch: "Callable[[BaseClient], None]",
) -> LookAlikeSearch:
    """Return the search of a stack, with clients of its own: it is seldom needed.

    `collections` are the strangers' and the look-alikes'; `watch` counts the calls of a client.
    """

    def archived(endpoint: str) -> "KinesisVideoArchivedMediaClient":
        made = boto3.client("kinesis-video-archived-media", endpoint_url=endpoint, config=TIMEOUTS)
        watch(made)
        return made

    s3 = boto3.client("s3", config=TIMEOUTS)
    rekognition = boto3.client("rekognition", config=TIMEOUTS)
    kinesisvideo = boto3.client("kinesisvideo", config=TIMEOUTS)
    sts = boto3.client("sts", config=TIMEOUTS)
    for made in (s3, rekognition, kinesisvideo, sts):
        watch(made)
    strangers = StrangerContext(
        files=StrangerFiles(s3, rekognition, bucket, collections[0]),
        urls=PresignedUrls(sts, role_arn, bucket),
        image=StoredVideo(stack, kinesisvideo, archived, now_ms).image,
    )
    return LookAlikeSearch(strangers, collections[1])
