"""Pictures of sightings: the exact frame, cut to head and shoulders, and a link to it."""

import base64
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from whosthere.errors import PictureError, TryAgainError
from whosthere.faces.tracker import Hit
from whosthere.imaging import to_jpeg

# The same frame: nearer than half the distance of two frames at 10 a second.
SAME_FRAME_MS = 50
SAMPLING_MS = 200  # Kinesis Video Streams, GetImages: the least sampling interval
# The newest fragment can be fetched when it is complete and stored: at most 20 s long
# (PutMedia), as a rule 1 to 2.
PATIENCE_MS = 25_000
LINK_SECONDS = 3600  # the longest that a role assumed by a role can last (STS)
NOTHING_THERE = ("ResourceNotFoundException", "InvalidArgumentException")


@dataclass(frozen=True, slots=True)
class VideoStills:
    """Frames of a camera's video stream, from what Kinesis Video Streams keeps of it.

    `archived` makes a kinesis-video-archived-media client of an endpoint: each stream
    has one of its own for each kind of call.
    """

    stream: str
    kinesisvideo: Any
    archived: Callable[[str], Any]
    now_ms: Callable[[], int]

    def __call__(self, hit: Hit) -> bytes:
        """The frame of a sighting, as an image.

        PictureError says why there is none; TryAgainError that it is not stored yet.
        """
        try:
            found = self._image(hit) or self._decoded(hit)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoDataRetentionException":
                raise PictureError("the camera's video is not kept") from error
            if code not in NOTHING_THERE:
                raise
            found = None
        if found is not None:
            return found
        if abs(self.now_ms() - hit.server_ms) < PATIENCE_MS:
            raise TryAgainError("the fragment is not stored yet")
        raise PictureError("the fragment is not kept any more or cannot be decoded")

    def _image(self, hit: Hit) -> bytes | None:
        """The frame by its producer time, or None if no image is of just that frame."""
        start = datetime.fromtimestamp(hit.captured_ms / 1000, UTC)
        try:
            found = self._client("GET_IMAGES").get_images(
                StreamName=self.stream,
                ImageSelectorType="PRODUCER_TIMESTAMP",
                StartTimestamp=start,
                EndTimestamp=start + timedelta(milliseconds=SAMPLING_MS),
                SamplingInterval=SAMPLING_MS,
                Format="JPEG",
                FormatConfig={"JPEGQuality": "95"},
                MaxResults=1,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in NOTHING_THERE:
                return None
            raise
        for image in found.get("Images", ()):
            apart_ms = abs(1000 * image["TimeStamp"].timestamp() - hit.captured_ms)
            if image.get("ImageContent") and apart_ms <= SAME_FRAME_MS:
                return base64.b64decode(image["ImageContent"])
        return None

    def _decoded(self, hit: Hit) -> bytes | None:
        """The frame out of its fragment, nearest to its offset."""
        media = self._client("GET_MEDIA_FOR_FRAGMENT_LIST").get_media_for_fragment_list(
            StreamName=self.stream, Fragments=[hit.fragment]
        )
        return frame_of(media["Payload"].read(), hit.offset_ms)

    def _client(self, call: str) -> Any:
        endpoint = self.kinesisvideo.get_data_endpoint(StreamName=self.stream, APIName=call)
        return self.archived(endpoint["DataEndpoint"])


def frame_of(fragment: bytes, offset_ms: int) -> bytes | None:
    """The frame at an offset from a fragment's first one, as JPEG; None if it has no frames."""
    import av  # only here: it lies in a layer of its own and takes long to load

    nearest: Any = None
    apart_s = float("inf")
    try:
        with av.open(io.BytesIO(fragment), "r") as container:
            first_s = None
            for frame in container.decode(video=0):
                first_s = frame.time if first_s is None else first_s
                this_s = abs(frame.time - first_s - offset_ms / 1000)
                if this_s < apart_s:
                    nearest, apart_s = frame, this_s
            image = nearest.to_image() if nearest else None
    except av.FFmpegError:  # an answer without media holds tags that name an error
        return None
    return to_jpeg(image) if image else None


@dataclass(frozen=True, slots=True)
class Linker:
    """Signs links to single pictures with a role that is narrowed to each.

    `s3_as` makes an S3 client of the credentials that AssumeRole answers.
    """

    sts: Any
    s3_as: Callable[[dict[str, str]], Any]
    role_arn: str
    bucket: str

    def link(self, key: str) -> str:
        """A link to one picture that works for an hour, and for nothing else."""
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
        url: str = self.s3_as(answer["Credentials"]).generate_presigned_url(
            "get_object",
            Params={"Bucket": self.bucket, "Key": key},
            ExpiresIn=LINK_SECONDS,
        )
        return url
