"""Search the faces of one image of a camera: the engine image-search.

Makes of the image the record that a stream processor would have written, and with it
the two calls that `alert_person` and `queue_stranger` make.
"""

import os
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from whosthere.alerts import message as alerts
from whosthere.clock import now_ms
from whosthere.errors import PictureError
from whosthere.faces.tracker import Hit
from whosthere.ingest import frame as frames
from whosthere.ingest.frame import Image
from whosthere.ingest.record import Received, read_frame
from whosthere.ingest.sqs import Queue, take_in
from whosthere.metrics import ApiCallCounter, add_counts
from whosthere.names import stream_name
from whosthere.session_store import Session, last_begun, latest_session
from whosthere.strangers.pictures import Linker
from whosthere.strangers.process import Studio, queue_strangers
from whosthere.strangers.store import Album
from whosthere.visits.persons import alert_persons
from whosthere.visits.record_sightings import Desk

STACK = os.environ["STACK"]
BUCKET = os.environ["BUCKET"]
PEOPLE_COLLECTION = os.environ["PEOPLE_COLLECTION"]

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
s3 = boto3.client("s3")
rekognition = boto3.client("rekognition")
sns = boto3.client("sns")
sts = boto3.client("sts")
publish = partial(alerts.publish, sns, os.environ["TOPIC_ARN"])
album = Album(s3, rekognition, BUCKET, os.environ["STRANGERS_COLLECTION"])
sent: dict[str, int] = {}
calls = ApiCallCounter()
calls.watch(table.meta.client, s3, rekognition, sns, sts)


def s3_as(credentials: dict[str, str]) -> Any:
    """An S3 client with somebody else's credentials."""
    return boto3.client(
        "s3",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(signature_version="s3v4"),
    )


linker = Linker(sts, s3_as, os.environ["PICTURE_ROLE_ARN"], BUCKET)
queue = Queue(boto3.client("sqs"), os.environ["FRAMES_QUEUE"], s3, BUCKET, logger)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The messages that have to come again."""
    # The lease on an alert or stranger must outlast this invocation.
    lease_ms = context.get_remaining_time_in_millis() + 5000

    def search(created: Mapping[str, Any]) -> None:
        logger.info("image settled", extra={"done": settle(created, lease_ms)})

    return take_in(queue, event["Records"], search)


def settle(event: Mapping[str, Any], lease_ms: int) -> str:
    """Search the image if its camera was being watched when AWS got it.

    What became of it: `searched`, `refused`, `outside` of a session, `ignored`.
    """
    key = event["detail"]["object"]["key"]
    camera = frames.camera_of(key)
    session = latest_session(table, camera) if camera else None
    if camera is None or session is None:
        return "ignored"
    try:
        image = frames.fetch(s3, BUCKET, key)
        # One that had to wait in the queue may be of a session that is over.
        owner = last_begun(table, camera, image.server_ms)
        # Image generation goes on a while after it is switched off.
        if owner is None or owner.is_over(image.server_ms):
            add_counts(table, session.id, {"images_outside": 1})
            return "outside"
        session = owner
        faces = frames.search(rekognition, PEOPLE_COLLECTION, image, session.settings.quality)
    except PictureError:
        add_counts(table, session.id, calls.take() + Counter(images_refused=1))
        return "refused"
    arn = f"arn:aws:kinesisvideo:{event['region']}:{event['account']}:stream/"
    arn += f"{stream_name(STACK, session.camera)}/0"
    frame = read_frame(frames.record(arn, image, faces), STACK)
    work(session, Received(key, frame, now_ms()), image, lease_ms)
    return "searched"


def work(session: Session, received: Received, image: Image, lease_ms: int) -> None:
    """Take the frame into the visits of persons and strangers; raises what failed."""

    def still(hit: Hit) -> bytes:
        if hit.captured_ms != received.frame.captured_ms:
            raise PictureError("the best picture is another image's")
        return image.content

    desk = Desk(table, session, publish, now_ms, lease_ms, sent)
    persons = alert_persons(desk, [received])
    strangers = queue_strangers(desk, Studio(album, linker, still), [received])
    counts = persons.counts + strangers.counts + calls.take()
    add_counts(table, session.id, counts, persons.last_ms)
    for error in (persons.failed | strangers.failed).values():
        raise error
