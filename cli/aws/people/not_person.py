"""Take a wrong match back: the visit was somebody else's, who becomes a stranger.

Pictures of him, out of the stored video, go to `people-not/<person id>/`; the functions see them
there and do the rest. Removing them undoes it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cli.aws.effective_settings import read_settings
from cli.aws.target import Target
from cli.errors import InputError
from whosthere.clock import iso, now_ms
from whosthere.errors import PictureError
from whosthere.faces.match import Sighting, classify_face
from whosthere.imaging import crop
from whosthere.ingest.image import CameraImage, build_record, height_px, search_faces
from whosthere.ingest.record import AnalysedFrame, read_frame
from whosthere.names import STRANGER_PREFIX, stream_name
from whosthere.people.store import current_id, name_of
from whosthere.session_store import read_session
from whosthere.settings import Settings
from whosthere.strangers.look_alikes import PREFIX, STRANGER, folder_of
from whosthere.strangers.pictures import PresignedUrls, StoredVideo
from whosthere.strangers.process import take_snapshot
from whosthere.strangers.review_queue import StrangerContext, StrangerFiles
from whosthere.strangers.second_look import queue_look_alike
from whosthere.visits.history import PastVisit
from whosthere.visits.record_sightings import AlertContext, Lease
from whosthere.visits.store import (
    StoredVisit,
    delete_visit,
    find_visit,
    read_current,
    read_stored,
    save_visit,
)
from whosthere.visits.visit import REMEMBERED, Visit

if TYPE_CHECKING:
    from mypy_boto3_kinesis_video_archived_media import KinesisVideoArchivedMediaClient

MOST_PICTURES = 3  # in several poses he is known again more surely; each costs a few searches
NOT_KEPT = ("ResourceNotFoundException", "NoDataRetentionException")
CAMERA, OPENED = "camera", "opened"  # metadata of a picture


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Whose visit it was not, which pictures say so, and which stranger's it is."""

    visit_id: str
    name: str
    pictures: tuple[str, ...]
    stranger: str


