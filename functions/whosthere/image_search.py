"""Search one image of the engine image-search, as a stream processor would search a frame.

The image becomes the record that a stream processor would write, and goes through the same two
calls as a record of a data stream: one for persons, one for strangers.
"""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from botocore.config import Config

from whosthere.clock import now_ms
from whosthere.costs.limits import allows_image, count_image
from whosthere.costs.prices import PriceTable, price_table
from whosthere.dynamodb import Table
from whosthere.errors import PictureError
from whosthere.faces.followed import FaceFollower
from whosthere.faces.track_store import StoredTracks, read_tracks, save_image
from whosthere.imaging import Thumbnail, thumbnail
from whosthere.ingest.dead_letter import EVENTS, DeadLetters
from whosthere.ingest.image import (
    CameraImage,
    build_record,
    camera_of,
    comparable_faces,
    detect_faces,
    fetch_image,
    find_matches,
)
from whosthere.ingest.record import AnalysedFrame, read_frame
from whosthere.metrics import ApiCallCounter, add_counts
from whosthere.names import stream_name
from whosthere.people.collections import collection_in_use
from whosthere.people.store import read_person
from whosthere.session_store import Session, last_begun, latest_session
from whosthere.strangers.pictures import PresignedUrls, SearchedImage
from whosthere.strangers.process import queue_strangers
from whosthere.strangers.review_queue import StrangerContext, StrangerFiles
from whosthere.strangers.second_look import LookAlikeSearch
from whosthere.visits.persons import alert_persons
from whosthere.visits.record_sightings import AlertContext

# Of a larger one the beginning: Kinesis Video Streams makes none, and a function has little memory.
MOST_KEPT_BYTES = 20_000_000
# What is throttled is tried again after at most 1, 2 and 4 s, with jitter, and then comes back from
# the queue: a function has a minute for two or three calls.
RETRIES = Config(
    connect_timeout=3, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 4}
)


@dataclass(frozen=True, slots=True)
class ImageSearch:
    """What searching images needs besides alerting; `files` has the bucket with the images.

    `given_prices` are those of the bucket's Region if there are none.
    """

    stack: str
    files: StrangerFiles
    urls: PresignedUrls
    people_collection: str
    calls: ApiCallCounter
    dead_letters: DeadLetters
    look_alikes_collection: str
    given_prices: PriceTable | None = None

    @property
    def prices(self) -> PriceTable:
        """The prices that limits are reckoned with."""
        return self.given_prices or price_table(self.files.s3.meta.region_name)


def search_image(images: ImageSearch, alerting: AlertContext, key: str, arn_prefix: str) -> str:
    """Search the image under a key if AWS received it in a session of its camera.

    Return what became of it: `searched`, `refused`, `outside` of a session, `over limit`, or
    `ignored`. The video stream's ARN begins with `arn_prefix`.
    """
    table, files = alerting.table, images.files
    camera = camera_of(images.stack, key)
    session = latest_session(table, camera) if camera else None
    if camera is None or session is None:
        return "ignored"
    try:
        image = fetch_image(files.s3, files.bucket, key)
        # An image that waited in the queue may belong to a session that is over.
        owner = last_begun(table, camera, image.server_ms, session)
        # Image generation goes on a while after it is switched off.
        if owner is None or not owner.answers_for(image.server_ms, grace_ms=0):
            add_counts(table, session.id, {"images_outside": 1})
            return "outside"
        session = owner
        if not allows_image(table, session, image.producer_ms, images.prices, now_ms()):
            add_counts(table, session.id, {"images_over_limit": 1})
            return "over limit"
        searched = _search(images, table, session, image)
    except PictureError as error:
        _set_aside(images, session, key, str(error))
        counts = images.calls.take() + Counter(images_refused=1)
        count_image(table, session, counts, images.prices, now_ms())
        return "refused"
    arn = f"{arn_prefix}{stream_name(images.stack, session.camera)}/0"
    record = build_record(arn, image, list(searched.answers.values()))
    frame = read_frame(record, images.stack, id=key, recognised_ms=now_ms())
    _process(images, alerting, session, frame, image, searched)
    return "searched"


