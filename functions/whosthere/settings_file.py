"""The owner's `settings.json` in the bucket."""

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from whosthere.errors import SessionInputError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "settings.json"


def read(s3: "S3Client", bucket: str) -> dict[str, Any]:
    """Return the file's unchecked values, empty without a file; raise SessionInputError if broken.

    The caller needs `s3:ListBucket`: without it S3 answers 403 for a missing object.
    """
    try:
        body = s3.get_object(Bucket=bucket, Key=KEY)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return {}
        raise
    try:
        loaded = json.loads(body)
    except ValueError as error:
        raise SessionInputError(f"{KEY}: not JSON: {error}") from error
    except RecursionError as error:
        raise SessionInputError(f"{KEY}: nested too deep") from error
    if not isinstance(loaded, dict):
        raise SessionInputError(f"{KEY}: has to be an object")
    return loaded