class WrongMatches:
    """Takes wrong matches of a stack back, with the owner's rights; `via` says by which means."""

    def __init__(self, target: Target, via: str = "page") -> None:
        """Begin with nothing read."""
        self._target, self._table, self._via = target, target.table(), via
        self._settings = read_settings(target)
        session = target.session
        self._rekognition, self._s3 = session.client("rekognition"), session.client("s3")
        self._bucket = target.output("BucketName")
        self._video = StoredVideo(
            target.stack, session.client("kinesisvideo"), self._archived, now_ms
        )

    def take_back(self, past: PastVisit) -> TakenBack:
        """Say that a visit was not that person's; InputError if there is no picture of it."""
        rows = [self._whole(one) for one in past.stored]
        rows = [one for one in rows if not one.visit.who.startswith(STRANGER_PREFIX)]
        if not rows:
            raise InputError(
                f"{past.id} is a stranger's visit. Whom you named wrongly goes back into the queue "
                "by `./whosthere strangers ID --back`"
            )
        person = current_id(self._table, rows[0].visit.who)
        name = name_of(self._table, person)
        images = dict(self._images(rows))
        sightings = [
            found for time in sorted(images) if (found := self._face(rows, time, images[time]))
        ]
        if not sightings:
            folder = f"s3://{self._bucket}/{folder_of(person)}"
            raise InputError(
                f"no stored video shows that face as {name}: it is not kept any more, or not yet. "
                f"A picture of your own that shows only him does the same under {folder}"
            )
        stranger = self._queue(rows[0].visit, sightings, images)
        keys = [self._put(person, rows[0].visit, stranger, one, images) for one in sightings]
        for one in rows if stranger else ():
            self._move(one, stranger, ())
        self._write_decision(rows[0].visit.id, person, stranger, keys)
        return TakenBack(rows[0].visit.id, name, tuple(keys), stranger)

    def undo(self, visit_id: str) -> TakenBack:
        """Undo it: the pictures go, and the visit is the person's again."""
        who = visit_id.rpartition("-")[0]
        prefix = f"{PREFIX}{who}" if who else PREFIX
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=prefix).get("Contents", ())
        keys = [one["Key"] for one in listed if f"/{visit_id}-" in one["Key"]]
        if not keys:
            raise InputError(f"no visit {visit_id} was taken back, or its pictures are gone")
        facts = self._s3.head_object(Bucket=self._bucket, Key=keys[0])["Metadata"]
        for key in keys:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        person = current_id(self._table, keys[0].split("/")[1])
        stranger = facts.get(STRANGER, "")
        if stranger:
            current = read_current(self._table, facts[CAMERA], stranger)
            stored = find_visit(self._table, current, int(facts[OPENED]), 0).stored
            if stored:
                self._move(stored, person, (person,))
        self._write_decision(visit_id, person, stranger, ())
        return TakenBack(visit_id, name_of(self._table, person), tuple(keys), stranger)

    def _whole(self, one: StoredVisit) -> StoredVisit:
        """Return a visit with all its times, as it was written last."""
        found = read_stored(self._table, one.visit)
        if found is None:
            raise InputError("the visit has been deleted meanwhile")
        return found

    def _images(self, rows: Iterable[StoredVisit]) -> Iterator[tuple[int, bytes]]:
        """Yield some of the visit's frames that the stored video still has, by capture time."""
        seen = [(time, row.visit.camera) for row in rows for time in _times(row.visit)]
        for moment_ms, camera in _spread(sorted(seen)):
            frame = AnalysedFrame("", camera, "", 0, moment_ms, moment_ms, moment_ms, ())
            try:
                content = self._video.image_at(frame)
            except ClientError as error:
                if error.response["Error"]["Code"] in NOT_KEPT:
                    return
                raise
            if content:
                yield moment_ms, content

    def _face(self, rows: Sequence[StoredVisit], moment_ms: int, content: bytes) -> Sighting | None:
        """Return the face of a frame that is taken for the person, or None."""
        visit = rows[0].visit
        settings = self._settings(visit.camera)
        image = CameraImage(content, height_px(content), "0", moment_ms, moment_ms)
        try:
            collection = self._target.people_collection()
            faces = search_faces(self._rekognition, collection, image, settings.quality)
        except PictureError:
            return None
        stream = stream_name(self._target.stack, visit.camera)
        arn = f"arn:aws:kinesisvideo:{self._target.region}:{self._target.account}:stream/{stream}/0"
        record = build_record(arn, image, faces)
        frame = read_frame(record, self._target.stack, id="", recognised_ms=moment_ms)
        persons = {who for row in rows for who in (row.visit.who, *row.visit.persons)}
        persons |= {current_id(self._table, who) for who in persons}
        return _most_alike(frame, persons, settings)

    def _queue(self, visit: Visit, sightings: Sequence[Sighting], images: dict[int, bytes]) -> str:
        """Put him into the queue without an alert; return the stranger's id, empty if none are."""
        session = read_session(self._table, visit.session)
        if session is None or session.settings.strangers == "off":
            return ""
        session = replace(session, settings=replace(session.settings, strangers="queue"))
        context = self._strangers(images)
        snapshot = take_snapshot(context, sightings)
        alerting = AlertContext(self._table, _no_alert, Lease(now_ms, 0))
        return queue_look_alike(alerting, context, session, sightings, snapshot)

    def _strangers(self, images: dict[int, bytes]) -> StrangerContext:
        files = StrangerFiles(
            self._s3, self._rekognition, self._bucket, f"{self._target.stack}-strangers"
        )
        urls = PresignedUrls(self._target.session.client("sts"), "", self._bucket)
        return StrangerContext(files, urls, lambda one: images[one.frame.captured_ms])

    def _put(
        self,
        person: str,
        visit: Visit,
        stranger: str,
        sighting: Sighting,
        images: dict[int, bytes],
    ) -> str:
        moment_ms = sighting.frame.captured_ms
        key = f"{folder_of(person)}{visit.id}-{moment_ms}.jpg"
        cut = crop(images[moment_ms], sighting.face.box, sighting.other_boxes)
        self._s3.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=cut.picture,
            ContentType="image/jpeg",
            Metadata={STRANGER: stranger, CAMERA: visit.camera, OPENED: str(visit.opened_ms)},
        )
        return key

    def _move(self, stored: StoredVisit, who: str, persons: tuple[str, ...]) -> None:
        """Make a visit another's; one that the other has at that time is the same visit."""
        visit, gap_ms = stored.visit, self._settings(stored.visit.camera).gap_ms
        current = read_current(self._table, visit.camera, who)
        location = find_visit(self._table, current, visit.first_ms, gap_ms)
        own = location.stored.visit if location.stored else visit
        times = sorted({*own.times, *visit.times})[-REMEMBERED:]
        after = replace(
            visit,
            who=who,
            persons=persons,
            opened_ms=own.opened_ms,
            first_ms=min(own.first_ms, visit.first_ms),
            last_ms=max(own.last_ms, visit.last_ms),
            times=tuple(times),
            sightings=max(own.sightings, visit.sightings, len(times)),
        )
        save_visit(self._table, location, after)
        if not delete_visit(self._table, stored):
            raise InputError("the visit goes on just now: say it again in a moment")

    def _write_decision(
        self, visit_id: str, person: str, stranger: str, pictures: Sequence[str]
    ) -> None:
        """Write down what was decided: a line of JSON in `decisions/`, without a name."""
        moment_ms = now_ms()
        line = {
            "at": iso(moment_ms),
            "by": self._target.account,
            "via": self._via,
            "visit": visit_id,
            "decision": "not-person" if pictures else "person",
            "person": person,
            "stranger": stranger or None,
            "pictures": list(pictures),
            "effect": "a stranger's visit" if pictures else "the person's visit again",
        }
        self._s3.put_object(
            Bucket=self._bucket,
            Key=f"decisions/{visit_id}-{moment_ms}.json",
            Body=f"{json.dumps(line)}\n".encode(),
            ContentType="application/json",
        )

    def _archived(self, endpoint: str) -> "KinesisVideoArchivedMediaClient":
        return self._target.session.client("kinesis-video-archived-media", endpoint_url=endpoint)


def _times(visit: Visit) -> tuple[int, ...]:
    """Return when the face was seen, as far as a visit remembers."""
    return visit.times or visit.unsure.times


def _spread(seen: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return a few of these, as far from each other as they can be."""
    last = len(seen) - 1
    steps = range(min(MOST_PICTURES, len(seen)))
    return [seen[round(step * last / max(1, len(steps) - 1))] for step in steps]


def _most_alike(frame: AnalysedFrame, persons: set[str], settings: Settings) -> Sighting | None:
    """Return the face of a frame that is most like one of the persons, or None."""
    seen = [classify_face(frame, face, settings) for face in frame.faces]
    taken = [one for one in seen if persons.intersection((*one.who, *one.resembles))]
    return max(taken, key=lambda one: one.similarity, default=None)


def _no_alert(_alert: object) -> None:
    """Send nothing: the owner knows."""
