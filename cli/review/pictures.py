"""Pictures of the bucket under ids that say nothing: a key holds a name, an address must not."""

import hmac
import io
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from PIL import Image, ImageOps

from cli.errors import InputError
from whosthere.imaging import MAX_PIXELS, to_jpeg

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_BYTES = 15_728_640  # a photo of that size enrolls nobody
SIDE_PX = 640
GONE = ("NoSuchKey", "404")
NO_PICTURE = "There is no such picture any more."
UNREADABLE = "This picture cannot be shown."


class PictureShelf:
    """The keys behind the ids that the page was given; ids are of this run only."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        self._secret = secrets.token_bytes(32)
        self._keys: dict[str, Sequence[str]] = {}

    def id_of(self, *keys: str) -> str:
        """Return the id of a picture that lies under one of these keys."""
        digest = hmac.digest(self._secret, "\n".join(keys).encode(), "sha256").hex()[:32]
        self._keys[digest] = keys
        return digest

    def file_of(self, picture: str) -> str:
        """Return the name of a picture's file; InputError if there is no such picture."""
        if picture not in self._keys:
            raise InputError(NO_PICTURE)
        return self._keys[picture][0].rpartition("/")[2]

    def read(self, picture: str) -> bytes:
        """Return a picture as a JPEG that fits a screen; InputError if there is none."""
        for key in self._keys.get(picture, ()):
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error.response["Error"]["Code"] in GONE:
                    continue
                raise
            return _fit(answer["Body"].read(MOST_BYTES))
        raise InputError(NO_PICTURE)


def _fit(content: bytes) -> bytes:
    """Return a picture upright, small and without its metadata; InputError if it is none."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(UNREADABLE)
            image.draft("RGB", (SIDE_PX, SIDE_PX))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((SIDE_PX, SIDE_PX))
            return to_jpeg(upright)
    except InputError:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, struct.error and others
        raise InputError(UNREADABLE) from error
