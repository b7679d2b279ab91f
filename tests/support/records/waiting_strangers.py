"""Strangers in the review queue of a deployed stack, and the AWS CLI that decides about them."""

import hashlib
import subprocess
import sys
from pathlib import Path

from whosthere.clock import now_ms
from whosthere.strangers import store
from whosthere.strangers.review_queue import folder_of
from whosthere.strangers.stranger import PENDING, Picture, Stranger


def put_stranger(table, s3, bucket, stranger, picture, *, face_id="", camera="front-door"):
    """Put a stranger with one picture into the queue, as the functions do; return the key."""
    captured_ms = now_ms() - 60_000
    key = f"{folder_of(PENDING, stranger)}{captured_ms}.jpg"
    put = s3.put_object(Bucket=bucket, Key=key, Body=picture, ContentType="image/jpeg")
    sha256 = hashlib.sha256(picture).hexdigest()
    kept = Picture(sha256, put["ETag"], captured_ms, camera, 1.0, f"{captured_ms}.jpg", face_id)
    made = Stranger(
        id=stranger,
        cameras=(camera,),
        first_ms=captured_ms,
        last_ms=captured_ms,
        sightings=0,
        visits=0,
        status=PENDING,
        pictures=(kept,),
        face_id=face_id,
        picture_key=key,
    )
    store.save_stranger(table, None, made, new_picture=sha256)
    return key


def aws_s3(laptop, *arguments):
    """Run `aws s3` of the AWS CLI against the laptop AWS."""
    command = [sys.executable, str(Path(sys.executable).with_name("aws")), "s3", *arguments]
    subprocess.run(command, env=laptop.environment(), check=True, capture_output=True)