@dataclass(frozen=True, slots=True)
class FaceAnswers:
    """The faces of an image: as DetectFaces found them, and by their places those of its record.

    `counts` has the calls that were not needed.
    """

    detected: Sequence[Mapping[str, Any]]
    answers: Mapping[int, Mapping[str, Any]]
    thumbnail: Thumbnail | None
    follower: FaceFollower
    stored: StoredTracks
    counts: Counter[str]


def _search(images: ImageSearch, table: Table, session: Session, image: CameraImage) -> FaceAnswers:
    """Search the faces of an image, but for those that are followed from the image before."""
    rekognition, settings = images.files.rekognition, session.settings
    stored = read_tracks(table, session.camera)
    follower = _follower(table, session, stored, image)
    is_compared = settings.image_change_levels and settings.search_again_ms
    shown = thumbnail(image.content) if is_compared else None
    carried = follower.carry(shown, image.camera_faces)
    detected = detect_faces(rekognition, image) if carried is None else carried
    places = comparable_faces(detected, image, settings.quality)
    followed = follower.follow(detected)
    unknown = [place for place in places if followed[place] is None]
    collection = collection_in_use(table, images.people_collection) if unknown else ""
    found = find_matches(rekognition, collection, image, detected, unknown)
    matches = {place: face.matches for place, face in enumerate(followed) if face}
    matches |= dict(zip(unknown, found, strict=True))
    answers = {
        place: {"DetectedFace": detected[place], "MatchedFaces": matches[place]} for place in places
    }
    counts = Counter(
        detections_saved=int(carried is not None), searches_saved=len(places) - len(unknown)
    )
    return FaceAnswers(detected, answers, shown, follower, stored, counts)


def _follower(
    table: Table, session: Session, stored: StoredTracks, image: CameraImage
) -> FaceFollower:
    return FaceFollower(
        session,
        image.producer_ms,
        stored.state.image,
        stored.strangers,
        lambda person: not person or not read_person(table, person).look_alikes,
    )


def _set_aside(images: ImageSearch, session: Session, key: str, reason: str) -> None:
    """Store an image that cannot be used, with the reason; with `strangers: off` its digest."""
    files, letters = images.files, images.dead_letters
    try:
        content = files.s3.get_object(Bucket=files.bucket, Key=key)["Body"].read(MOST_KEPT_BYTES)
    except files.s3.exceptions.NoSuchKey:
        return  # it is gone
    name = f"image-{sha256(key.encode()).hexdigest()}"
    if session.settings.strangers == "off":
        letters.put_digest(EVENTS, name, reason, content)
    else:
        given = {"key": key, "image": base64.b64encode(content).decode()}
        letters.put(EVENTS, name, reason, given)


def _process(
    images: ImageSearch,
    alerting: AlertContext,
    session: Session,
    frame: AnalysedFrame,
    image: CameraImage,
    searched: FaceAnswers,
) -> None:
    """Record the frame's persons and strangers; raise the error if one of them failed."""
    at_hand = SearchedImage(frame.captured_ms, image.content)
    context = StrangerContext(images.files, images.urls, at_hand.image)
    search = LookAlikeSearch(context, images.look_alikes_collection)
    followed = searched.follower.image(
        frame, searched.answers, searched.detected, searched.thumbnail
    )
    stored = replace(searched.stored, image=followed)
    if session.settings.strangers == "off":
        save_image(alerting.table, session.camera, stored, now_ms())
    persons = alert_persons(alerting, session, [frame], second_look=search.is_look_alike)
    strangers = queue_strangers(alerting, context, session, [frame], stored)
    counts = persons.counts + strangers.counts + searched.counts + images.calls.take()
    waited = {"at": frame.recognised_ms, "ms": frame.recognised_ms - frame.server_ms}
    count_image(alerting.table, session, counts, images.prices, now_ms(), persons.last_ms, waited)
    for error in (persons.failed | strangers.failed).values():
        raise error
