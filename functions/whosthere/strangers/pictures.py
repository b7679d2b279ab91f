"""Pictures of sightings: the exact frame out of the stored video, and presigned links."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from whosthere.clock import utc
from whosthere.errors import PictureError, TryAgainError, is_permanent
from whosthere.faces.match import Sighting
from whosthere.imaging import to_jpeg
from whosthere.ingest.record import AnalysedFrame
from whosthere.names import stream_name

if TYPE_CHECKING:
    from av import VideoFrame
    from mypy_boto3_kinesis_video_archived_media import KinesisVideoArchivedMediaClient
    from mypy_boto3_kinesisvideo import KinesisVideoClient
    from mypy_boto3_kinesisvideo.literals import APINameType
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

# The same frame: nearer than half the distance of two frames at 10 a second.
SAME_FRAME_MS = 50
SAMPLING_MS = 200  # Kinesis Video Streams, GetImages: the least sampling interval
# The newest fragment can be fetched when it is complete and stored: at most 20 s long
# (PutMedia), as a rule 1 to 2.
STORED_WITHIN_MS = 25_000
LINK_SECONDS = 3600  # the longest that a role assumed by a role can last (STS)
NOT_FOUND = ("ResourceNotFoundException",)


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """The stored video of a stack's cameras, and how a frame is fetched from it.

    `archived` makes a kinesis-video-archived-media client for an endpoint: each stream has its
    own endpoint for each kind of call.
    """

    stack: str
    kinesisvideo: "KinesisVideoClient"
    archived: "Callable[[str], KinesisVideoArchivedMediaClient]"
    now_ms: Callable[[], int]

    def image(self, sighting: Sighting) -> bytes:
        """Return the frame of a sighting, as an image.

        Raise PictureError with the reason if there is none, TryAgainError if it is not stored
        yet.
        """
        frame = sighting.frame
        try:
            found = self.image_at(frame) or self._decoded(frame)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoDataRetentionException":
                raise PictureError("the camera's video is not kept") from error
            if code not in NOT_FOUND and not is_permanent(error):
                raise
            found = None
        if found is not None:
            return found
        if abs(self.now_ms() - frame.server_ms) < STORED_WITHIN_MS:
            raise TryAgainError("the fragment is not stored yet")
        raise PictureError("the fragment is not kept any more or cannot be decoded")

    def image_at(self, frame: AnalysedFrame) -> bytes | None:
        """Return the frame by its producer time, or None if no image is of just that frame."""
        start = utc(frame.captured_ms)
        try:
            found = self._client("GET_IMAGES", frame.camera).get_images(
                StreamName=stream_name(self.stack, frame.camera),
                ImageSelectorType="PRODUCER_TIMESTAMP",
                StartTimestamp=start,
                EndTimestamp=start + timedelta(milliseconds=SAMPLING_MS),
                SamplingInterval=SAMPLING_MS,
                Format="JPEG",
                FormatConfig={"JPEGQuality": "95"},
                MaxResults=1,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND or is_permanent(error):
                return None
            raise
        for image in found.get("Images", ()):
            apart_ms = abs(1000 * image["TimeStamp"].timestamp() - frame.captured_ms)
            if image.get("ImageContent") and apart_ms <= SAME_FRAME_MS:
                return base64.b64decode(image["ImageContent"])
        return None

    def _decoded(self, frame: AnalysedFrame) -> bytes | None:
        """Return the frame out of its fragment, nearest to its offset."""
        client = self._client("GET_MEDIA_FOR_FRAGMENT_LIST", frame.camera)
        media = client.get_media_for_fragment_list(
            StreamName=stream_name(self.stack, frame.camera), Fragments=[frame.fragment]
        )
        return decode_frame(media["Payload"].read(), frame.offset_ms)

    def _client(self, call: "APINameType", camera: str) -> "KinesisVideoArchivedMediaClient":
        stream = stream_name(self.stack, camera)
        endpoint = self.kinesisvideo.get_data_endpoint(StreamName=stream, APIName=call)
        return self.archived(endpoint["DataEndpoint"])


def decode_frame(fragment: bytes, offset_ms: int) -> bytes | None:
    """Return the frame at an offset from a fragment's first, as JPEG; None if there are none."""
    import av  # only here: it lies in a layer of its own and takes long to load

    try:
        with av.open(io.BytesIO(fragment), "r") as container:
            nearest = _nearest(container.decode(video=0), offset_ms / 1000)
            image = nearest.to_image() if nearest else None
        return to_jpeg(image) if image else None
    # Such as FFmpegError of an answer without media, or IndexError of one without video.
    except Exception:
        return None


def _nearest(frames: "Iterator[VideoFrame]", offset_s: float) -> "VideoFrame | None":
    """Return the frame nearest to an offset from the first: all are decoded, one is kept."""
    nearest, apart_s, first_s = None, float("inf"), None
    for frame in frames:
        if frame.time is None:
            continue
        first_s = frame.time if first_s is None else first_s
        this_s = abs(frame.time - first_s - offset_s)
        if this_s < apart_s:
            nearest, apart_s = frame, this_s
    return nearest


@dataclass(frozen=True, slots=True)
class SearchedImage:
    """The image that engine image-search has at hand: the picture of its own frame only."""

    captured_ms: int
    content: bytes

    def image(self, sighting: Sighting) -> bytes:
        """Return the image if it is the sighting's frame; raise PictureError otherwise."""
        if sighting.frame.captured_ms != self.captured_ms:
            raise PictureError("the best picture is another image's")
        return self.content


def s3_as(credentials: "CredentialsTypeDef") -> "S3Client":
    """Return an S3 client with the credentials of an assumed role."""
    return boto3.client(
        "s3",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(signature_version="s3v4"),
    )


@dataclass(frozen=True, slots=True)
class PresignedUrls:
    """Signs links to single pictures, each by a role that is narrowed to that picture.

    `s3_as` makes an S3 client with the credentials that AssumeRole returns.
    """

    sts: "STSClient"
    role_arn: str
    bucket: str
    s3_as: "Callable[[CredentialsTypeDef], S3Client]" = s3_as

    def sign(self, key: str) -> str:
        """Return a link that works for this picture only, for an hour."""
        partition = self.role_arn.split(":")[1]
        allowed = {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"arn:{partition}:s3:::{self.bucket}/{key}",
        }
        answer = self.sts.assume_role(
            RoleArn=self.role_arn,
            RoleSessionName="picture",
            Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
            DurationSeconds=LINK_SECONDS,
        )
        return self.s3_as(answer["Credentials"]).generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket, "Key": key},
            ExpiresIn=LINK_SECONDS,
        )
